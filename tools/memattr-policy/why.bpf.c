// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel side of "memattr-policy why": hands over the first page of the VM that could not
 * become private because somebody uses it.
 */
#include "memattr.bpf.h"
#include "why_event.h"

char LICENSE[] SEC("license") = "GPL";

/* KVM's number of the VM. */
const volatile __u64 only_vm_id;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

__u32 told;

static void copy_mappers(struct why_event *event, const struct kvm_gmem_held_event *held)
{
	event->nr_mappers = held->nr_mappers;
	for (int i = 0; i < WHY_MAX_MAPPERS; i++) {
		struct why_mapper *mapper = &event->mappers[i];

		mapper->address = held->mappers[i].address;
		mapper->pid = held->mappers[i].pid;
		bpf_probe_read_kernel_str(mapper->comm, sizeof(mapper->comm),
					  held->mappers[i].comm);
	}
}

/* The verifier assumes that every argument of a module's tracepoint may be NULL. */
SEC("tp_btf/kvm_gmem_held")
int BPF_PROG(tell_held, struct kvm *kvm, const struct kvm_gmem_held_event *held)
{
	struct why_event *event;

	if (!kvm || !held || kvm->id != only_vm_id || __sync_lock_test_and_set(&told, 1))
		return 0;

	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->ns = bpf_ktime_get_ns();
	event->ino = held->ino;
	event->pgoff = held->pgoff;
	event->gfn = held->gfn;
	event->refs = held->refs;
	event->mapped = held->mapped;
	event->pins = held->pins;
	event->other = held->other;
	event->locked = !!(held->flags & KVM_GMEM_HELD_LOCKED);
	event->new_page = !!(held->flags & KVM_GMEM_HELD_NO_LRU);
	event->more_mappers = !!(held->flags & KVM_GMEM_HELD_MORE);
	copy_mappers(event, held);
	event->asker_pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->asker_comm, sizeof(event->asker_comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}
