#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# gmem_gate: tasks of the host that are not allowed never reach a guest_memfd, others always do.
# policy/hostsh.c is such a task.
. "$(dirname "$0")/lib/test.sh"
in_vm --append kvm.gmem_in_place_conversion=1 --timeout 900 -- env GATE_TRIES="$GATE_TRIES"
. selftests/lib/policy.sh
tries=${GATE_TRIES:-100000}
threads=4
fault=$policies/fault.bpf.o
cgroups=$tmp/cgroups
mkdir $cgroups
mount -t cgroup2 none $cgroups || exit 1

# host_stat NAME: one of the VM's counters.
host_stat()
{
	read -r value </sys/kernel/debug/kvm/$vm-$vms/memattr_host_$1
	echo $value
}

# counts REFUSED FAULTS COMMAND...: the host does it, and KVM counts so many refusals and faults.
counts()
{
	refused=$(($(host_stat refused) + $1)) faults=$(($(host_stat faults) + $2))
	shift 2
	host "$@" && state "host_refused: $refused" "host_faults: $faults"
}

# is_traced PATTERN COMMAND...: the host does it, and each event is like this.
is_traced()
{
	pattern=$1
	shift
	: >$tracing/trace
	echo 1 >$tracing/events/kvm/kvm_gmem_fault/enable
	host "$@"
	status=$?
	echo 0 >$tracing/events/kvm/kvm_gmem_fault/enable
	grep kvm_gmem_fault: $tracing/trace >$tmp/faults
	cat $tmp/faults
	[ $status -eq 0 ] && grep -q "hostsh-$host .*kvm_gmem_fault: $pattern\$" $tmp/faults &&
		[ $(grep -c "$pattern\$" $tmp/faults) -eq $(wc -l <$tmp/faults) ]
}
tracing=/sys/kernel/tracing

# --- whom it lets in ---
start_vm
ask gmem
gmem=$answer
start_host
ok "without a policy everybody gets in" counts 0 $((tries / 100)) ok touches $((tries / 100)) $threads
start_loader gmem_gate --pid $vm
ok "the gate is attached" expr "$attached" : "gmem_gate: attached to VM $vm-$vms"
ok "a task outside is refused, $tries times on $threads threads" \
	counts $tries $tries SIGBUS touches $tries $threads
ok "each refusal is traced, with task, page, address and errno" \
	is_traced "vm_id [0-9]* vm_pid $vm ino [0-9]* page 0x7 address 0x[0-9a-f]* read ret -1" SIGBUS touch 7
ok "the VMM gets in" vm ok touch 0x1001
ok "to a page that the task did not get" vm ok touch 0x1007
ok "the task still does not get it" host SIGBUS touch 7
ask address 0x1002
far=$answer
ok "it does not through the VMM's mapping either" counts 1 1 EFAULT remote $vm $far
ok "which is traced as an access to another process" \
	is_traced "vm_id .* page 0x2 address $far read remote ret -1" EFAULT remote $vm $far
stop_loader
ok "after the detach it gets in" counts 0 1 ok touch 7
ok "and through the VMM's mapping" counts 0 1 ok remote $vm $far
end_host

start_host
start_loader gmem_gate --pid $vm pid3=$host
ok "a process that is allowed is never refused, $tries times on $threads threads" \
	counts 0 $tries ok touches $tries $threads
ask address 0x1003
far=$answer
ok "nor through the VMM's mapping" counts 0 1 ok remote $vm $far
ok "private pages are not for it either" vm ok private 0x1005 1
ok "KVM refuses them, not the policy" counts 0 1 SIGBUS touch 5
stop_loader
start_loader gmem_gate --pid $vm vmm=no pid1=$host
ok "vmm=no: not even the VMM" vm SIGBUS touch 0x1004
ask address 0x1004
ok "but who is allowed, in the VMM's place" host ok remote $vm $answer
stop_loader
end_host

# --- by cgroup ---
mkdir -p $cgroups/backends/one $cgroups/others
start_host
echo $host >$cgroups/backends/one/cgroup.procs
start_loader gmem_gate --pid $vm cgroup=$(stat -c %i $cgroups/backends)
ok "a task below the cgroup is allowed" counts 0 1000 ok touches 1000 $threads
echo $host >$cgroups/backends/cgroup.procs
ok "one in it is" counts 0 1000 ok touches 1000 $threads
echo $host >$cgroups/others/cgroup.procs
ok "one beside it is not" counts 1000 1000 SIGBUS touches 1000 $threads
stop_loader
end_host

# --- by executable ---
cp $policies/hostsh $tmp/backend
cp $policies/hostsh $tmp/other
start_host $tmp/backend
start_loader gmem_gate --pid $vm exe_dev=0x$(stat -c %D $tmp/backend) exe_ino=$(stat -c %i $tmp/backend)
ok "a task that runs the executable is allowed" counts 0 1000 ok touches 1000 $threads
end_host
start_host $tmp/other
ok "one that runs a copy is not" counts 1000 1000 SIGBUS touches 1000 $threads
stop_loader
start_loader gmem_gate --pid $vm exe_dev=0x1 exe_ino=$(stat -c %i $tmp/other)
ok "nor one with the inode number on another device" counts 1 1 SIGBUS touch 0
stop_loader

# --- when the policy is gone ---
start_loader $fault --pid $vm gmem_fault_ret=-13
ok "-EACCES refuses as well" counts 1 1 SIGBUS touch 1
stop_loader
start_loader $fault --pid $vm gmem_fault_ret=7
ok "a value that is not allowed refuses nothing" counts 0 1 ok touch 15
end_loader 10
ok "it ejects the policy" state 'policy: none' 'exit_kind: bad-return' \
	'exit_text: gmem_fault() returned 7, which it must not'
ok "then everybody gets in" counts 0 $((tries / 100)) ok touches $((tries / 100)) $threads
end_host
end_vm
ok "nothing is left" nothing_left
finish
