/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that a view may know: plain data taken at one moment, or read back from a record. A view works on a pair of
 * snapshots, and asks neither the kernel nor the collector for anything.
 *
 * A snapshot has lists. The tool says what is in them: the first one is of VMs.
 */
#ifndef MEMATTR_SNAPSHOT_H
#define MEMATTR_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "provenance.h"
#include "vm.h"

/* No tool has more. */
#define HOOKS_MAX	24
#define LISTS_MAX	8

/* A member of an item that a record keeps. */
struct field {
	const char *key;
	enum {
		FIELD_UNSIGNED,
		FIELD_SIGNED,
		FIELD_TEXT,		/* char array */
		FIELD_STRING,		/* char *, freed with the item */
		FIELD_HISTOGRAM,	/* struct histogram, freed with the item */
	} type;
	size_t at, size;
	uint64_t max;	/* of FIELD_UNSIGNED: what is more was not written by us; 0: whatever fits */
};

#define FIELD(type, of, key, member) { key, type, offsetof(of, member), sizeof(((of *)NULL)->member), 0 }
#define FIELD_TO(max, of, key, member) \
	{ key, FIELD_UNSIGNED, offsetof(of, member), sizeof(((of *)NULL)->member), max }

/* What one list is of. */
struct list_type {
	const char *word;	/* in a record */
	size_t size;		/* of an item */
	size_t max;		/* items; of more, the last in order go */
	const struct field *fields;
	size_t field_count;
	int (*compare)(const void *a, const void *b);	/* 0: the same item, as a different moment sees it */
	bool of_vm;		/* an item begins with the VM's birth, and goes with the VM */
	bool at_end;		/* in the record's end, not in each interval */
};

/* Each item of the first list begins with this. */
struct snapshot_vm {
	uint64_t birth;		/* identifies the VM even if numbers or addresses are reused; 0: no event yet */
	uint64_t id;		/* KVM's number of it; 0: not known */
	pid_t pid;
	pid_t creator_tid;	/* with fd, the VM's name in debugfs; 0: not known */
	int fd;			/* of the VM, inside the process; -1: not known */
	bool ended;		/* these are its last figures */
	char name[VM_NAME_LEN];
	char comm[VM_COMM_LEN];
	char cgroup[VM_CGROUP_LEN];
};

#define SNAPSHOT_VM_FIELDS(of) \
	FIELD(FIELD_UNSIGNED, of, "birth", vm.birth), \
	FIELD(FIELD_UNSIGNED, of, "vm_id", vm.id), \
	FIELD_TO(INT32_MAX, of, "pid", vm.pid), \
	FIELD_TO(INT32_MAX, of, "creator_tid", vm.creator_tid), \
	FIELD(FIELD_SIGNED, of, "fd", vm.fd), \
	FIELD_TO(1, of, "ended", vm.ended), \
	FIELD(FIELD_TEXT, of, "name", vm.name), \
	FIELD(FIELD_TEXT, of, "comm", vm.comm), \
	FIELD(FIELD_TEXT, of, "cgroup", vm.cgroup)

struct list {
	size_t count, room;
	char *items;
};

enum host_kvm { KVM_UNKNOWN, KVM_STOCK, KVM_PATCHED };
enum in_place { IN_PLACE_UNKNOWN, IN_PLACE_OFF, IN_PLACE_ON };

struct snapshot {
	unsigned int references;	/* also of other threads, which read only */
	const struct list_type *types;
	int list_count;
	struct list lists[LISTS_MAX];

	uint64_t time_ns;	/* CLOCK_MONOTONIC */
	time_t wall;
	unsigned int measured;	/* bits of the tool's enum measure */
	unsigned int unwanted;	/* of these: nobody looked at them, so they were not collected */
	int hook_count;
	struct snapshot_hook hooks[HOOKS_MAX];

	/* Totals since the start. */
	uint64_t lost_events;	/* of VMs without a slot, or missed by the kernel */
	uint64_t lost_stacks;
	struct snapshot_cost cost;

	uint32_t late;		/* intervals that were missed since the start */
	uint8_t host_kvm, in_place;	/* enum host_kvm, enum in_place */
	bool idle_listed;	/* VMs without an event are in the list, too */
	bool has_stacks;	/* stacks were asked for */
};

/* The fields of the snapshot itself. */
extern const struct list_type snapshot_type;

/* Returns NULL if out of memory. The caller has the only reference. */
struct snapshot *snapshot_new(const struct list_type *types, int list_count);
struct snapshot *snapshot_hold(struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/* Returns a new item of all zeros, or NULL if out of memory. */
void *snapshot_add(struct snapshot *snapshot, int list);
void *snapshot_item(const struct snapshot *snapshot, int list, size_t at);
/* Puts each list into the order of its compare(). All functions below need that. */
void snapshot_sort(struct snapshot *snapshot);

/* Finds the VM with this birth, or NULL. */
const struct snapshot_vm *snapshot_vm(const struct snapshot *snapshot, uint64_t birth);
int snapshot_compare_vms(const void *a, const void *b);

bool item_equal(const struct list_type *type, const void *a, const void *b);
/* Returns 0 or -ENOMEM. */
int item_copy(const struct list_type *type, void *to, const void *from);
void item_free(const struct list_type *type, void *item);

/* What a figure is computed from. */
struct pair {
	const struct snapshot *before;	/* NULL: the first one, or figures since the start */
	const struct snapshot *now;
	bool rates;		/* counts per second */
	double seconds;		/* what counts are divided by; 0: there are no rates yet */
};

/* Stands for the whole VM where a row can be a part of one. */
#define ALL_PARTS (-1)
/* Stands for the vCPU where there is none: a conversion belongs to the VM. */
#define NO_VCPU (~0U)

#endif
