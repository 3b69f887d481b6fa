/*
 * Background jobs.  There is no command yet that starts one.
 */
#include "qapi/qapi-commands.h"

QapiJobInfoList *qmp_query_jobs(Error **errp)
{
    return g_new0(QapiJobInfoList, 1);
}
