/*
 * Host memory backends: what all kinds share, and memory-backend-ram.  hostmem-file.c and hostmem-memfd.c have
 * the others.
 *
 * Each makes one RAM region from its properties when completed; a board or a memory device maps
 * it.  A backend serves one user at a time.  Once complete only merge, dump and prealloc may change.
 */
#include "hostmem-internal.h"

#include "util/thread-context.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const policy_names[] = { "default", "preferred", "bind", "interleave", NULL };

/* --- what all kinds share --- */

/* "0-3" or "2" as text; a number or a list of numbers as values. */
static bool parse_nodes(const Value *v, uint64_t *mask, Error **errp)
{
    uint64_t first, last;
    char *end;

    if (value_type(v) == VALUE_LIST) {
        *mask = 0;
        for (size_t i = 0; i < value_list_len(v); i++) {
            uint64_t one;

            if (!parse_nodes(value_list_at(v, i), &one, errp)) {
                return false;
            }
            *mask |= one;
        }
        return true;
    }
    if (value_get_uint(v, &first)) {
        last = first;
    } else if (value_type(v) == VALUE_STRING) {
        const char *text = value_get_string(v);

        first = last = g_ascii_strtoull(text, &end, 10);
        if (end != text && *end == '-') {
            text = end + 1;
            last = g_ascii_strtoull(text, &end, 10);
        }
        if (end == text || *end) {
            first = UINT64_MAX;
        }
    } else {
        first = last = UINT64_MAX;
    }
    if (first > last || last > 63) {
        error_setg(errp, "must be host NUMA nodes between 0 and 63, as N, N-M or a list");
        return false;
    }
    *mask = (~0ULL >> (63 - last)) & (~0ULL << first);
    return true;
}

static bool set_host_nodes(Object *obj, const Property *p, const Value *v, Error **errp)
{
    return parse_nodes(v, &HOST_MEMORY_BACKEND(obj)->host_nodes, errp);
}

static Value *get_host_nodes(Object *obj, const Property *p)
{
    uint64_t mask = HOST_MEMORY_BACKEND(obj)->host_nodes;
    Value *list = value_list();

    for (unsigned node = 0; node < 64; node++) {
        if (mask >> node & 1) {
            value_list_append(list, value_uint(node));
        }
    }
    return list;
}

static bool is_ready(const HostMemoryBackend *b)
{
    return b->ready;
}

