/*
 * KVM's paravirtual clock, offered under the translator too.
 *
 * Reference: Linux Documentation/virt/kvm/x86/msr.rst.
 *
 * The guest's TSC runs at exactly x86_cpu_tsc_hz() of guest time on every vCPU, so the page is
 * written once per MSR write and stays right: multiplier and base do not change.  It is written
 * again when the CPU's TSC was set.  Under KVM the TSC is the host's, which goes on while the machine
 * is stopped: the page is written again when it is started (kvm-native.c).
 *
 * The version protocol: odd while being written, even and different afterwards.  Only the vCPU
 * that owns a page writes it; the wall clock is written by whichever asks.
 */
#include "target/i386/kvm.h"
#include "target/i386/segment.h"

enum { KVM_WALL_CLOCK_OLD = 0x11, KVM_WALL_CLOCK = 0x4b564d00 };
enum { PVCLOCK_TSC_STABLE = 1 };

/* struct pvclock_vcpu_time_info, little-endian, 32 bytes */
enum {
    TI_VERSION = 0, TI_TSC_TIMESTAMP = 8, TI_SYSTEM_TIME = 16, TI_MUL = 24, TI_SHIFT = 28, TI_FLAGS = 29, TI_SIZE = 32,
};
/* struct pvclock_wall_clock, 12 bytes */
enum { WC_VERSION = 0, WC_SEC = 4, WC_NSEC = 8, WC_SIZE = 12 };

static uint32_t read_version(Vcpu *cpu, hwaddr pa)
{
    uint8_t b[4];

    if (address_space_read(cpu->as, pa, MEMTXATTRS_UNSPECIFIED, b, sizeof(b)) != MEMTX_OK) {
        return 0;
    }
    return ld32_le(b);
}

/* Publish the structure @image of @size bytes at @pa under the version protocol. */
static void publish(Vcpu *cpu, hwaddr pa, uint8_t *image, size_t size)
{
    uint32_t version = (read_version(cpu, pa) & ~1u) + 1;
    uint8_t b[4];

    st32_le(b, version);
    address_space_write(cpu->as, pa, MEMTXATTRS_UNSPECIFIED, b, sizeof(b));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    address_space_write(cpu->as, pa + 4, MEMTXATTRS_UNSPECIFIED, image + 4, size - 4);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    st32_le(b, version + 1);
    address_space_write(cpu->as, pa, MEMTXATTRS_UNSPECIFIED, b, sizeof(b));
}

/* ns = ((tsc << shift) * mul) >> 32, with mul in [2^31, 2^32). */
static void scale_for_hz(uint64_t hz, uint32_t *mul, int8_t *shift)
{
    uint64_t ticks = hz;
    int s = 0;

    while (ticks > 2 * (uint64_t)NANOSECONDS_PER_SECOND) {
        ticks >>= 1;
        s--;
    }
    while (ticks <= (uint64_t)NANOSECONDS_PER_SECOND) {
        ticks <<= 1;
        s++;
    }
    *mul = (uint32_t)(((unsigned __int128)NANOSECONDS_PER_SECOND << 32) / ticks);
    *shift = (int8_t)s;
}

void x86_pvclock_update(CPUX86State *env)
{
    Vcpu *cpu = x86_env_vcpu(env);
    hwaddr pa = env->kvm_system_time_msr & ~1ULL;
    uint8_t image[TI_SIZE] = { 0 };
    uint64_t tsc;
    int64_t ns;
    uint32_t mul;
    int8_t shift;

    if (!(env->kvm_system_time_msr & 1)) {
        return;
    }
    scale_for_hz(x86_cpu_tsc_hz(), &mul, &shift);
    if (cpu->kvm) {
        x86_kvm_clock_base(&tsc, &ns);
        st64_le(image + TI_TSC_TIMESTAMP, tsc + env->tsc_offset);
        st64_le(image + TI_SYSTEM_TIME, (uint64_t)ns);
    } else {
        st64_le(image + TI_TSC_TIMESTAMP, env->tsc_offset);     /* what the TSC reads at guest time 0 */
        st64_le(image + TI_SYSTEM_TIME, 0);
    }
    st32_le(image + TI_MUL, mul);
    image[TI_SHIFT] = (uint8_t)shift;
    image[TI_FLAGS] = x86_has(env, FEAT_KVM, 24) ? PVCLOCK_TSC_STABLE : 0;
    publish(cpu, pa, image, sizeof(image));
}

/* Wall-clock time at guest time 0. */
static void write_wall_clock(CPUX86State *env, hwaddr pa)
{
    int64_t boot_ns = clock_get_ns(CLOCK_TYPE_HOST) - clock_get_ns(CLOCK_TYPE_VIRTUAL);
    uint8_t image[WC_SIZE] = { 0 };

    st32_le(image + WC_SEC, (uint32_t)(boot_ns / NANOSECONDS_PER_SECOND));
    st32_le(image + WC_NSEC, (uint32_t)(boot_ns % NANOSECONDS_PER_SECOND));
    publish(x86_env_vcpu(env), pa, image, sizeof(image));
}

bool x86_pvclock_msr_write(CPUX86State *env, uint32_t msr, uint64_t value)
{
    if (msr == KVM_WALL_CLOCK || msr == KVM_WALL_CLOCK_OLD) {
        env->kvm_wall_clock_msr = value;
        write_wall_clock(env, value);
        return true;
    }
    env->kvm_system_time_msr = value;
    x86_pvclock_update(env);
    return true;
}
