/*
 * What QMP tells of memory backends.
 */
#include "qapi/qapi-commands.h"
#include "system/hostmem.h"

static bool add_backend(Object *obj, void *opaque)
{
    const HostMemoryBackend *b = object_is(obj, &host_memory_backend_type) ? HOST_MEMORY_BACKEND(obj) : NULL;
    QapiMemdev *m = b ? QAPI_LIST_APPEND((QapiMemdevList *)opaque) : NULL;

    if (!b) {
        return true;
    }
    m->id = g_strdup(obj->name);
    m->size = b->size;
    m->merge = b->merge;
    m->dump = b->dump;
    m->prealloc = b->prealloc;
    m->share = b->share;
    m->has_reserve = true;
    m->reserve = b->reserve;
    m->policy = (QapiHostMemPolicy)b->policy;
    m->host_nodes = g_new0(QapiUint16List, 1);
    for (unsigned node = 0; node < 64; node++) {
        if (b->host_nodes >> node & 1) {
            *QAPI_LIST_APPEND(m->host_nodes) = (uint16_t)node;
        }
    }
    return true;
}

QapiMemdevList *qmp_query_memdev(Error **errp)
{
    QapiMemdevList *list = g_new0(QapiMemdevList, 1);

    object_foreach_child(object_container("/objects"), false, add_backend, list);
    return list;
}
