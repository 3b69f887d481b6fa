/*
 * Translator assist: what KVM cannot emulate, the translator executes, one instruction at a time.
 *
 * KVM runs code by emulation where the host's processor cannot run it natively, and knows only part of
 * the instruction set there.  The state comes out, the instruction runs translated (accel/tcg/assist.c),
 * with its accesses to devices and its exceptions, the state goes back in.
 *
 * A page table written by such an instruction is not seen by KVM's shadow of it before the guest flushes
 * the entry, as it is with hardware that is not told.
 *
 * Locks: BQL.
 */
#include "kvm-internal.h"

#include "accel/tcg/assist.h"

bool kvm_assist_start(KvmAccel *a, uint64_t cache_size)
{
    Error *err = NULL;

    a->assist.translator = tcg_assist_new(cache_size, &err);
    if (!a->assist.translator) {
        a->assist.refusal = g_strdup(error_get_pretty(err));
        error_free(err);
    }
    return a->assist.translator != NULL;
}

void kvm_assist_fini(KvmAccel *a)
{
    object_unref(a->assist.translator);
    g_free(a->assist.refusal);
}

/* The row of @kind; the last one takes what finds none. */
static KvmAssistKind *find_kind(KvmAssist *s, uint32_t kind)
{
    unsigned i = 0;

    while (i < KVM_ASSIST_KINDS - 1 && s->kinds[i].count && s->kinds[i].kind != kind) {
        i++;
    }
    return &s->kinds[i];
}

static void count(KvmAssist *s, Vcpu *cpu, const uint8_t *bytes, unsigned n)
{
    uint32_t kind = vcpu_info(cpu)->kvm->insn_kind(cpu, bytes, n);
    KvmAssistKind *k = find_kind(s, kind);

    if (!k->count++) {
        k->kind = kind;
        k->n = MIN(n, sizeof(k->bytes));
        memcpy(k->bytes, bytes, k->n);
    }
}

bool kvm_assist(KvmAccel *a, Vcpu *cpu, const uint8_t *bytes, unsigned n, Error **errp)
{
    const KvmCpuOps *ops = vcpu_info(cpu)->kvm;
    gint64 start = g_get_monotonic_time();

    if (!ops->get(cpu, errp)) {
        return false;
    }
    ops->emulation_failed(cpu);
    count(&a->assist, cpu, bytes, n);
    if (!tcg_assist_attach(a->assist.translator, cpu, errp)) {
        return false;
    }
    tcg_assist_run(cpu);
    a->assist.us += (uint64_t)(g_get_monotonic_time() - start);
    return ops->put(cpu, errp);
}

/* --- info kvm --- */

static int more_first(const void *a, const void *b)
{
    const KvmAssistKind *x = a, *y = b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void print_kind(FILE *f, const KvmAssistKind *k)
{
    fprintf(f, "assist %-12" PRIu64, k->count);
    for (unsigned i = 0; i < k->n; i++) {
        fprintf(f, " %02x", k->bytes[i]);
    }
    fprintf(f, "\n");
}

void kvm_assist_info(const KvmAccel *a, FILE *f)
{
    KvmAssistKind kinds[KVM_ASSIST_KINDS];
    uint64_t all = 0;

    if (!a->assist.translator) {
        fprintf(f, "assist off%s%s\n", a->assist.refusal ? ": " : "", a->assist.refusal ? a->assist.refusal : "");
        return;
    }
    memcpy(kinds, a->assist.kinds, sizeof(kinds));
    qsort(kinds, KVM_ASSIST_KINDS, sizeof(kinds[0]), more_first);
    for (unsigned i = 0; i < KVM_ASSIST_KINDS; i++) {
        all += kinds[i].count;
    }
    fprintf(f, "assists %" PRIu64 ", %" PRIu64 " us\n", all, a->assist.us);
    for (unsigned i = 0; i < KVM_ASSIST_KINDS && kinds[i].count; i++) {
        print_kind(f, &kinds[i]);
    }
}
