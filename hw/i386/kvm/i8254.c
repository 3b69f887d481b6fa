/*
 * "kvm-pit": the 8254 in the host's kernel, whose counter 0 is line 0 of the board.
 *
 * The kernel counts on while the machine stands still: the state is fetched when it stops and put when it goes on.
 *
 * Reference: Linux, struct kvm_pit_state2, whose times are of CLOCK_MONOTONIC.
 */
#include "accel/kvm/cpu-ops.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/timer/i8254-core.h"
#include "system/runstate.h"

#include <time.h>

enum { TICKS_DISCARD, TICKS_DELAY };
static const char *const tick_policies[] = { "discard", "delay", NULL };

/* A counter, as it is saved: its time is the guest's. */
typedef struct KvmPitCounter {
    uint32_t count;
    uint16_t latched_count;
    uint8_t count_latched, status_latched, status, read_state, write_state, write_latch, rw_mode, mode, bcd, gate;
    int64_t load_ns;            /* CLOCK_TYPE_VIRTUAL */
} KvmPitCounter;

typedef struct KvmPit {
    I8254 parent;
    int tick_policy;            /* property */
    KvmPitCounter counter[PIT_NUM_COUNTERS];    /* while the machine stands still, and as of the last look */
    uint32_t flags;
    bool kept;                  /* it stands still, and .counter was fetched */
} KvmPit;

OBJECT_DECLARE(KvmPit, KVM_PIT, kvm_pit)

/* What guest time is ahead of the host's. */
static int64_t clock_offset(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return clock_get_ns(CLOCK_TYPE_VIRTUAL) - (ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec);
}

static void fetch(KvmPit *s)
{
    struct kvm_pit_state2 k = { 0 };
    int64_t offset = clock_offset();
    int result = s->kept ? 0 : kvm_vm_ioctl(KVM_GET_PIT2, &k);

    if (result < 0) {
        error_report("KVM does not give the state of the interval timer: %s", g_strerror(-result));
    }
    if (s->kept || result < 0) {
        return;
    }
    s->flags = k.flags;
    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        const struct kvm_pit_channel_state *c = &k.channels[i];

        s->counter[i] = (KvmPitCounter){
            .count = c->count, .latched_count = c->latched_count, .count_latched = c->count_latched,
            .status_latched = c->status_latched, .status = c->status, .read_state = c->read_state, .write_state = c->write_state,
            .write_latch = c->write_latch, .rw_mode = c->rw_mode, .mode = c->mode, .bcd = c->bcd, .gate = c->gate,
            .load_ns = c->count_load_time + offset,
        };
    }
}

static void put(KvmPit *s)
{
    struct kvm_pit_state2 k = { .flags = s->flags };
    int64_t offset = clock_offset();
    int result;

    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        const KvmPitCounter *c = &s->counter[i];

        k.channels[i] = (struct kvm_pit_channel_state){
            .count = c->count, .latched_count = c->latched_count, .count_latched = c->count_latched,
            .status_latched = c->status_latched, .status = c->status, .read_state = c->read_state, .write_state = c->write_state,
            .write_latch = c->write_latch, .rw_mode = c->rw_mode, .mode = c->mode, .bcd = c->bcd, .gate = c->gate,
            .count_load_time = c->load_ns - offset,
        };
    }
    result = s->kept ? 0 : kvm_vm_ioctl(KVM_SET_PIT2, &k);
    if (result < 0) {
        error_report("KVM does not take the state of the interval timer: %s", g_strerror(-result));
    }
}

static void state_changed(void *opaque, bool running, RunState state)
{
    KvmPit *s = opaque;

    if (running && s->kept) {
        s->kept = false;
        put(s);
    } else if (!running) {
        fetch(s);
        s->kept = true;
    }
}

/* --- for port 0x61 and the HPET --- */

static void set_gate(I8254 *pit, unsigned n, bool level)
{
    KvmPit *s = KVM_PIT(pit);
    KvmPitCounter *c = &s->counter[n];

    fetch(s);
    if (c->mode != 0 && c->mode != 4 && level && !c->gate) {
        c->load_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL);          /* a rising edge begins anew */
    }
    c->gate = level;
    put(s);
}

static bool get_gate(I8254 *pit, unsigned n)
{
    fetch(KVM_PIT(pit));
    return KVM_PIT(pit)->counter[n].gate;
}

static bool get_out(I8254 *pit, unsigned n)
{
    const KvmPitCounter *c = &KVM_PIT(pit)->counter[n];
    Pit p = { .irq_enabled = false };

    fetch(KVM_PIT(pit));
    p.counter[n] = (PitCounter){ .mode = c->mode > 5 ? c->mode - 4 : c->mode, .gate = c->gate, .loaded = c->count != 0, .counting = true,
                                 .triggered = true, .count = c->count, .start_ns = c->load_ns };
    return pit_get_out(&p, n);
}

