/*
 * Names of translated code for perf (-perfmap): /tmp/perf-PID.map, a line "START SIZE NAME" in hexadecimal for each block
 * made or moved, as the kernel's tools/perf/Documentation/jit-interface.txt says.  Memory of evicted blocks is used
 * again: the last line about an address holds.
 *
 * Locks: CodeCache.lock for adding.
 */
#include "accel/tcg/internal.h"

#include <unistd.h>

bool tcg_perfmap_start(CodeCache *c, Error **errp)
{
    g_autofree char *path = g_strdup_printf("/tmp/perf-%d.map", (int)getpid());

    c->perf_map = fopen(path, "we");
    if (!c->perf_map) {
        error_setg_errno(errp, errno, "cannot write '%s'", path);
        return false;
    }
    setvbuf(c->perf_map, NULL, _IOLBF, 0);
    fprintf(c->perf_map, "%" PRIxPTR " %zx tcg-prologue\n", (uintptr_t)c->rx, c->prologue_size);
    return true;
}

void tcg_perfmap_add_locked(CodeCache *c, const Tb *tb, const char *kind, uint64_t pc)
{
    if (unlikely(c->perf_map)) {
        fprintf(c->perf_map, "%" PRIxPTR " %x %s:0x%" PRIx64 "\n", (uintptr_t)tb_rx(c, tb), tb->unwind_offset, kind, pc);
    }
}

void tcg_perfmap_finish(CodeCache *c)
{
    if (c->perf_map) {
        fclose(c->perf_map);
        c->perf_map = NULL;
    }
}
