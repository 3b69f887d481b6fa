/*
 * Commands about descriptors that a client passes along (SCM_RIGHTS).
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"
#include "util/fdset.h"

#include <unistd.h>

/* The one that came with the request being answered. */
static int received_fd(Error **errp)
{
    Monitor *m = monitor_present();
    int fd = m ? char_take_fd(&m->be) : -1;

    if (fd < 0) {
        error_setg(errp, "No file descriptor supplied via SCM_RIGHTS");
    }
    return fd;
}

bool qmp_getfd(const QapiGetfdArgs *args, Error **errp)
{
    int fd = received_fd(errp);

    if (fd < 0) {
        return false;
    }
    if (g_ascii_isdigit(args->fdname[0])) {
        close(fd);
        error_setg(errp, "Parameter 'fdname' expects a name not starting with a digit");
        return false;
    }
    named_fd_put(args->fdname, fd);
    return true;
}

bool qmp_closefd(const QapiClosefdArgs *args, Error **errp)
{
    return named_fd_close(args->fdname, errp);
}

QapiAddfdInfo *qmp_add_fd(const QapiAddFdArgs *args, Error **errp)
{
    int fd = received_fd(errp);
    QapiAddfdInfo *info;
    int64_t id;

    if (fd < 0) {
        return NULL;
    }
    /* -1 would ask for a new set. */
    id = fdset_add(!args->has_fdset_id ? -1 : args->fdset_id < 0 ? INT64_MIN : args->fdset_id, fd, args->opaque, errp);
    if (id < 0) {
        return NULL;
    }
    info = g_new0(QapiAddfdInfo, 1);
    info->fdset_id = id;
    info->fd = fd;
    return info;
}

bool qmp_remove_fd(const QapiRemoveFdArgs *args, Error **errp)
{
    return fdset_remove(args->fdset_id, args->has_fd ? &args->fd : NULL, errp);
}

static void add_info(int64_t id, int fd, const char *text, void *opaque)
{
    QapiFdsetInfoList *list = opaque;
    QapiFdsetInfo *set = list->len ? &list->at[list->len - 1] : NULL;
    QapiFdsetFdInfo *info;

    if (!set || set->fdset_id != id) {
        set = QAPI_LIST_APPEND(list);
        set->fdset_id = id;
        set->fds = g_new0(QapiFdsetFdInfoList, 1);
    }
    info = QAPI_LIST_APPEND(set->fds);
    info->fd = fd;
    info->opaque = g_strdup(text);
}

QapiFdsetInfoList *qmp_query_fdsets(Error **errp)
{
    QapiFdsetInfoList *list = g_new0(QapiFdsetInfoList, 1);

    fdset_foreach(add_info, list);
    return list;
}