/* A host kernel without KSM answers EINVAL: then there is nothing to merge. */
static void apply_merge(const HostMemoryBackend *b)
{
    madvise(b->mr.ram->host, b->mr.ram->max_length, b->merge ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

static bool apply_dump(const HostMemoryBackend *b, Error **errp)
{
    if (madvise(b->mr.ram->host, b->mr.ram->max_length, b->dump ? MADV_DODUMP : MADV_DONTDUMP)) {
        error_setg_errno(errp, errno, "cannot be set");
        return false;
    }
    return true;
}

typedef struct PreallocCall {
    HostMemoryBackend *backend;
    Error *err;
} PreallocCall;

static void run_prealloc(void *opaque)
{
    PreallocCall *c = opaque;
    const RamBlock *rb = c->backend->mr.ram;

    (void)!memory_prealloc(rb->host, rb->max_length, rb->page_size, c->backend->prealloc_threads, &c->err);
}

/* From the thread context, if there is one: so that the threads run, and pages are taken, where it may. */
static bool apply_prealloc(HostMemoryBackend *b, Error **errp)
{
    PreallocCall c = { .backend = b };

    if (!ram_block_set_bound(b->mr.ram, b->mr.ram->max_length, errp)) {
        return false;
    }
    if (b->prealloc_context) {
        thread_context_run(THREAD_CONTEXT(b->prealloc_context), run_prealloc, &c);
    } else {
        run_prealloc(&c);
    }
    error_propagate(errp, c.err);
    return !c.err;
}

static bool merge_changed(Object *obj, const Property *p, Error **errp)
{
    if (is_ready(HOST_MEMORY_BACKEND(obj))) {
        apply_merge(HOST_MEMORY_BACKEND(obj));
    }
    return true;
}

static bool dump_changed(Object *obj, const Property *p, Error **errp)
{
    return !is_ready(HOST_MEMORY_BACKEND(obj)) || apply_dump(HOST_MEMORY_BACKEND(obj), errp);
}

static bool prealloc_changed(Object *obj, const Property *p, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);

    if (!is_ready(b)) {
        return true;
    }
    if (!b->prealloc) {
        error_setg(errp, "cannot be taken back once the memory is there");
        return false;
    }
    if (!b->reserve) {
        error_setg(errp, "cannot be on with reserve=off");
        return false;
    }
    return apply_prealloc(b, errp);
}

static const Property backend_properties[] = {
    PROP_SIZE("size", HostMemoryBackend, size, 0, .unit = "bytes", .help = "how much memory"),
    PROP_BOOL("share", HostMemoryBackend, share, false, .help = "map shared, so that others see writes"),
    PROP_BOOL("prealloc", HostMemoryBackend, prealloc, false, .changed = prealloc_changed, .settable_live = true,
              .help = "touch all memory at start"),
    PROP_UINT32("prealloc-threads", HostMemoryBackend, prealloc_threads, 1, .min = 1, .max = 1024,
                .help = "host threads that touch it"),
    PROP_LINK("prealloc-context", HostMemoryBackend, prealloc_context, thread_context,
              .help = "the thread that starts those"),
    PROP_BOOL("reserve", HostMemoryBackend, reserve, true, .help = "reserve swap or huge pages if the host does so"),
    PROP_BOOL("merge", HostMemoryBackend, merge, true, .changed = merge_changed, .settable_live = true,
              .help = "let the host merge equal pages (KSM)"),
    PROP_BOOL("dump", HostMemoryBackend, dump, true, .changed = dump_changed, .settable_live = true,
              .help = "include in core dumps of the emulator"),
    PROP_ENUM("policy", HostMemoryBackend, policy, policy_names, 0, .shown = "HostMemPolicy", .help = "NUMA policy on the host"),
    PROP_CUSTOM(any, "host-nodes", get_host_nodes, set_host_nodes, .shown = "int", .help = "NUMA nodes of the host for the policy"),
    PROP_BOOL("x-use-canonical-path-for-ramblock-id", HostMemoryBackend, canonical_path, true,
              .help = "name the RAM block by the object's path, not its id"),
};

static bool backend_apply_policy(HostMemoryBackend *b, Error **errp)
{
    static const int modes[] = { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE };
    unsigned long mask = b->host_nodes;

    if (!mask && b->policy) {
        error_setg(errp, "policy '%s' needs host-nodes", policy_names[b->policy]);
        return false;
    }
    if (mask && !b->policy) {
        error_setg(errp, "host-nodes needs a policy other than default");
        return false;
    }
    if (!b->policy) {
        return true;
    }
    if (syscall(SYS_mbind, b->mr.ram->host, b->mr.ram->max_length, modes[b->policy], &mask, 65, MPOL_MF_STRICT | MPOL_MF_MOVE)) {
        error_setg_errno(errp, errno, "cannot bind memory to host NUMA nodes 0x%lx", mask);
        return false;
    }
    return true;
}

unsigned host_memory_backend_ram_flags(const HostMemoryBackend *b)
{
    return RAM_IDLE | (b->share ? RAM_SHARED : 0) | (b->reserve ? 0 : RAM_NORESERVE);
}

char *host_memory_backend_region_name(HostMemoryBackend *b)
{
    return b->canonical_path ? object_path(b) : g_strdup(b->obj.name);
}

/* Options that need the mapping; undoes the region on failure. */
bool host_memory_backend_finish(HostMemoryBackend *b, Error **errp)
{
    b->ready = true;
    if (!backend_apply_policy(b, errp) || (b->prealloc && !apply_prealloc(b, errp))) {
        return false;
    }
    if (b->merge) {
        apply_merge(b);
    }
    if (!b->dump && !apply_dump(b, errp)) {
        error_prepend(errp, "dump=off: ");
        return false;
    }
    b->obj.frozen = true;
    return true;
}

/* Private memory counts against the host's commit limit whatever MAP_NORESERVE says when overcommit is strict. */
static bool reserve_is_avoidable(const HostMemoryBackend *b)
{
    g_autofree char *text = NULL;

    return b->share || !g_file_get_contents("/proc/sys/vm/overcommit_memory", &text, NULL, NULL) || atoi(text) != 2;
}

static bool backend_complete(Object *obj, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);

    if (!b->size) {
        error_setg(errp, "%s needs a size greater than 0", obj->type->name);
        return false;
    }
    if (b->prealloc && !b->reserve) {
        error_setg(errp, "'prealloc=on' and 'reserve=off' are incompatible");
        return false;
    }
    if (!b->reserve && !reserve_is_avoidable(b)) {
        error_setg(errp, "reserve=off has no effect on this host: its vm.overcommit_memory is 2");
        return false;
    }
    return true;
}

static void backend_fini(Object *obj)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);

    if (b->ready) {
        memory_region_fini(&b->mr);
    }
}

TYPE_DEFINE_ABSTRACT(HostMemoryBackend, host_memory_backend, "memory-backend", object,
    .complete = backend_complete,
    .fini = backend_fini,
    .properties = PROPS(backend_properties),
)

MemoryRegion *host_memory_backend_take_unbound(HostMemoryBackend *b, Error **errp)
{
    if (b->in_use) {
        g_autofree char *path = object_path(b);

        error_setg(errp, "memory backend '%s' is in use by another device", path);
        return NULL;
    }
    b->in_use = true;
    return &b->mr;
}

MemoryRegion *host_memory_backend_take(HostMemoryBackend *b, Error **errp)
{
    if (!host_memory_backend_take_unbound(b, errp)) {
        return NULL;
    }
    if (!ram_block_set_bound(b->mr.ram, b->mr.ram->max_length, errp)) {
        b->in_use = false;
        return NULL;
    }
    return &b->mr;
}

uint64_t host_memory_backend_page_size(const HostMemoryBackend *b)
{
    return b->mr.ram->page_size;
}

void host_memory_backend_release(HostMemoryBackend *b)
{
    b->in_use = false;
}

/* --- memory-backend-ram --- */

static bool ram_complete(Object *obj, Error **errp)
{
    HostMemoryBackend *b = HOST_MEMORY_BACKEND(obj);
    g_autofree char *name = host_memory_backend_region_name(b);

    return memory_region_init_ram_flags(&b->mr, b, name, b->size, host_memory_backend_ram_flags(b), errp)
        && host_memory_backend_finish(b, errp);
}

TYPE_DEFINE(HostMemoryBackend, memory_backend_ram, "memory-backend-ram", host_memory_backend,
    .desc = "anonymous memory",
    .complete = ram_complete,
    .user_creatable = true,
)
