/*
 * dump-guest-memory: one dump at a time, the machine stopped meanwhile.
 *
 * A detached dump is written by a thread of its own; its end comes back to the main loop, which
 * lets the machine go on if it ran before, and tells DUMP_COMPLETED.  What is dumped was collected
 * before under the BQL and is referenced, so that a device unplugged meanwhile keeps its memory.
 */
#include "dump-internal.h"

#include "hw/core/machine.h"
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/runstate.h"
#include "util/fdset.h"
#include "util/main-loop.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What remains to be told of the last dump, and the present one's thread.  BQL. */
static struct {
    QapiDumpStatus status;
    uint64_t completed, total;      /* of a dump that has ended */
    Dump *active;                   /* owned */
    GThread *thread;                /* of a detached dump */
    bool (*write)(Dump *d, Error **errp);
    bool resume;                    /* the machine ran before */
    Error *error;                   /* set by the thread */
} the_dump;

bool dump_in_progress(void)
{
    return the_dump.status == QAPI_DUMP_STATUS_ACTIVE;
}

static void dump_free(Dump *d)
{
    if (d->sink.fd >= 0) {
        close(d->sink.fd);
    }
    g_clear_pointer(&d->ranges, g_array_unref);
    g_clear_pointer(&d->mappings, g_array_unref);
    g_clear_pointer(&d->notes, g_byte_array_unref);
    g_free(d);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dump, dump_free)

/* --- what to write --- */

static uint64_t total_size(const GArray *ranges)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < ranges->len; i++) {
        total += g_array_index(ranges, DumpRange, i).size;
    }
    return total;
}

static void collect_cpus(Dump *d)
{
    Vcpu *cpu;

    d->notes = g_byte_array_new();
    CPU_FOREACH(cpu) {
        vcpu_info(cpu)->dump_notes(cpu, d->notes);
        d->n_cpus++;
    }
    dump_append_vmcoreinfo(d);
}

static int compare_mappings(const void *a, const void *b)
{
    const CpuMapping *x = a, *y = b;

    return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr ? 1 : x->paddr < y->paddr ? -1 : x->paddr > y->paddr;
}

static bool mapping_continues(const CpuMapping *a, const CpuMapping *b)
{
    return a->vaddr + a->size == b->vaddr && a->paddr + a->size == b->paddr;
}

/* In order, each once. */
static GArray *merge_mappings(GArray *all)
{
    GArray *merged = g_array_new(false, false, sizeof(CpuMapping));

    g_array_sort(all, compare_mappings);
    for (unsigned i = 0; i < all->len; i++) {
        CpuMapping *m = &g_array_index(all, CpuMapping, i);
        CpuMapping *prev = merged->len ? &g_array_index(merged, CpuMapping, merged->len - 1) : NULL;

        if (prev && m->vaddr - prev->vaddr < prev->size && m->paddr - prev->paddr == m->vaddr - prev->vaddr) {
            continue;                           /* another CPU's view of the same */
        }
        if (prev && mapping_continues(prev, m)) {
            prev->size += m->size;
        } else {
            g_array_append_val(merged, *m);
        }
    }
    return merged;
}

/* What every CPU's page tables map; NULL and @errp if they are made to have no end. */
static GArray *collect_mappings(Error **errp)
{
    GArray *merged = g_array_new(false, false, sizeof(CpuMapping));
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        g_autoptr(GArray) of_cpu = g_array_new(false, false, sizeof(CpuMapping));

        if (!vcpu_info(cpu)->memory_mappings(cpu, of_cpu, errp)) {
            g_array_unref(merged);
            return NULL;
        }
        g_array_append_vals(of_cpu, merged->data, merged->len);
        g_array_unref(merged);
        merged = merge_mappings(of_cpu);
    }
    return merged;
}

/* --- where to --- */

static int open_protocol(const char *protocol, Error **errp)
{
    const char *path, *name;
    int fd;

    if (g_str_has_prefix(protocol, "fd:")) {
        name = protocol + strlen("fd:");
        return named_fd_take(name, errp);
    }
    if (!g_str_has_prefix(protocol, "file:")) {
        error_setg(errp, "parameter 'protocol' must begin with 'file:' or 'fd:', got '%s'", protocol);
        return -1;
    }
    path = protocol + strlen("file:");
    fd = fdset_open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) {
        error_setg_errno(errp, errno, "cannot open '%s'", path);
    }
    return fd;
}

/* @raw: pages and their descriptors are written by turns at two places. */
static bool open_sink(DumpSink *s, const char *protocol, bool raw, Error **errp)
{
    s->fd = open_protocol(protocol, errp);
    if (s->fd < 0) {
        return false;
    }
    if (raw && lseek(s->fd, 0, SEEK_CUR) < 0) {
        error_setg(errp, "format kdump-raw-zlib needs a file that can be sought in, '%s' is none", protocol);
        return false;
    }
    return true;
}

/* --- running --- */

static bool write_flattened_kdump(Dump *d, Error **errp)
{
    return dump_sink_begin_flattened(&d->sink, errp) && dump_write_kdump(d, errp);
}

static bool run(Dump *d, Error **errp)
{
    return the_dump.write(d, errp) && dump_sink_close(&d->sink, errp);
}

