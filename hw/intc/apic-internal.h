/*
 * What the local APIC and the APIC bus share.
 */
#ifndef HW_INTC_APIC_INTERNAL_H
#define HW_INTC_APIC_INTERNAL_H

#include "hw/intc/apic.h"
#include "target/i386/cpu-hw.h"
#include "util/timer.h"

#define APIC_BASE_BSP    BIT_ULL(8)
#define APIC_BASE_X2APIC BIT_ULL(10)
#define APIC_BASE_ENABLE BIT_ULL(11)
#define APIC_BASE_ADDR   0xffffff000ULL

enum { LVT_TIMER, LVT_THERMAL, LVT_PERFMON, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

struct LocalApic {
    Device dev;
    /* constant after realize */
    Vcpu *cpu;                  /* borrowed: the CPU is the parent */
    ApicBus *bus;               /* borrowed */
    uint32_t id;

    /* BQL */
    uint64_t base;
    uint8_t tpr;
    uint8_t ldr;                /* xAPIC logical id */
    uint8_t dfr;                /* destination format, upper nibble of DFR */
    uint32_t svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t lvt[LVT_COUNT];
    uint32_t esr, esr_pending;
    uint32_t icr_low, icr_high;
    uint32_t divide, initial_count;
    int64_t count_start_ns;     /* guest time at which the counter was at initial_count */
    uint64_t tsc_deadline;
    bool extint_message;        /* an ExtINT came by message (IOAPIC) */
    Timer timer;
};

struct ApicBus {
    Device dev;
    MemoryRegion window;
    GPtrArray *apics;           /* of LocalApic *, borrowed */
    GArray *eoi_listeners;      /* of EoiListener */
    int (*pic_acknowledge)(void *opaque);
    void *pic_opaque;
    bool pic_level;
    const ApicOutsideOps *outside;      /* NULL = local APICs are on this bus */
    uint32_t last_lowest;       /* index of the APIC that took the last lowest-priority message */
};

static inline bool apic_is_enabled(const LocalApic *s) { return s->base & APIC_BASE_ENABLE; }
static inline bool apic_is_x2apic(const LocalApic *s) { return s->base & APIC_BASE_X2APIC; }
static inline bool apic_is_software_enabled(const LocalApic *s) { return apic_is_enabled(s) && (s->svr & 0x100); }

/* As apic_bus_deliver(); @x2_sender: @m->dest has 32 bits.  @except: not to this one (may be NULL). */
void apic_bus_route(ApicBus *bus, const ApicMessage *m, bool x2_sender, const LocalApic *except);
void apic_bus_eoi(ApicBus *bus, uint8_t vector);

/* --- of one local APIC (apic.c) --- */
/* Its state, whatever it is part of: types that begin with a LocalApic. */
extern const VMField apic_vmstate_fields[];
/* A device of such a type as the child "lapic" of @cpu; NULL and @errp. */
Device *apic_new_for_cpu(const TypeInfo *type, Vcpu *cpu, Error **errp) MUST_USE;
uint64_t apic_base_at_reset(Vcpu *cpu);
void apic_reset_registers(LocalApic *s);        /* what INIT and RESET set: all but the base and the id */
/* Nanoseconds per count of the timer. */
uint64_t apic_count_ns(const LocalApic *s);
void apic_check_loaded(LocalApic *s);           /* drops what no register can hold */
void apic_accept(LocalApic *s, const ApicMessage *m);
bool apic_matches(const LocalApic *s, uint32_t dest, bool logical, bool x2_sender);
unsigned apic_ppr(const LocalApic *s);
uint32_t apic_current_count(const LocalApic *s);
void apic_print(void *opaque, FILE *f);         /* apic-print.c */
/* The wire into LINT0 changed to @level. */
void apic_lint0(LocalApic *s, bool level);
void apic_lint1_nmi(LocalApic *s);
uint32_t apic_mmio_read(LocalApic *s, unsigned offset);
void apic_mmio_write(LocalApic *s, unsigned offset, uint32_t v);

#endif
