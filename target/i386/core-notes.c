/*
 * What a CPU says of itself in a core file: the notes that gdb and crash read.
 *
 * References: System V ABI AMD64 (NT_PRSTATUS as Linux lays it out for x86-64: struct elf_prstatus,
 * user_regs_struct); note "QEMU" as crash's qemu_x86.h describes it.  A CPU outside long mode is
 * described in the same layout, upper halves zero.
 */
#include "target/i386/core-notes.h"

#include "target/i386/page-walk.h"

#include <elf.h>

typedef struct PrStatus {
    uint32_t signo, code, err;
    uint16_t cursig, pad0;
    uint64_t sigpend, sighold;
    uint32_t pid, ppid, pgrp, sid;
    uint64_t times[8];
    struct {
        uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags,
            rsp, ss, fs_base, gs_base, ds, es, fs, gs;
    } regs;
    uint32_t fpvalid, pad1;
} PrStatus;
_Static_assert(sizeof(PrStatus) == 336, "struct elf_prstatus");

typedef struct NoteSegment {
    uint32_t selector, limit, flags, pad;
    uint64_t base;
} NoteSegment;

typedef struct CpuNote {
    uint32_t version, size;
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
    NoteSegment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
    uint64_t cr[5];
    uint64_t kernel_gs_base;
} CpuNote;
_Static_assert(sizeof(CpuNote) == 440, "QEMUCPUState");

static void append_note(GByteArray *out, const char *name, uint32_t type, const void *desc, uint32_t size)
{
    static const uint8_t zeros[4];
    Elf64_Nhdr head = { .n_namesz = strlen(name) + 1, .n_descsz = size, .n_type = type };

    g_byte_array_append(out, (const uint8_t *)&head, sizeof(head));
    g_byte_array_append(out, (const uint8_t *)name, head.n_namesz);
    g_byte_array_append(out, zeros, -head.n_namesz & 3);
    g_byte_array_append(out, desc, size);
    g_byte_array_append(out, zeros, -size & 3);
}

static void append_prstatus(CPUX86State *env, unsigned index, GByteArray *out)
{
    const uint64_t *r = env->regs;
    PrStatus s = {
        .pid = index + 1,
        .regs = {
            .rax = r[R_EAX], .rcx = r[R_ECX], .rdx = r[R_EDX], .rbx = r[R_EBX], .rsp = r[R_ESP], .rbp = r[R_EBP],
            .rsi = r[R_ESI], .rdi = r[R_EDI], .r8 = r[8], .r9 = r[9], .r10 = r[10], .r11 = r[11], .r12 = r[12],
            .r13 = r[13], .r14 = r[14], .r15 = r[15], .rip = env->tcg.pc, .eflags = x86_get_eflags(env),
            .cs = env->segs[R_CS].selector, .ss = env->segs[R_SS].selector, .ds = env->segs[R_DS].selector,
            .es = env->segs[R_ES].selector, .fs = env->segs[R_FS].selector, .gs = env->segs[R_GS].selector,
            .fs_base = env->segs[R_FS].base, .gs_base = env->segs[R_GS].base,
        },
    };

    append_note(out, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static NoteSegment note_segment(const SegmentCache *s)
{
    return (NoteSegment){ .selector = s->selector, .limit = s->limit, .flags = s->flags, .base = s->base };
}

static void append_cpu(CPUX86State *env, GByteArray *out)
{
    const uint64_t *r = env->regs;
    CpuNote n = {
        .version = 1, .size = sizeof(n),
        .rax = r[R_EAX], .rbx = r[R_EBX], .rcx = r[R_ECX], .rdx = r[R_EDX], .rsi = r[R_ESI], .rdi = r[R_EDI],
        .rsp = r[R_ESP], .rbp = r[R_EBP], .r8 = r[8], .r9 = r[9], .r10 = r[10], .r11 = r[11], .r12 = r[12],
        .r13 = r[13], .r14 = r[14], .r15 = r[15], .rip = env->tcg.pc, .rflags = x86_get_eflags(env),
        .cs = note_segment(&env->segs[R_CS]), .ds = note_segment(&env->segs[R_DS]), .es = note_segment(&env->segs[R_ES]),
        .fs = note_segment(&env->segs[R_FS]), .gs = note_segment(&env->segs[R_GS]), .ss = note_segment(&env->segs[R_SS]),
        .ldt = note_segment(&env->ldt), .tr = note_segment(&env->tr),
        .gdt = note_segment(&env->gdt), .idt = note_segment(&env->idt),
        .cr = { env->cr[0], 0, env->cr[2], env->cr[3], env->cr[4] },
        .kernel_gs_base = env->kernelgsbase,
    };

    append_note(out, "QEMU", 0, &n, sizeof(n));
}

void x86_core_notes(Vcpu *cpu, GByteArray *out)
{
    append_prstatus(cpu->env, cpu->index, out);
    append_cpu(cpu->env, out);
}

/* Guests that are not out for harm stay below: Linux' ESPFIX area has 2^23 pages that do not join. */
#define MAPPINGS_MAX (1u << 24)

/* Joins a page to the mapping before it where both addresses go on. */
static bool add_page(void *opaque, vaddr va, hwaddr pa, uint64_t size, uint64_t entry, unsigned rights)
{
    GArray *mappings = opaque;
    CpuMapping *last = mappings->len ? &g_array_index(mappings, CpuMapping, mappings->len - 1) : NULL;
    CpuMapping fresh = { va, pa, size };

    if (last && last->vaddr + last->size == va && last->paddr + last->size == pa) {
        last->size += size;
    } else {
        g_array_append_val(mappings, fresh);
    }
    return mappings->len < MAPPINGS_MAX;
}

bool x86_memory_mappings(Vcpu *cpu, GArray *mappings, Error **errp)
{
    if (!x86_foreach_page(cpu, add_page, mappings)) {
        error_setg(errp, "the page tables of CPU %u map more than can be listed: at most %u ranges from %u tables", cpu->index,
                   MAPPINGS_MAX, X86_WALK_TABLES);
        return false;
    }
    return true;
}
