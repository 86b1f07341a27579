#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Policies and those who have nothing to do with them: when KVM asks a policy, which VM the record of a
# policy that left names, and what windows take of a memory cgroup that is at its limit.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
fault=$policies/fault.bpf.o
tracing=/sys/kernel/tracing
cgroup=/sys/fs/cgroup/vmm

# trace EVENT COMMAND...: returns the command's status; $tracing/trace has the events that happened meanwhile.
trace()
{
	event=$tracing/events/$1/enable
	shift
	: >$tracing/trace
	echo 1 >$event
	"$@"
	status=$?
	echo 0 >$event
	return $status
}

# --- when zap() is asked ---
# zaps COUNT: checks that the policy was asked so often by now, and that no vCPU had to wait for an answer.
zaps()
{
	$bpftool -j map dump name asks.bss | jq '.[0].formatted.value[".bss"] | add' >$tmp/asks
	cat $tmp/asks
	json_is ".zap_calls == $1 and .zap_calls_in_invalidation == 0" $tmp/asks
}
start_vm
start_loader $policies/asks.bpf.o --pid $vm
vm ok private 0x1000 4096
ok "one run: the policy is asked before the invalidation begins" zaps 1
vm ok shared 0x1000 4096
vm ok stripes 0x1000 4096
vm ok shared 0x1000 4096
ok "many runs: it is asked about each of them before that" zaps $((1 + 1 + 2048 + 2048))
stop_loader
end_vm

# --- what it wants zapped ---
# zapped_once: checks that no page was zapped twice. vCPUs and notifiers wait for a zap.
zapped_once()
{
	ask stat memattr_zapped_pages
	before=$answer
	vm ok shared 0x1000 4096 && ask stat memattr_zapped_pages
	echo "$((answer - before)) of 4096 pages"
	[ $((answer - before)) -le 4096 ]
}
start_vm
vm ok stripes 0x1000 4096
start_loader thp_recover --pid $vm
ok "thp_recover widens the zaps of 2048 runs to 8 huge pages: each is zapped once" zapped_once
stop_loader
end_vm

# --- the VM that is being created ---
# names_vm KIND PARAMETER...: a policy for all VMs leaves a new VM for this reason.
names_vm()
{
	kind=$1
	shift
	start_loader $fault --all "$@" && trace kvm/kvm_memattr_exit start_vm || return 1
	state "exit_kind: $kind"
	status=$?
	end_vm
	stop_loader
	grep kvm_memattr_exit: $tracing/trace
	return $status
}
# names KIND PARAMETER...: the event names the VM.
names()
{
	names_vm "$@" && grep -q "kvm_memattr_exit: vm_id [1-9][0-9]* vm_pid $vm policy fault " $tracing/trace
}
ok "a policy refuses a VM that is being created: the event names it" names refused attach_ret=-1
ok "it takes too long: the same" names refused attach_turns=8000000 --budget-us 20000

# --- the VMM's memory cgroup ---
block=0
# map_block: maps a page of the next 2 MiB, which takes a page table. KVM has some in reserve, and allocates
# several when these run low.
map_block()
{
	ask prefault $((block * 512)) 1
	case $answer in
	'0 1 '*) block=$((block + 1)) ;;
	*) echo "block $block: $answer"; return 1 ;;
	esac
}

# find_period: KVM allocates a new reserve every $period page tables. It has just done so.
find_period()
{
	refills=0
	while [ $refills -lt 2 ]; do
		trace kmem/mm_page_alloc map_block && [ $block -lt 200 ] || return 1
		period=$((period + 1))
		allocated=$(grep -c "walk-$vm .*ACCOUNT" $tracing/trace) || :
		[ $allocated -gt 4 ] || continue
		echo "$allocated pages after $period page tables"
		refills=$((refills + 1)) last=$period period=0
	done
	period=$last
}

# run_low PAGE-TABLES: uses so many of the reserve.
run_low()
{
	left=$1
	while [ $left -gt 0 ]; do
		map_block || return 1
		left=$((left - 1))
	done
	vm ok allocate $((block * 512)) 1
}

# leave_pages PAGES: so many are left to the cgroup. Memory that was charged in advance is given back first.
leave_pages()
{
	echo 0 >$cgroup/memory.high
	echo max >$cgroup/memory.high
	read -r taken <$cgroup/memory.current
	echo $((taken + $1 * 4096)) >$cgroup/memory.max
}

# pressure: prints how often the cgroup was at its limit.
pressure()
{
	grep -E '^(max|oom|oom_kill) ' $cgroup/memory.events
}

# touch_at_limit TOUCHED: the guest's own fault takes the last page table that KVM has to have, and nothing
# else. The guest has touched so many pages afterwards.
touch_at_limit()
{
	leave_pages 4
	pressure >$tmp/pressure
	vm "1 1 $1" read $((block * 512)) 1
	status=$?
	block=$((block + 1))
	pressure
	pressure | cmp - $tmp/pressure && [ $status -eq 0 ]
}

# What a CPU has charged in advance, another one gives back some time later: there is one for this shell and the VM.
taskset -cp 0 $$ >/dev/null
mkdir $cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
vmsh=$policies/walk
start_vm
echo $vm >$cgroup/cgroup.procs
vm ok private 0 262144
period=0
ok "KVM's reserve of page tables is filled up now and then" find_period
note .
run_low $((period - 2))
ok "no policy: a fault that leaves little in reserve is resolved at the limit" touch_at_limit 1
note .
echo max >$cgroup/memory.max
run_low $((period - 1))
start_loader $fault --pid $vm window_end_add=16 window_flags=1
ok "the window after such a fault takes nothing, and nobody is killed for it" touch_at_limit 2
note .
end_vm
end_loader 11
rmdir $cgroup
finish
