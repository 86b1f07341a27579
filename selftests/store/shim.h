/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What attr_map.c, xarray.c and maple_tree.c use and the kernel's own headers for user space lack.
 * Included before everything else.
 */
#ifndef SHIM_H
#define SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/bug.h>
#include <linux/init.h>
/* Defined to nothing there. */
#undef synchronize_rcu
#include <urcu.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>

#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define cond_resched()		do { } while (0)

#undef call_rcu
#define call_rcu		mem_call_rcu
#define kfree_rcu(ptr, member)	mem_call_rcu(&(ptr)->member, mem_free_rcu)
void mem_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void mem_free_rcu(struct rcu_head *head);

#ifdef SINGLE_THREAD
/*
 * Locks of this kind cost more than the kernel's, and would be most of what is measured. These are
 * like those of the kernel of the test VM, which has no preemption.
 */
#include <linux/spinlock.h>
#undef spin_lock
#undef spin_unlock
#define spin_lock(lock)		mem_spin_lock((int *)(lock))
#define spin_unlock(lock)	mem_spin_unlock((int *)(lock))
void mem_spin_lock(int *lock);
void mem_spin_unlock(int *lock);
#undef rcu_read_lock
#undef rcu_read_unlock
#define rcu_read_lock()		do { } while (0)
#define rcu_read_unlock()	do { } while (0)
#endif

static inline void memset_l(unsigned long *p, unsigned long v, size_t n)
{
	while (n--)
		*p++ = v;
}

#endif
