/*
 * How fast the guest writes to memory: what a manager asks before it tries to move a machine.
 *
 * Two ways of measuring.  page-sampling: so many pages for each GiB of RAM, chosen by chance, are digested at the begin and
 * at the end; those that differ were written.  It costs the guest nothing and misses pages that were written as before.
 * dirty-bitmap: writes are logged meanwhile, which slows them down, and written pages counted.
 *
 * Digesting runs on a thread of its own, outside the BQL; it does not touch pages that hold no memory, which would
 * give them some: those count as zeros.
 *
 * Locks: `measurement` under the BQL, but for what the thread has while it runs (`blocks`).
 */
#include "qapi/qapi-commands.h"
#include "system/ram-discard.h"
#include "util/main-loop.h"
#include "util/rcu.h"
#include "util/timer.h"

#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define TIME_MIN_MS 50
#define TIME_MAX_MS 60000
#define SAMPLES_DEFAULT 512
#define SAMPLES_MIN 128
#define SAMPLES_MAX 16384
#define SAMPLES_OF_A_BLOCK_MIN 64       /* so that small ones are measured at all */

typedef struct Sample {
    uint64_t offset;                    /* in the block */
    uint64_t digest;
} Sample;

/* A block that was there at the begin; it may have gone, or been replaced, by the end. */
typedef struct SampledBlock {
    char idstr[sizeof(((RamBlock *)0)->idstr)];
    const uint8_t *host;
    uint64_t length;
    unsigned n, n_dirty;
    Sample *sample;                     /* owned */
} SampledBlock;

typedef struct Measurement {
    QapiDirtyRateMeasureMode mode;
    QapiDirtyRateStatus status;
    int64_t start_s;                    /* of the wall clock */
    int64_t duration_ms;
    int64_t sample_pages;               /* for each GiB */
    int64_t rate_mib_s;                 /* -1: there was nothing to measure */

    int64_t began_ns;
    Timer timer;
    GArray *blocks;                     /* of SampledBlock, owned */
} Measurement;

static Measurement measurement = { .mode = QAPI_DIRTY_RATE_MEASURE_MODE_PAGE_SAMPLING };

/* --- page-sampling --- */

static void block_clear(void *block)
{
    g_free(((SampledBlock *)block)->sample);
}

static bool holds_memory(const uint8_t *host)
{
    unsigned char resident = 0;

    return mincore((void *)((uintptr_t)host & ~(uintptr_t)(getpagesize() - 1)), PAGE, &resident) == 0 && resident & 1;
}

