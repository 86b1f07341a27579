/* SPDX-License-Identifier: GPL-2.0 */
/* What chaos.bpf.c and its driver, chaos.c, agree on. */
#ifndef CHAOS_H
#define CHAOS_H

/* Chances in a thousand calls. The driver changes them while the policy is asked. */
struct chaos_weights {
	__u32 refuse;		/* convert: a valid refusal */
	__u32 bad_return;	/* convert, zap, prefault, gmem_block: a value that is none */
	__u32 widen;		/* zap: as allowed */
	__u32 bad_zap;		/* zap: too narrow, or out of the memslot */
	__u32 prefault;		/* prefault: any window, in the memslot or not */
	__u32 bad_prefault;	/* prefault: a window turned around, unknown flags */
	__u32 loop;
	__u32 sleep;		/* convert, sleepable: memory of the VMM, which may have to fault */
	__u32 recurse;		/* callbacks in callbacks, which change maps */
	__u32 tail;		/* convert: tail calls, up to the limit */
	__u32 ask;		/* kfuncs */
	__u32 block;		/* gmem_block: 2 MiB */
	__u32 eject;		/* convert, zap, prefault, gmem_block: -ECANCELED */
	__u32 attach_refuse;
};

/* Indices into chaos_counts, which all loads share. */
enum chaos_count {
	CHAOS_ATTACHED,		/* vm_attach returned 0 */
	CHAOS_ATTACH_REFUSED,
	CHAOS_DETACHED,
	CHAOS_CONVERTS,
	CHAOS_ZAPS,
	CHAOS_PREFAULTS,
	CHAOS_WINDOWS,		/* that prefault proposed */
	CHAOS_BLOCKS,
	CHAOS_BLOCKS_WANTED,	/* that gmem_block wanted */
	CHAOS_REFUSALS,
	CHAOS_WIDENED,
	CHAOS_LOOPS,
	CHAOS_SLEEPS,
	CHAOS_SLEEP_ERRORS,	/* what it wanted to read is not there */
	CHAOS_RECURSIONS,
	CHAOS_TAIL_CALLS,
	CHAOS_KFUNCS,
	CHAOS_RANGES,		/* that the iterator found */
	CHAOS_EJECT_REQUESTS,
	/* These must stay 0. */
	CHAOS_ATTACHED_TWICE,	/* vm_attach of a VM that has not been detached */
	CHAOS_NOT_ATTACHED,	/* another callback for a VM that is not */
	CHAOS_NO_REASON,	/* vm_detach without a known kind or without a text */
	CHAOS_BAD_RANGE,		/* the ranges that the iterator returns have a gap, or do not end */
	CHAOS_COUNTS,
};

#endif
