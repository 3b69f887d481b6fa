/*
 * Authorization: objects that say whether an identity may come in ("authz-simple", "authz-list", "authz-list-file").
 *
 * An identity is what the peer proved: a certificate's distinguished name, a user name.
 */
#ifndef SYSTEM_AUTHZ_H
#define SYSTEM_AUTHZ_H

#include "util/qom/object.h"

typedef struct Authz {
    Object obj;
} Authz;

typedef struct AuthzInfo {
    struct ObjectInfo;
    bool (*is_allowed)(Authz *authz, const char *identity);
} AuthzInfo;

extern const TypeInfo authz_type;       /* "authz", abstract */
static inline Authz *AUTHZ(const void *obj)
{
    return (Authz *)object_check_cast(obj, &authz_type);
}

bool authz_is_allowed(Authz *authz, const char *identity);
/*
 * The same by object id, as options like tls-authz= name it.  True = allowed; false and @errp if it is not, or if there
 * is no such object: whoever cannot be checked does not come in.
 */
bool authz_is_allowed_by_id(const char *id, const char *identity, Error **errp) MUST_USE;

#endif
