/*
 * memsave and pmemsave: a piece of virtual or physical memory into a file, byte by byte as it is.
 */
#include "dump-internal.h"

#include "accel/tcg/cpu-ops.h"
#include "qapi/qapi-commands.h"
#include "util/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE 4096

/* Where the bytes come from: @cpu's virtual memory, or physical memory if it is NULL. */
static bool read_piece(Vcpu *cpu, uint64_t addr, void *buf, unsigned len, Error **errp)
{
    if (cpu) {
        cpu_synchronize(cpu);           /* whose page tables */
    }
    if (cpu ? cpu_memory_rw_debug(cpu, addr, buf, len, false)
            : address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, buf, len) == MEMTX_OK) {
        return true;
    }
    error_setg(errp, "invalid %s address 0x%" PRIx64 ", %u bytes", cpu ? "virtual" : "physical", addr, len);
    return false;
}

static bool save(Vcpu *cpu, int64_t addr, int64_t size, const char *filename, Error **errp)
{
    DumpSink sink = { 0 };
    uint8_t buf[PIECE];
    bool ok = true;

    if (size < 0) {
        error_setg(errp, "size must be at least 0, got %" PRId64, size);
        return false;
    }
    sink.fd = fdset_open(filename, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (sink.fd < 0) {
        error_setg_errno(errp, errno, "cannot open '%s'", filename);
        return false;
    }
    for (uint64_t done = 0, n; ok && done < (uint64_t)size; done += n) {
        n = MIN((uint64_t)size - done, PIECE - ((uint64_t)addr + done) % PIECE);
        ok = read_piece(cpu, (uint64_t)addr + done, buf, n, errp) && dump_sink_write(&sink, done, buf, n, errp);
    }
    if (!ok) {
        close(sink.fd);
        return false;
    }
    return dump_sink_close(&sink, errp);
}

bool qmp_memsave(const QapiMemsaveArgs *args, Error **errp)
{
    int64_t index = args->has_cpu_index ? args->cpu_index : 0;
    Vcpu *cpu = index >= 0 && index <= UINT_MAX ? cpu_by_index(index) : NULL;

    if (!cpu) {
        error_setg(errp, "Invalid CPU index %" PRId64 ", the machine has %u", index, cpu_count());
        return false;
    }
    return save(cpu, args->val, args->size, args->filename, errp);
}

bool qmp_pmemsave(const QapiPmemsaveArgs *args, Error **errp)
{
    return save(NULL, args->val, args->size, args->filename, errp);
}