static void set_irq_enabled(I8254 *pit, bool on)
{
    KvmPit *s = KVM_PIT(pit);

    fetch(s);
    s->flags = on ? s->flags & ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY : s->flags | KVM_PIT_FLAGS_HPET_LEGACY;
    put(s);
}

/* --- the device --- */

static bool kvm_pit_realize(Device *dev, Error **errp)
{
    KvmPit *s = KVM_PIT(dev);
    struct kvm_pit_config config = { 0 };
    struct kvm_reinject_control control = { .pit_reinject = s->tick_policy == TICKS_DELAY };
    int result = kvm_vm_ioctl(KVM_CREATE_PIT2, &config);

    if (result < 0) {
        error_setg_errno(errp, -result, "KVM makes no interval timer");
        return false;
    }
    if (!control.pit_reinject && (result = kvm_vm_ioctl(KVM_REINJECT_CONTROL, &control)) < 0) {
        error_setg_errno(errp, -result, "kvm-pit.lost_tick_policy=discard: KVM cannot");
        return false;
    }
    vm_state_notify_add(state_changed, s);
    return true;
}

static void kvm_pit_unrealize(Device *dev)
{
    vm_state_notify_remove(state_changed, KVM_PIT(dev));
}

static void kvm_pit_reset(Device *dev, ResetType type)
{
    KvmPit *s = KVM_PIT(dev);

    s->flags = 0;
    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        s->counter[i] = (KvmPitCounter){ .mode = 3, .gate = i != 2, .count = 65536, .load_ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) };
    }
    put(s);
}

static bool kvm_pit_pre_save(void *opaque, Error **errp)
{
    fetch(opaque);
    return true;
}

static bool kvm_pit_post_load(void *opaque, unsigned version, Error **errp)
{
    KvmPit *s = opaque;

    s->flags &= KVM_PIT_FLAGS_HPET_LEGACY;
    for (unsigned i = 0; i < PIT_NUM_COUNTERS; i++) {
        if (s->counter[i].mode > 7 || s->counter[i].count > 65536) {
            error_setg(errp, "kvm-pit: counter %u has mode %u, count %u", i, s->counter[i].mode, s->counter[i].count);
            return false;
        }
    }
    put(s);
    return true;
}

static const VMState counter_vmstate = {
    .name = "kvm-pit-counter", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U32(KvmPitCounter, count), VMS_U16(KvmPitCounter, latched_count), VMS_U8(KvmPitCounter, count_latched),
        VMS_U8(KvmPitCounter, status_latched), VMS_U8(KvmPitCounter, status), VMS_U8(KvmPitCounter, read_state),
        VMS_U8(KvmPitCounter, write_state), VMS_U8(KvmPitCounter, write_latch), VMS_U8(KvmPitCounter, rw_mode),
        VMS_U8(KvmPitCounter, mode), VMS_U8(KvmPitCounter, bcd), VMS_U8(KvmPitCounter, gate), VMS_I64(KvmPitCounter, load_ns),
        VMS_END,
    },
};

static const VMState kvm_pit_vmstate = {
    .name = "kvm-pit", .version = 1, .minimum_version = 1, .pre_save = kvm_pit_pre_save, .post_load = kvm_pit_post_load,
    .fields = (const VMField[]){ VMS_STRUCT_ARRAY(KvmPit, counter, &counter_vmstate), VMS_U32(KvmPit, flags), VMS_END },
};

static const Property kvm_pit_properties[] = {
    PROP_ENUM("lost_tick_policy", KvmPit, tick_policy, tick_policies, TICKS_DELAY, .shown = "LostTickPolicy",
              .help = "what becomes of ticks that the guest was too late for"),
};

TYPE_DEFINE_FAMILY(I8254Info, KvmPit, kvm_pit, "kvm-pit", i8254, false,
    .desc = "8254 interval timer in the host's kernel",
    .properties = PROPS(kvm_pit_properties),
    .realize = kvm_pit_realize,
    .unrealize = kvm_pit_unrealize,
    .reset_hold = kvm_pit_reset,
    .vmstate = &kvm_pit_vmstate,
    .not_user_creatable = true,
    .not_hotpluggable = true,
    .set_gate = set_gate,
    .get_gate = get_gate,
    .get_out = get_out,
    .set_irq_enabled = set_irq_enabled);

I8254 *kvm_pit_create(IsaBus *bus, uint16_t base, Error **errp)
{
    KvmPit *s = KVM_PIT(device_new(&kvm_pit_type));

    s->parent.iobase = base;
    return device_realize_and_unref(&s->parent.isa.dev, &bus->bus, errp) ? &s->parent : NULL;
}
