/*
 * Counted waits for a mutex.
 */
#include "util/lock-stats.h"

static GMutex mutex;
static LockStats stats;

static void *lock_once(void *opaque)
{
    mutex_lock_counted(&mutex, &stats);
    g_mutex_unlock(&mutex);
    return NULL;
}

static void test_free_mutex_is_no_wait(void)
{
    stats = (LockStats){ 0 };
    mutex_lock_counted(&mutex, &stats);
    g_mutex_unlock(&mutex);
    mutex_lock_counted(&mutex, &stats);
    g_mutex_unlock(&mutex);
    g_assert_cmpuint(stats.taken, ==, 2);
    g_assert_cmpuint(stats.waited, ==, 0);
    g_assert_cmpuint(stats.wait_ns, ==, 0);
}

static void test_held_mutex_is_a_wait(void)
{
    GThread *other;

    stats = (LockStats){ 0 };
    g_mutex_lock(&mutex);
    other = g_thread_new("other", lock_once, NULL);
    g_usleep(50000);
    g_mutex_unlock(&mutex);
    g_thread_join(other);
    g_assert_cmpuint(stats.taken, ==, 1);
    /* A host so busy that the thread began after 50 ms found it free. */
    g_assert_cmpuint(stats.waited > 0, ==, stats.wait_ns > 0);
    g_assert_cmpuint(stats.waited, <=, 1);
}

static void *lock_many(void *opaque)
{
    for (unsigned i = 0; i < 2000; i++) {
        mutex_lock_counted(&mutex, &stats);
        if (i % 100 == 0) {
            g_usleep(10);               /* with the mutex: the others come to wait */
        }
        g_mutex_unlock(&mutex);
    }
    return NULL;
}

static void test_every_lock_is_counted(void)
{
    GThread *t[4];

    stats = (LockStats){ 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        t[i] = g_thread_new("many", lock_many, NULL);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        g_thread_join(t[i]);
    }
    g_assert_cmpuint(stats.taken, ==, 8000);
    g_assert_cmpuint(stats.waited, >, 0);
    g_assert_cmpuint(stats.waited, <=, stats.taken);
    g_assert_cmpuint(stats.wait_ns, >=, stats.waited);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/util/lock-stats/free_mutex_is_no_wait", test_free_mutex_is_no_wait);
    g_test_add_func("/util/lock-stats/held_mutex_is_a_wait", test_held_mutex_is_a_wait);
    g_test_add_func("/util/lock-stats/every_lock_is_counted", test_every_lock_is_counted);
    return g_test_run();
}
