/*
 * The guest's name and UUID, for who asks.
 */
#include "qapi/qapi-commands.h"
#include "system/cli/cli.h"
#include "util/uuid.h"

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
    QapiUuidInfo *info = g_new0(QapiUuidInfo, 1);

    info->UUID = uuid_format(identity ? identity->uuid : none);
    return info;
}
