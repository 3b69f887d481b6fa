/*
 * Read-copy-update (liburcu, "memb" flavour).
 *
 * Readers: rcu_read_lock()/rcu_read_unlock(), nestable; the thread must be registered.
 * Writers: publish with rcu_assign_pointer(), free with rcu_free_later() or after synchronize_rcu().
 * synchronize_rcu() must not be called with the BQL held (a reader may be waiting for it).
 */
#ifndef UTIL_RCU_H
#define UTIL_RCU_H

#define RCU_MEMBARRIER
#include <urcu.h>

/* Every thread that reads: at its start and end. */
#define rcu_thread_enter() rcu_register_thread()
#define rcu_thread_leave() rcu_unregister_thread()

/* Run @fn(@opaque) after all present readers are done; @fn runs on a helper thread without locks. */
void rcu_call_later(void (*fn)(void *opaque), void *opaque);

#endif