/* Any mixing does that no usual change of a page leaves as it is. */
static uint64_t page_digest(const uint8_t *host)
{
    uint64_t words[PAGE / 8], h = 0x9e3779b97f4a7c15u;

    if (!holds_memory(host)) {
        memset(words, 0, sizeof(words));
    } else {
        memcpy(words, host, sizeof(words));     /* the guest may be writing it */
    }
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        h = (h ^ words[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool is_guest_ram(const RamBlock *rb)
{
    return rb->mr && rb->mr->kind == MEMORY_REGION_RAM && !rb->readonly && rb->used_length >= PAGE;
}

static bool has_content(const RamBlock *rb, uint64_t offset)
{
    return !rb->mr->rdm || ram_discard_is_populated(rb->mr->rdm, offset, PAGE);
}

static void block_sample(GArray *blocks, const RamBlock *rb, int64_t pages_a_gib)
{
    uint64_t n = MAX(SAMPLES_OF_A_BLOCK_MIN, (uint64_t)((unsigned __int128)rb->used_length * (uint64_t)pages_a_gib / GiB));
    SampledBlock b = { .host = rb->host, .length = rb->used_length };
    g_autoptr(GRand) rand = g_rand_new();

    n = MIN(n, rb->used_length / PAGE);
    g_strlcpy(b.idstr, rb->idstr, sizeof(b.idstr));
    b.sample = g_new(Sample, n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = ((uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand)) % (rb->used_length / PAGE);

        if (has_content(rb, page * PAGE)) {
            b.sample[b.n++] = (Sample){ page * PAGE, page_digest(rb->host + page * PAGE) };
        }
    }
    b.length = n ? b.length / n * b.n : 0;      /* discarded parts are no part of it */
    g_array_append_val(blocks, b);
}

static const RamBlock *block_find_rcu(const SampledBlock *b)
{
    for (const RamBlock *rb = ram_block_list_rcu(); rb; rb = rcu_dereference(rb->next)) {
        if (is_guest_ram(rb) && rb->host == b->host && !strcmp(rb->idstr, b->idstr)) {
            return rb;
        }
    }
    return NULL;
}

/* A block that has gone keeps no dirty pages. */
static void block_compare(SampledBlock *b)
{
    const RamBlock *rb = block_find_rcu(b);

    for (unsigned i = 0; rb && i < b->n; i++) {
        uint64_t offset = b->sample[i].offset;

        if (offset + PAGE <= rb->used_length && has_content(rb, offset)) {
            b->n_dirty += page_digest(rb->host + offset) != b->sample[i].digest;
        }
    }
}

static int64_t elapsed_ms(const Measurement *m)
{
    return MAX(1, (clock_get_ns(CLOCK_TYPE_REALTIME) - m->began_ns) / 1000000);
}

static void finish(Measurement *m, int64_t rate_mib_s)
{
    m->rate_mib_s = rate_mib_s;
    m->duration_ms = MAX(m->duration_ms, 1);
    m->status = QAPI_DIRTY_RATE_STATUS_MEASURED;
    timer_del(&m->timer);
}

static void sampling_done(void *opaque)
{
    Measurement *m = opaque;
    double dirty_mib = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < m->blocks->len; i++) {
        const SampledBlock *b = &g_array_index(m->blocks, SampledBlock, i);

        n += b->n;
        dirty_mib += b->n ? (double)b->length / MiB * b->n_dirty / b->n : 0;
    }
    g_clear_pointer(&m->blocks, g_array_unref);
    finish(m, n ? (int64_t)(dirty_mib * 1000 / (double)elapsed_ms(m)) : -1);
}

static void sampling_first_done(void *opaque)
{
    Measurement *m = opaque;

    m->began_ns = clock_get_ns(CLOCK_TYPE_REALTIME);
    timer_mod(&m->timer, m->began_ns + m->duration_ms * 1000000);
}

static void *sampling_first(void *opaque)
{
    Measurement *m = opaque;

    rcu_thread_enter();
    rcu_read_lock();
    for (const RamBlock *rb = ram_block_list_rcu(); rb; rb = rcu_dereference(rb->next)) {
        if (is_guest_ram(rb)) {
            block_sample(m->blocks, rb, m->sample_pages);
        }
    }
    rcu_read_unlock();
    rcu_thread_leave();
    bh_schedule_once(sampling_first_done, m);
    return NULL;
}

static void *sampling_second(void *opaque)
{
    Measurement *m = opaque;

    rcu_thread_enter();
    rcu_read_lock();
    for (unsigned i = 0; i < m->blocks->len; i++) {
        block_compare(&g_array_index(m->blocks, SampledBlock, i));
    }
    rcu_read_unlock();
    rcu_thread_leave();
    bh_schedule_once(sampling_done, m);
    return NULL;
}

static void run_thread(GThreadFunc fn, Measurement *m)
{
    g_thread_unref(g_thread_new("dirty-rate", fn, m));
}

/* --- dirty-bitmap --- */

static void log_all(bool on)
{
    memory_transaction_begin();
    for (RamBlock *rb = ram_block_list_rcu(); rb; rb = rb->next) {     /* the BQL keeps the list */
        if (is_guest_ram(rb)) {
            memory_region_set_log(rb->mr, on, DIRTY_RATE);
        }
    }
    memory_transaction_commit();
}

static uint64_t count_dirty_pages(void)
{
    uint64_t n = 0;

    for (RamBlock *rb = ram_block_list_rcu(); rb; rb = rb->next) {
        const unsigned long *map = rb->dirty[DIRTY_RATE];

        if (map) {
            memory_region_sync_dirty(rb->mr);
            for (uint64_t i = 0; i < DIV_ROUND_UP(rb->max_length / PAGE, 64); i++) {
                n += (unsigned)__builtin_popcountl(__atomic_load_n(&map[i], __ATOMIC_RELAXED));
            }
        }
    }
    return n;
}

static void bitmap_done(Measurement *m)
{
    uint64_t n = count_dirty_pages();

    log_all(false);
    finish(m, (int64_t)((unsigned __int128)n * PAGE * 1000 / (uint64_t)elapsed_ms(m) / MiB));
}

/* --- commands --- */

static void time_is_up(void *opaque)
{
    Measurement *m = opaque;

    if (m->mode == QAPI_DIRTY_RATE_MEASURE_MODE_DIRTY_BITMAP) {
        bitmap_done(m);
    } else {
        run_thread(sampling_second, m);
    }
}

static void start(Measurement *m)
{
    m->status = QAPI_DIRTY_RATE_STATUS_MEASURING;
    m->start_s = clock_get_ns(CLOCK_TYPE_HOST) / NANOSECONDS_PER_SECOND;
    timer_init(&m->timer, CLOCK_TYPE_REALTIME, time_is_up, m);
    if (m->mode == QAPI_DIRTY_RATE_MEASURE_MODE_DIRTY_BITMAP) {
        log_all(true);
        m->began_ns = clock_get_ns(CLOCK_TYPE_REALTIME);
        timer_mod(&m->timer, m->began_ns + m->duration_ms * 1000000);
        return;
    }
    m->blocks = g_array_new(false, false, sizeof(SampledBlock));
    g_array_set_clear_func(m->blocks, block_clear);
    run_thread(sampling_first, m);
}

bool qmp_calc_dirty_rate(const QapiCalcDirtyRateArgs *args, Error **errp)
{
    Measurement *m = &measurement;
    QapiDirtyRateMeasureMode mode = args->has_mode ? args->mode : QAPI_DIRTY_RATE_MEASURE_MODE_PAGE_SAMPLING;
    bool sampling = mode == QAPI_DIRTY_RATE_MEASURE_MODE_PAGE_SAMPLING;
    int64_t unit_ms = args->has_calc_time_unit && args->calc_time_unit == QAPI_TIME_UNIT_MILLISECOND ? 1 : 1000;

    if (m->status == QAPI_DIRTY_RATE_STATUS_MEASURING) {
        error_setg(errp, "the dirty rate is already being measured.");
        return false;
    }
    if (args->calc_time > TIME_MAX_MS / unit_ms || args->calc_time * unit_ms < TIME_MIN_MS) {
        error_setg(errp, "Calculation time is out of range [%dms, %dms].", TIME_MIN_MS, TIME_MAX_MS);
        return false;
    }
    if (args->has_sample_pages && !sampling) {
        error_setg(errp, "sample-pages is used only in page-sampling mode");
        return false;
    }
    if (args->has_sample_pages && (args->sample_pages < SAMPLES_MIN || args->sample_pages > SAMPLES_MAX)) {
        error_setg(errp, "sample-pages is out of range[%d, %d].", SAMPLES_MIN, SAMPLES_MAX);
        return false;
    }
    if (mode == QAPI_DIRTY_RATE_MEASURE_MODE_DIRTY_RING) {
        error_setg(errp, "mode dirty-ring is not enabled, use other method instead.");
        return false;
    }
    m->mode = mode;
    m->duration_ms = args->calc_time * unit_ms;
    m->sample_pages = !sampling ? 0 : args->has_sample_pages ? args->sample_pages : SAMPLES_DEFAULT;
    start(m);
    return true;
}

QapiDirtyRateInfo *qmp_query_dirty_rate(const QapiQueryDirtyRateArgs *args, Error **errp)
{
    const Measurement *m = &measurement;
    QapiDirtyRateInfo *info = g_new0(QapiDirtyRateInfo, 1);

    info->status = m->status;
    info->mode = m->mode;
    info->has_dirty_rate = m->status == QAPI_DIRTY_RATE_STATUS_MEASURED;
    info->dirty_rate = m->rate_mib_s;
    info->start_time = m->start_s;
    info->calc_time_unit = args->has_calc_time_unit ? args->calc_time_unit : QAPI_TIME_UNIT_SECOND;
    info->calc_time = info->calc_time_unit == QAPI_TIME_UNIT_SECOND ? m->duration_ms / 1000 : m->duration_ms;
    info->sample_pages = (uint64_t)m->sample_pages;
    return info;
}
