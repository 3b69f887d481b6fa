/*
 * Built without libslirp: no "user" networks to tell of.
 */
#include "system/net/internal.h"

bool net_has_user(void)
{
    return false;
}

void net_user_info(FILE *out)
{
}

bool net_hostfwd(bool add, const char *id, const char *rule, FILE *out, Error **errp)
{
    error_setg(errp, "network backend 'user' is not compiled into this binary");
    return false;
}
