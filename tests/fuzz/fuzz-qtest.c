/*
 * Fuzz target: a hostile guest's accesses to devices, as commands of the qtest protocol.
 *
 * An input is a program of small steps (enum Step): reads and writes of the ports and registers that
 * the machine has, of configuration space and of RAM, steps of guest time.  Registers are chosen by
 * number among the regions that the flat views show once every BAR has an address, so that nearly
 * every step reaches a device; values may point into RAM, where rings and buffers are to be made.
 * Each input begins with a machine reset and the same addresses.
 */
#include "tests/fuzz/confine.h"

#include "hw/core/machine.h"
#include "system/chardev/internal.h"
#include "system/cli/cli.h"
#include "system/memory.h"
#include "system/runstate.h"
#include "util/main-loop.h"
#include "util/rcu.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM_BASE     0x100000u
#define MMIO_BASE    0xe0000000u
#define IO_BASE      0xc000u
#define REGIONS_MAX  256
#define FUNCTIONS_MAX 32

enum Step { STEP_READ, STEP_WRITE, STEP_WRITE_POINTER, STEP_CONFIG, STEP_RAM, STEP_RAM_POINTER, STEP_TIME, STEP_LOOP, STEPS };

/* --- the test's end: a character device without a host --- */

typedef struct TesterChardev {
    Chardev chr;
} TesterChardev;

OBJECT_DECLARE(TesterChardev, TESTER_CHARDEV, chardev_tester)

static size_t tester_write(Chardev *c, const uint8_t *buf, size_t len)
{
    return len;
}

static void tester_update(Chardev *c)
{
}

CHARDEV_DEFINE(TesterChardev, chardev_tester, "chardev-fuzz-tester", chardev,
    .desc = "the fuzzer's end of qtest",
    .write = tester_write,
    .update = tester_update);

static Chardev *tester;

G_GNUC_PRINTF(1, 2) static void say(const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    chardev_receive(tester, (const uint8_t *)text, strlen(text));
    chardev_receive(tester, (const uint8_t *)"\n", 1);
}

/* --- what there is to touch --- */

typedef struct Region {
    bool io;
    uint64_t addr, size;
} Region;

static Region regions[REGIONS_MAX];
static unsigned n_regions;
static unsigned functions[FUNCTIONS_MAX], n_functions;      /* devfn on bus 0 */

