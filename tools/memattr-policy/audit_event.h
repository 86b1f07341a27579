/* SPDX-License-Identifier: GPL-2.0 */
/* What audit.bpf.c hands to "memattr-policy audit" and "memattr-policy load --all". */
#ifndef MEMATTR_AUDIT_EVENT_H
#define MEMATTR_AUDIT_EVENT_H

#include <linux/types.h>

/* "<thread>-<fd>", two 32-bit numbers. */
#define AUDIT_DIR_LEN		24
#define AUDIT_COMM_LEN		16
#define AUDIT_POLICY_LEN	16
#define AUDIT_TEXT_LEN		128

struct audit_vm {
	__u64 id;		/* KVM's number of the VM */
	__s32 creator_tid;	/* the thread that created the VM */
	__s32 pid;		/* the VM's process; 0: not known here */
	char comm[AUDIT_COMM_LEN];	/* of that process; empty: not known */
	char dir[AUDIT_DIR_LEN];	/* the VM's folder in debugfs; empty: it has none */
};

enum audit_kind {
	AUDIT_CONVERT,
	AUDIT_EXIT,
};

/* Both kinds of events begin with this. */
struct audit_event {
	__u64 ns;		/* CLOCK_MONOTONIC */
	__u32 kind;		/* enum audit_kind */
	__u32 zero;
	struct audit_vm vm;
};

struct audit_convert {
	struct audit_event event;
	__u64 gfn_start;	/* in place: from the first to the last gfn that a memslot maps */
	__u64 gfn_end;		/* 0: no memslot maps any */
	__u64 ino;		/* in place: the guest_memfd's inode number; 0: not in place */
	__u64 pgoff_start;	/* the pages of the file */
	__u64 pgoff_end;
	__u64 attributes;
	__u64 effective_pages;
	__u64 policy_ns;
	__s32 verdict;		/* the policy's, 0 or -errno */
	__s32 ret;		/* the ioctl's result, 0 or -errno */
	char policy[AUDIT_POLICY_LEN];	/* the one that was asked, or would have been; empty: none */
};

struct audit_exit {
	struct audit_event event;
	__s64 code;
	__u32 kind;		/* enum kvm_memattr_exit_kind */
	__u32 zero;
	char policy[AUDIT_POLICY_LEN];
	char text[AUDIT_TEXT_LEN];
};

#endif
