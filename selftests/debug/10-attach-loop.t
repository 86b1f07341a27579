#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A policy is attached, replaced by an update and detached a thousand times, or MEMATTR_CYCLES times,
# while two vCPUs convert memory, on a kernel with KASAN and lockdep. The runner fails if the kernel
# reports anything.
. "$(dirname "$0")/../lib/test.sh"
patched=${MEMATTR_KERNEL:-debug}
cycles=${MEMATTR_CYCLES:-1000}
in_vm --timeout $((1000 + cycles)) -- env MEMATTR_CYCLES="$cycles"
. selftests/lib/policy.sh

objects()
{
	$bpftool -j prog list | jq length
	$bpftool -j map list | jq length
	$bpftool -j link list | jq length
}

before=$(objects)
start_guest churning --scenario churn --vcpus 2 --duration 3600
go_guest
# This process has no VM of its own.
start_vm 0
vm ok load build/bpf/template.bpf.o $guest:$guest_fd
vm ok load build/bpf/template.bpf.o $guest:$guest_fd
# Whatever is allocated once has been allocated after these.
vm ok replacements 100
kernel_memory >$tmp/memory-before
ok "$cycles times attached, replaced and detached" vm ok replacements $cycles
kernel_memory >$tmp/memory-after
read -r calls </sys/kernel/debug/kvm/$guest-$guest_fd/memattr_policy_calls
ok "the policy was asked in between ($calls calls)" [ ${calls:-0} -gt 0 ]
ok "it is gone, and left by being detached" state_of $guest-$guest_fd 'policy: none' 'exit_kind: unreg'
end_vm
kill -INT $guest
wait $guest
ok "the guest ends" [ $? -eq 0 ]
jq -c '{conversions, refused_eagain, guest_verified_pages, host_verified_pages}' $tmp/churning.json |
	sed 's/^/# /'
ok "it found all its data" json_is '.conversions > 0' $tmp/churning.json
same_objects()
{
	after=$(objects)
	[ "$after" = "$before" ] && [ "$(echo "$after" | wc -w)" -eq 3 ]
}
ok "no BPF program, map or link is left" same_objects
# A leak is one object for each cycle. What the guest converts has some hundreds come and go.
ok "no kmalloc cache has an object more for each cycle" \
	no_memory_grew $((cycles / 2 + 300)) $tmp/memory-before $tmp/memory-after
finish
