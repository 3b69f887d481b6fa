/*
 * What a translating accelerator tells of itself, as text.
 */
#include "hw/core/cpu.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-types.h"

static QapiHumanReadableText *text_of(bool ops, const char *what, Error **errp)
{
    Accel *a = current_accel();
    QapiHumanReadableText *r;
    char *text = NULL;
    size_t size;
    FILE *f;

    if (!a || !accel_info(a)->op_info) {
        error_setg(errp, "%s information is only available with accel=tcg", what);
        return NULL;
    }
    f = open_memstream(&text, &size);
    (ops ? accel_info(a)->op_info : accel_info(a)->info)(a, f);
    fclose(f);
    r = g_new0(QapiHumanReadableText, 1);
    r->human_readable_text = g_strdup(text);
    free(text);
    return r;
}

QapiHumanReadableText *qmp_x_query_jit(Error **errp)
{
    return text_of(false, "JIT", errp);
}

QapiHumanReadableText *qmp_x_query_opcount(Error **errp)
{
    return text_of(true, "Opcode count", errp);
}
