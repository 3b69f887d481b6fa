/*
 * The debugger's breakpoints and watchpoints: one list for all CPUs, of which each has a copy.
 *
 * A change marks every CPU; each takes the list over on its own thread before it runs again, so
 * that nothing changes under running code.
 *
 * Locks: BQL for the lists.
 */
#include "hw/core/cpu.h"

#include "util/main-loop.h"

static GArray *breakpoints;         /* of vaddr; one entry for each insertion */
static GArray *watchpoints;         /* of CpuWatchpoint */

static void make_lists(void)
{
    if (!breakpoints) {
        breakpoints = g_array_new(false, false, sizeof(vaddr));
        watchpoints = g_array_new(false, false, sizeof(CpuWatchpoint));
    }
}

bool cpu_debug_supported(void)
{
    const Accel *a = current_accel();

    return a && accel_info(a)->cpu_debug_changed;
}

/* The lists as they are now. */
static bool accel_has_room(void)
{
    Accel *a = current_accel();

    return !accel_info(a)->debug_fits ||
        accel_info(a)->debug_fits(a, (const vaddr *)breakpoints->data, breakpoints->len, (const CpuWatchpoint *)watchpoints->data,
                                  watchpoints->len);
}

static void nothing(Vcpu *cpu, void *opaque)
{
}

static void mark_all(void)
{
    Vcpu *cpu;

    assert(bql_locked());
    CPU_FOREACH(cpu) {
        cpu->debug_changed = true;
        if (cpu->created && !cpu->stopped) {
            async_run_on_cpu(cpu, nothing, NULL);       /* out of guest code, so that it looks */
        }
    }
}

static int find_breakpoint(vaddr va)
{
    for (unsigned i = 0; i < breakpoints->len; i++) {
        if (g_array_index(breakpoints, vaddr, i) == va) {
            return (int)i;
        }
    }
    return -1;
}

bool cpu_breakpoint_insert(vaddr va)
{
    make_lists();
    if (!cpu_debug_supported() || breakpoints->len >= CPU_BREAKPOINTS_MAX) {
        return false;
    }
    g_array_append_val(breakpoints, va);
    if (!accel_has_room()) {
        g_array_set_size(breakpoints, breakpoints->len - 1);
        return false;
    }
    mark_all();
    return true;
}

bool cpu_breakpoint_remove(vaddr va)
{
    int i;

    make_lists();
    i = find_breakpoint(va);
    if (i < 0) {
        return false;
    }
    g_array_remove_index_fast(breakpoints, i);
    mark_all();
    return true;
}

static bool same_watchpoint(const CpuWatchpoint *a, const CpuWatchpoint *b)
{
    return a->va == b->va && a->len == b->len && a->on_read == b->on_read && a->on_write == b->on_write;
}

bool cpu_watchpoint_insert(const CpuWatchpoint *w)
{
    make_lists();
    if (!cpu_debug_supported() || !w->len || watchpoints->len >= CPU_WATCHPOINTS_MAX) {
        return false;
    }
    g_array_append_vals(watchpoints, w, 1);
    if (!accel_has_room()) {
        g_array_set_size(watchpoints, watchpoints->len - 1);
        return false;
    }
    mark_all();
    return true;
}

bool cpu_watchpoint_remove(const CpuWatchpoint *w)
{
    make_lists();
    for (unsigned i = 0; i < watchpoints->len; i++) {
        if (same_watchpoint(&g_array_index(watchpoints, CpuWatchpoint, i), w)) {
            g_array_remove_index_fast(watchpoints, i);
            mark_all();
            return true;
        }
    }
    return false;
}

void cpu_debug_remove_all(void)
{
    make_lists();
    if (breakpoints->len || watchpoints->len) {
        g_array_set_size(breakpoints, 0);
        g_array_set_size(watchpoints, 0);
        mark_all();
    }
}

void cpu_debug_take_over(Vcpu *cpu)
{
    Accel *a = current_accel();

    if (likely(!cpu->debug_changed)) {
        return;
    }
    make_lists();
    cpu->debug_changed = false;
    g_array_set_size(cpu->breakpoints, 0);
    g_array_append_vals(cpu->breakpoints, breakpoints->data, breakpoints->len);
    accel_info(a)->cpu_debug_changed(a, cpu, (const CpuWatchpoint *)watchpoints->data, watchpoints->len);
}
