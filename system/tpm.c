/*
 * TPM devices: there are none, which is what management wants to know.
 */
#include "qapi/qapi-commands.h"

QapiTpmModelList *qmp_query_tpm_models(Error **errp)
{
    return g_new0(QapiTpmModelList, 1);
}

QapiTpmTypeList *qmp_query_tpm_types(Error **errp)
{
    return g_new0(QapiTpmTypeList, 1);
}

QapiTPMInfoList *qmp_query_tpm(Error **errp)
{
    return g_new0(QapiTPMInfoList, 1);
}