static uint32_t config_read(unsigned devfn, unsigned reg)
{
    address_space_st(&address_space_io, 0xcf8, 1u << 31 | devfn << 8 | reg, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    return (uint32_t)address_space_ld(&address_space_io, 0xcfc, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void config_write(unsigned devfn, unsigned reg, uint32_t v)
{
    address_space_st(&address_space_io, 0xcf8, 1u << 31 | devfn << 8 | reg, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    address_space_st(&address_space_io, 0xcfc, v, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

/* Give BAR @reg the next free address; true if it took two registers. */
static bool place_bar(unsigned devfn, unsigned reg, uint32_t *io, uint32_t *mem)
{
    uint32_t mask, size, *next;

    config_write(devfn, reg, 0xffffffff);
    mask = config_read(devfn, reg);
    if (!mask) {
        return false;
    }
    next = mask & 1 ? io : mem;
    size = ~(mask & (mask & 1 ? ~3u : ~15u)) + 1;
    size = mask & 1 ? size & 0xffff : size;
    *next = ROUND_UP(*next, MAX(size, 4u));
    config_write(devfn, reg, *next);
    if ((mask & 7) == 4) {
        config_write(devfn, reg + 4, 0);
    }
    *next += size;
    return (mask & 7) == 4;
}

/* As firmware would: the same at each call. */
static void map_functions(void)
{
    uint32_t io = IO_BASE, mem = MMIO_BASE;

    n_functions = 0;
    for (unsigned devfn = 0; devfn < 256 && n_functions < FUNCTIONS_MAX; devfn++) {
        unsigned bars = 6;

        if ((config_read(devfn, 0) & 0xffff) == 0xffff) {
            continue;
        }
        functions[n_functions++] = devfn;
        if ((config_read(devfn, 0x0c) >> 16 & 0x7f) == 1) {
            bars = 2;
        }
        for (unsigned i = 0; i < bars; i++) {
            i += place_bar(devfn, 0x10 + 4 * i, &io, &mem);
        }
        config_write(devfn, 4, 7);
    }
}

static void collect(AddressSpace *as, bool io)
{
    const FlatView *v = address_space_view_rcu(as);

    for (unsigned i = 0; i < v->n_ranges && n_regions < REGIONS_MAX; i++) {
        const FlatRange *r = &v->ranges[i];

        if (!memory_region_is_ram(r->mr)) {
            regions[n_regions++] = (Region){ io, r->start, r->last - r->start + 1 };
        }
    }
}

static void restart(void)
{
    machine_reset(current_machine(), RESET_COLD);
    map_functions();
    if (!runstate_is_running()) {
        runstate_set(RUN_STATE_PAUSED);
        vm_start();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static Options o;
    static const char *const args[] = {
        "quern", "-machine", "q35,hpet=on", "-m", "16", "-nodefaults", "-display", "none", "-accel", "qtest", "-action", "panic=none",
        "-chardev", "null,id=n0", "-chardev", "null,id=n1", "-chardev", "null,id=n2",
        "-device", "virtio-rng-pci", "-device", "virtio-balloon-pci,free-page-reporting=on", "-device", "virtio-serial-pci",
        "-device", "virtserialport,chardev=n0", "-device", "pci-serial,chardev=n1", "-device", "isa-serial,chardev=n2",
        "-device", "pcie-root-port,id=rp,chassis=1", "-device", "pvpanic", "-device", "i6300esb",
    };

    confine_init();
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    if (!options_parse(&o, ARRAY_SIZE(args), (char **)args, &error_fatal) || !build_before_machine(&o, &error_fatal)
        || !build_the_machine(&o, &error_fatal)) {
        abort();
    }
    tester = CHARDEV(object_new(&chardev_tester_type));
    tester->label = g_strdup("tester");
    tester->log_fd = -1;
    object_add_child(object_container("/chardevs"), "tester", tester);
    {
        g_autoptr(Value) props = value_dict();

        value_dict_set_str(props, "qom-type", "qtest");
        value_dict_set_str(props, "id", "qtest");
        value_dict_set_str(props, "chardev", "tester");
        value_dict_set_str(props, "log", "none");
        if (!user_creatable_add(props, &error_fatal)) {
            abort();
        }
    }
    restart();
    rcu_read_lock();
    collect(&address_space_io, true);
    collect(&address_space_memory, false);
    rcu_read_unlock();
    return 0;
}

/* --- one input --- */

typedef struct Bytes {
    const uint8_t *p;
    size_t n;
} Bytes;

static uint64_t take(Bytes *b, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size && b->n; i++, b->p++, b->n--) {
        v |= (uint64_t)*b->p << 8 * i;
    }
    return v;
}

/* An aligned address in RAM, where earlier steps may have put something. */
static uint64_t take_pointer(Bytes *b)
{
    return RAM_BASE + (take(b, 1) << 8);
}

static void touch_register(Bytes *b, enum Step step)
{
    static const char letters[] = "bwlq";
    const Region *r = &regions[take(b, 1) % n_regions];
    uint64_t how = take(b, 2), offset = how >> 2 & 0x3fff, v = 0;
    unsigned width = MIN(how & 3, r->io ? 2u : 3u);

    offset = r->size ? offset % r->size : offset;
    if (step != STEP_READ) {
        v = step == STEP_WRITE ? take(b, 1u << width) : take_pointer(b) & (width == 3 ? UINT64_MAX : (1ull << (8 << width)) - 1);
    }
    if (step == STEP_READ) {
        say("%s%c 0x%" PRIx64, r->io ? "in" : "read", letters[width], r->addr + offset);
    } else {
        say("%s%c 0x%" PRIx64 " 0x%" PRIx64, r->io ? "out" : "write", letters[width], r->addr + offset, v);
    }
}

static void touch_config(Bytes *b)
{
    unsigned devfn = functions[take(b, 1) % n_functions], reg = take(b, 1) & 0xfc;

    say("outl 0xcf8 0x%x", 1u << 31 | devfn << 8 | reg);
    say("outl 0xcfc 0x%" PRIx64, take(b, 4));
}

static void run_step(Bytes *b)
{
    enum Step step = take(b, 1) % STEPS;

    switch (step) {
    case STEP_READ: case STEP_WRITE: case STEP_WRITE_POINTER:
        touch_register(b, step);
        break;
    case STEP_CONFIG:
        touch_config(b);
        break;
    case STEP_RAM: case STEP_RAM_POINTER: {
        uint64_t at = take_pointer(b) + (take(b, 1) & 0xfe);

        say("writeq 0x%" PRIx64 " 0x%" PRIx64, at, step == STEP_RAM ? take(b, 8) : take_pointer(b));
        break;
    }
    case STEP_TIME:
        say("clock_step %" PRIu64, take(b, 2) << 12);
        break;
    default:
        (void)system_main_loop_step(false);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes b = { data, size };

    confine_enter();
    restart();
    say("memset 0x%x 0x10000 0", RAM_BASE);
    while (b.n) {
        run_step(&b);
    }
    for (unsigned i = 0; i < 3; i++) {
        (void)system_main_loop_step(false);     /* a request to end is heard and forgotten */
    }
    confine_leave();
    return 0;
}
