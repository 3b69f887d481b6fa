/*
 * The guest's name and UUID, for who asks.
 */
#include "qapi/qapi-commands.h"
#include "system/cli/cli.h"

static const Options *identity;         /* borrowed from main(), for the life of the process */

void identity_set(const Options *o)
{
    identity = o;
}

QapiNameInfo *qmp_query_name(Error **errp)
{
    QapiNameInfo *info = g_new0(QapiNameInfo, 1);

    info->name = identity && identity->name ? g_strdup(identity->name->guest) : NULL;
    return info;
}

QapiUuidInfo *qmp_query_uuid(Error **errp)
{
    static const uint8_t none[16];
    const uint8_t *u = identity ? identity->uuid : none;
    QapiUuidInfo *info = g_new0(QapiUuidInfo, 1);

    info->UUID = g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    return info;
}
