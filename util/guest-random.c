/*
 * Random bytes for guests.  See util/guest-random.h.
 */
#include "util/guest-random.h"

#include <sys/random.h>

static uint64_t seed;
static bool seeded;                     /* set once at start */
static GMutex lock;                     /* innermost */
static GHashTable *streams;             /* of GRand * by stream + 1; lock */

void guest_random_seed(uint64_t s)
{
    seed = s;
    seeded = true;
}

static GRand *stream_get_locked(uint32_t stream)
{
    void *key = GSIZE_TO_POINTER((gsize)stream + 1);
    GRand *r;

    if (!streams) {
        streams = g_hash_table_new(NULL, NULL);
    }
    r = g_hash_table_lookup(streams, key);
    if (!r) {
        const guint32 init[] = { (guint32)seed, (guint32)(seed >> 32), stream };

        r = g_rand_new_with_seed_array(init, ARRAY_SIZE(init));
        g_hash_table_insert(streams, key, r);
    }
    return r;
}

static void fill_from_seed(uint32_t stream, uint8_t *buf, size_t len)
{
    GRand *r;

    g_mutex_lock(&lock);
    r = stream_get_locked(stream);
    for (size_t at = 0; at < len; at += 4) {
        uint8_t word[4];

        st32_le(word, g_rand_int(r));
        memcpy(buf + at, word, MIN(4, len - at));
    }
    g_mutex_unlock(&lock);
}

void guest_random_fill(uint32_t stream, void *buf, size_t len)
{
    size_t done = 0;

    if (seeded) {
        fill_from_seed(stream, buf, len);
        return;
    }
    while (done < len) {
        ssize_t n = getrandom((uint8_t *)buf + done, len - done, 0);

        done += n > 0 ? (size_t)n : 0;          /* a signal may come before the pool is ready */
    }
}