/* @err: why it failed, borrowed; NULL if it did not. */
static void finish(const Error *err)
{
    QapiDumpQueryResult result;

    the_dump.completed = the_dump.active->completed;
    the_dump.status = err ? QAPI_DUMP_STATUS_FAILED : QAPI_DUMP_STATUS_COMPLETED;
    result = (QapiDumpQueryResult){ the_dump.status, the_dump.completed, the_dump.total };
    qapi_event_send_dump_completed(&result, err ? error_get_pretty(err) : NULL);
    g_clear_pointer(&the_dump.active, dump_free);
    if (the_dump.resume) {
        vm_start();
    }
}

static void detached_over(void *opaque)
{
    g_thread_join(the_dump.thread);
    the_dump.thread = NULL;
    finish(the_dump.error);
    g_clear_pointer(&the_dump.error, error_free);
}

static void *detached_thread(void *opaque)
{
    bool ok = run(opaque, &the_dump.error);

    assert(ok == !the_dump.error);
    bh_schedule_once(detached_over, NULL);
    return NULL;
}

static bool start(Dump *d, bool detach, Error **errp)
{
    Error *err = NULL;
    bool ok;

    the_dump.active = d;
    the_dump.total = d->total;
    the_dump.status = QAPI_DUMP_STATUS_ACTIVE;
    if (detach) {
        the_dump.thread = g_thread_new("dump", detached_thread, d);
        return true;
    }
    ok = run(d, &err);
    finish(err);
    error_propagate(errp, err);
    return ok;
}

/* --- commands --- */

static bool check_arguments(const QapiDumpGuestMemoryArgs *args, bool elf, Error **errp)
{
    if (dump_in_progress()) {
        error_setg(errp, "there is a dump in process, please wait");
        return false;
    }
    if (!elf && (args->paging || args->has_begin || args->has_length)) {
        error_setg(errp, "kdump formats take neither paging nor a range");
        return false;
    }
    if (args->has_begin != args->has_length) {
        error_setg(errp, "parameter '%s' is missing: 'begin' and 'length' go together",
                   args->has_begin ? "length" : "begin");
        return false;
    }
    if (args->has_begin && (args->begin < 0 || args->length <= 0)) {
        error_setg(errp, "'begin' must be at least 0 and 'length' at least 1, got %" PRId64 " and %" PRId64, args->begin,
                   args->length);
        return false;
    }
    if (!cpu_count()) {
        error_setg(errp, "machine '%s' has no CPU", machine_info(current_machine())->machine_name);
        return false;
    }
    if (!vcpu_info(cpu_by_index(0))->dump_notes) {
        error_setg(errp, "CPUs of type '%s' cannot be dumped", cpu_by_index(0)->dev.obj.type->name);
        return false;
    }
    return true;
}

bool qmp_dump_guest_memory(const QapiDumpGuestMemoryArgs *args, Error **errp)
{
    g_autoptr(Dump) d = g_new0(Dump, 1);
    bool elf = !args->has_format || args->format == QAPI_DUMP_GUEST_MEMORY_FORMAT_ELF;
    bool raw = args->has_format && args->format == QAPI_DUMP_GUEST_MEMORY_FORMAT_KDUMP_RAW_ZLIB;

    d->sink.fd = -1;
    if (!check_arguments(args, elf, errp)) {
        return false;
    }
    d->ranges = dump_ranges(args->begin, args->length, errp);
    if (!d->ranges || !open_sink(&d->sink, args->protocol, raw, errp)) {
        return false;
    }
    the_dump.resume = runstate_is_running();
    if (the_dump.resume) {
        vm_stop(RUN_STATE_SAVE_VM);
    }
    collect_cpus(d);
    d->mappings = args->paging ? collect_mappings(errp) : NULL;
    if (args->paging && !d->mappings) {
        if (the_dump.resume) {
            vm_start();
        }
        return false;
    }
    if (g_str_has_prefix(args->protocol, "file:") && ftruncate(d->sink.fd, 0) && errno != EINVAL /* no regular file */) {
        error_setg_errno(errp, errno, "cannot empty '%s'", args->protocol + strlen("file:"));
        if (the_dump.resume) {
            vm_start();
        }
        return false;
    }
    d->total = total_size(d->ranges);
    the_dump.write = elf ? dump_write_elf : raw ? dump_write_kdump : write_flattened_kdump;
    return start(g_steal_pointer(&d), args->detach, errp);
}

QapiDumpQueryResult *qmp_query_dump(Error **errp)
{
    QapiDumpQueryResult *r = g_new0(QapiDumpQueryResult, 1);

    r->status = the_dump.status;
    r->total = the_dump.total;
    r->completed = the_dump.active ? __atomic_load_n(&the_dump.active->completed, __ATOMIC_RELAXED) : the_dump.completed;
    return r;
}

QapiDumpGuestMemoryCapability *qmp_query_dump_guest_memory_capability(Error **errp)
{
    QapiDumpGuestMemoryCapability *cap = g_new0(QapiDumpGuestMemoryCapability, 1);

    cap->formats = g_new0(QapiDumpGuestMemoryFormatList, 1);
    for (int f = 0; f < QAPI_DUMP_GUEST_MEMORY_FORMAT__MAX; f++) {
        *QAPI_LIST_APPEND(cap->formats) = f;
    }
    return cap;
}
