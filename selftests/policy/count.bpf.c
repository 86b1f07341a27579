// SPDX-License-Identifier: GPL-2.0
/*
 * count: counts how often a VM is attached and detached, by VM and by load, in a map that all loads
 * share and that stays when they are gone.
 *
 * For: tests of whether each VM sees each policy come and go exactly once.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(u32, generation, 0, "tells the loads apart");
MEMATTR_PARAM(u32, takes, 1000000, "refuses all VMs but the first so many");

struct key {
	u64 vm;			/* memattr_vm_key() */
	u64 generation;
};

struct counts {
	u64 attached;
	u64 detached;
	u64 strays;		/* asked while not attached, or attached while attached */
	u64 exit_kind;		/* enum kvm_memattr_exit_kind of the last detach */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct key);
	__type(value, struct counts);
} count_vms SEC(".maps");

static u32 taken;

static struct counts *counts_of(struct kvm *kvm)
{
	struct key key = { memattr_vm_key(kvm), generation };

	return bpf_map_lookup_elem(&count_vms, &key);
}

int MEMATTR_CALLBACK(count_vm_attach, struct kvm *kvm)
{
	struct key key = { memattr_vm_key(kvm), generation };
	struct counts *counts, none = {};

	if (__sync_fetch_and_add(&taken, 1) >= takes)
		return -EACCES;
	bpf_map_update_elem(&count_vms, &key, &none, BPF_NOEXIST);
	counts = bpf_map_lookup_elem(&count_vms, &key);
	if (!counts)
		return -ENOMEM;
	if (counts->attached != counts->detached)
		__sync_fetch_and_add(&counts->strays, 1);
	__sync_fetch_and_add(&counts->attached, 1);
	return 0;
}

void MEMATTR_CALLBACK(count_vm_detach, struct kvm *kvm, const struct kvm_memattr_exit *exit)
{
	struct counts *counts = counts_of(kvm);

	if (!counts)
		return;
	__sync_fetch_and_add(&counts->detached, 1);
	counts->exit_kind = exit->kind;
}

int MEMATTR_CALLBACK(count_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	struct counts *counts = counts_of(kvm);

	if (counts && counts->attached != counts->detached + 1)
		__sync_fetch_and_add(&counts->strays, 1);
	return 0;
}

MEMATTR_OPS(count, vm_attach, vm_detach, convert);
