#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests policies that misbehave, and what memattr-policy says when something is wrong or missing.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
fault=$policies/fault.bpf.o

# --- the kernel ejects a policy and goes on without it ---
# ejected KIND CODE PARAMETER=VALUE...: checks that a conversion goes through although the policy breaks
# the rules, that the loader and the VM's record say why, and that exactly what changes is zapped.
ejected()
{
	kind=$1 code=$2
	shift 2
	read -r zapped </sys/kernel/debug/kvm/$vm-$vms/memattr_zapped_pages
	start_loader $fault --pid $vm "$@" || return 1
	vm ok private 0x1100 16 && vm ok shared 0x1100 16 &&
		state 'policy: none' "zapped_pages: $((zapped + 32))" || { stop_loader; return 1; }
	end_loader 10 &&
	grep -Eq "^memattr-policy: fault: the kernel ejected it from VM $vm-$vms \(vmsh\): $kind $code: " \
		$err &&
	state 'policy: none' 'exit_policy: fault' "exit_kind: $kind" "exit_code: $code" 'exit_text: ?*'
}
start_vm
ok "fault without parameters does no harm" start_loader $fault --pid $vm
ok "the VM converts" vm ok private 0x1100 16
vm ok shared 0x1100 16
stop_loader
ok "convert returns a positive number" ejected bad-return 1 convert_ret=1
ok "convert returns a large number" ejected bad-return 2147483647 convert_ret=2147483647
ok "convert returns an errno it must not" ejected bad-return -22 convert_ret=-22
ok "convert returns a number that is not an errno" ejected bad-return -100000 convert_ret=-100000
# Prints what is private, and how many pages were zapped so far.
memory()
{
	cat /sys/kernel/debug/kvm/$vm-*/memattr_ranges /sys/kernel/debug/kvm/$vm-*/memattr_zapped_pages
}
# refuses NUMBER ERRNO: checks that the ioctl returns what convert returns, and that nothing has changed.
refuses()
{
	start_loader $fault --pid $vm convert_ret=-$1 || return 1
	before=$(memory)
	vm $2 private 0x1100 16 && [ "$(memory)" = "$before" ] &&
		state 'policy: fault' 'refused: [1-9]*' || { stop_loader; return 1; }
	stop_loader
}
ok "convert refuses: EPERM" refuses 1 EPERM
ok "convert refuses: EAGAIN" refuses 11 EAGAIN
ok "convert refuses: EACCES" refuses 13 EACCES
ok "convert refuses: EBUSY" refuses 16 EBUSY
ok "convert refuses: ENOSPC" refuses 28 ENOSPC
ok "zap returns a positive number" ejected bad-return 1 zap_ret=1
ok "zap refuses" ejected bad-return -1 zap_ret=-1
ok "convert asks to be ejected" ejected request 0 convert_ret=-125
ok "zap asks to be ejected" ejected request 0 zap_ret=-125
ok "zap starts before the slot" ejected bad-field $((0x100)) zap_start_add=-4096
ok "zap ends beyond the slot" ejected bad-field $((0x3110)) zap_end_add=8192
ok "zap starts too late" ejected bad-field $((0x1101)) zap_start_add=1
ok "zap ends too early" ejected bad-field $((0x110f)) zap_end_add=-1
ok "zap is turned around" ejected bad-field $((0x1110)) zap_start_add=16 zap_end_add=-16
ok "convert exceeds its budget" ejected budget '[0-9]*' --budget-us 20000 turns=8M
ok "and then returns what it must not: the first reason stays" \
	ejected budget '[0-9]*' --budget-us 20000 turns=8M convert_ret=1
widens()
{
	start_loader $fault --pid $vm zap_start_add=-256 zap_end_add=512 || return 1
	vm ok private 0x1100 16 && state 'widened_pages: 768' && vm ok shared 0x1100 16 ||
		{ stop_loader; return 1; }
	stop_loader
}
ok "zap may widen inside the slot" widens
ok "nothing is left" nothing_left
# Ejected from one of all VMs: the others keep the policy.
start_other_vm
start_loader $fault --all convert_ret=1
vm ok private 0x1100 16
ok "ejected from one of all VMs" state 'policy: none' 'exit_kind: bad-return'
ok "the other keeps it" state_of $other 'policy: fault' 'scope: all'
stop_loader
end_other_vm

# --- attaching what cannot be attached ---
ok "vm_attach refuses" fails 1 'refuses VM .*: Permission denied' "vm_attach" \
	$policy load $fault --pid $vm attach_ret=-13
ok "vm_attach asks to be ejected, i.e. refuses" fails 1 'refuses VM .*: Operation canceled' "vm_attach" \
	$policy load $fault --pid $vm attach_ret=-125
for ret in 1 -512 -100000; do
	ok "vm_attach returns what it must not: $ret" fails 1 'refuses VM .*: Invalid argument' \
		"vm_attach" timeout 60 $policy load $fault --pid $vm attach_ret=$ret
done
ok "KVM would never ask the policy" fails 3 'gmem_huge decides .* /sys/module/kvm/parameters/gmem_huge_pages is never$' \
	'load KVM with kvm.gmem_huge_pages=policy' timeout 60 $policy load gmem_huge --pid $vm
ok "nor this one" fails 3 'gmem_gate decides .* /sys/module/kvm/parameters/gmem_in_place_conversion is N$' \
	'load KVM with kvm.gmem_in_place_conversion=1' timeout 60 $policy load gmem_gate --pid $vm
ok "vm_attach: a parameter is out of range" fails 2 'out of its range' 'memattr-policy params' \
	$policy load $fault --pid $vm attach_ret=-34
ok "vm_fd is no VM" vm EINVAL attach $fault null
end_vm
start_vm
ok "vm_fd is not a descriptor" vm EBADF attach $fault closed
end_vm
start_vm
ok "a map is attached" vm ok attach $fault vm
ok "the same map again" vm EBUSY again
ok "a second policy" fails 5 "VM $vm-$vms (vmsh) has a policy already: fault, link [0-9]*$" \
	"memattr-policy detach --pid $vm --vm $vms" timeout 60 $policy load ratelimit --pid $vm
ok "the first stays" state 'policy: fault'
ok "it can be detached like any other" run 0 $policy detach --pid $vm
ok "detach: there is none" fails 1 "VM $vm-$vms (vmsh) has no policy" 'memattr-policy list' \
	$policy detach --pid $vm
ok "detach --all: there is none" fails 1 'there is no policy for all VMs' 'memattr-policy list' \
	$policy detach --all
start_loader template --all
ok "a second policy for all VMs" fails 5 \
	'there is a policy for all VMs already: template, link [0-9]*$' \
	'memattr-policy detach --all' timeout 60 $policy load ratelimit --all
ok "detach --pid: it is the one for all" fails 1 'no policy of its own: template' \
	'memattr-policy detach --all' $policy detach --pid $vm
stop_loader
end_vm

# --- no such VM ---
ok "no such process" fails 4 'there is no process 999999' 'memattr-policy show' \
	$policy load template --pid 999999
ok "a process without a VM" fails 4 "process $$ has no VM" 'memattr-policy show' \
	$policy load template --pid $$
start_vm 2
ok "a process with two VMs" fails 2 "process $vm has 2 VMs" 'add --vm' \
	$policy load template --pid $vm
ok "which are listed" grep -q "^  --vm ${vms#* }$" $err
ok "--vm is not a VM" fails 4 "descriptor 0 of process $vm is not a VM" 'memattr-policy show' \
	$policy load template --pid $vm --vm 0
end_vm

# --- what the verifier must refuse ---
# If the verifier accepted the policy, it would be attached until the timeout.
start_vm
# refused_by_verifier FILE WORDS: checks that the verifier refuses the policy, and says WORDS.
refused_by_verifier()
{
	fails 6 'verifier refuses the program' 'run it again with -v' \
		timeout 60 $policy load $policies/$1.bpf.o --pid $vm && grep -q "$2" $err
}
ok "a zap that sleeps" refused_by_verifier sleepable_zap 'attach to unsupported member zap'
ok "a vm_attach that sleeps" refused_by_verifier sleep_attach \
	'attach to unsupported member vm_attach'
ok "sleeping without saying so" refused_by_verifier sleep_convert \
	'must be sleepable to call sleepable kfunc bpf_copy_from_user_str'
ok "a kfunc with NULL" refused_by_verifier kfunc_null 'NULL pointer passed to trusted arg1'
ok "a kfunc with a pointer that may not be a VM" refused_by_verifier kfunc_untrusted \
	'R2 must be referenced or trusted'
ok "writing to a range of an iterator" refused_by_verifier write_range 'cannot write into rdonly_mem'
ok "an iterator that does not end" refused_by_verifier iter_leak 'Unreleased reference'
only='only zap_start and zap_end of kvm_memattr_zap_ctx can be written'
ok "writing to the request" refused_by_verifier write_request "$only"
ok "writing to what zap may read" refused_by_verifier write_slot "$only"
ok "writing to what prefault may read" refused_by_verifier write_bound "$only"
ok "writing to half of what it may write" refused_by_verifier write_half "$only"
ok "writing to struct kvm" refused_by_verifier write_kvm "$only"
ok "using a range whose iterator is gone" refused_by_verifier stale_range "invalid mem access 'scalar'"
ok "the log is short" test $(wc -l <$err) -lt 20
ok "-v" run 6 timeout 60 $policy load $policies/write_kvm.bpf.o --pid $vm -v
ok "shows all of it" test $(wc -l <$err) -gt 20
ok "nothing is attached" state 'policy: none'
# Programs that are not policies must not call the kfuncs.
kfunc_not_allowed()
{
	run 255 $bpftool "$@" &&
		grep -q 'calling kernel function bpf_iter_kvm_attr_range_new is not allowed' $err
}
ok "a kfunc in another kind of struct_ops" kfunc_not_allowed \
	struct_ops register $policies/kfunc_tcp.bpf.o
ok "a kfunc in a tracing program" kfunc_not_allowed \
	prog load $policies/kfunc_tracing.bpf.o /sys/fs/bpf/kfunc_tracing

# --- valid parameters ---
ok "values in other units" start_loader $fault --pid $vm pause_us=2s turns=1k flag=no \
	zap_start_add=-0x10
stop_loader
ok "and keep it from harm" state 'policy: none' 'exit_kind: detach'

# --- what may be missing ---
# without COMMANDS ARGUMENT...: runs memattr-policy in a mount namespace, after COMMANDS in it.
without()
{
	commands=$1
	shift
	unshare -m sh -c "$commands"' exec "$0" "$@"' $policy "$@"
}
nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
ok "not root: load" fails 3 'takes CAP_BPF and CAP_PERFMON, which this process (uid 65534)' \
	'run it as root' $nobody $policy load template --pid $vm
ok "not root: show" fails 3 'cannot read /sys/kernel/debug' 'run it as root' $nobody $policy show
ok "not root: detach" fails 3 'takes CAP_SYS_ADMIN' 'run it as root' \
	$nobody $policy detach --pid $vm
ok "not root: params work" run 0 $nobody $policy params ratelimit
ok "no CAP_SYS_PTRACE" fails 3 'takes CAP_SYS_PTRACE' 'run it as root' \
	setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace $policy load template --pid $vm
ok "no CAP_SYS_ADMIN: another process's VM" fails 3 'takes CAP_SYS_ADMIN' 'run it as root' \
	timeout 60 setpriv --bounding-set -sys_admin --inh-caps -sys_admin \
	$policy load template --pid $vm
ok "no BTF" fails 3 'the kernel has no BTF' 'CONFIG_DEBUG_INFO_BTF=y' \
	without 'mount -t tmpfs none /sys/kernel/btf &&' load template --all
kvm_btf_missing='cp /sys/kernel/btf/vmlinux /tmp/vmlinux && mount -t tmpfs none /sys/kernel/btf &&
	cp /tmp/vmlinux /sys/kernel/btf &&'
if [ -e /sys/kernel/btf/kvm ]; then
	ok "no BTF of the module" fails 3 'the kvm module has no BTF' \
		'CONFIG_DEBUG_INFO_BTF_MODULES=y' without "$kvm_btf_missing" list
	ok "no KVM" fails 3 'KVM is not loaded' 'modprobe kvm' \
		without 'mount -t tmpfs none /sys/module && mount -t tmpfs none /sys/kernel/btf &&
			 cp /tmp/vmlinux /sys/kernel/btf &&' list
else
	ok "no BTF of the module, no KVM # SKIP KVM is built in" true
fi
ok "no debugfs: show" fails 3 'debugfs is not mounted' 'mount -t debugfs' \
	without 'umount /sys/kernel/debug &&' show
ok "no debugfs: detach looks for a policy all the same" fails 1 "VM $vm-$vms (vmsh) has no policy" \
	'memattr-policy list' without 'umount /sys/kernel/debug &&' detach --pid $vm
ok "no bpffs: load --pin" fails 3 'bpffs is not mounted' 'mount -t bpf' \
	without 'umount /sys/fs/bpf &&' load template --pid $vm --pin
ok "nothing is attached" state 'policy: none'

# Without debugfs a policy can be loaded, and fdinfo tells why it left.
load_without_debugfs()
{
	without 'umount /sys/kernel/debug &&' load "$@"
}
load=load_without_debugfs
start_loader $fault --pid $vm convert_ret=1
load=
ok "no debugfs: load" expr "$attached" : "fault: attached to VM $vm-$vms"
vm ok private 0x1100 16
ok "ejected" end_loader 10
ok "and says why" grep -q 'fault: the kernel ejected it from VM .*: bad-return 1: convert() returned 1' $err
end_vm
# VM and loader die at once: the VM ends while the kernel waits for the policy's calls, and nobody else
# holds the link any more.
both_die()
{
	for i in 1 2 3 4 5 6 7 8; do
		start_vm
		start_loader template --pid $vm || return 1
		vm ok private 0x1100 16 || return 1
		kill -KILL $loader $vm
		exec 8>&- 9<&- 5<&-
		wait $loader $vm
		[ $? -eq 137 ] || return 1
	done 2>/dev/null
}
ok "loader and VM are killed at once, eight times" both_die
ok "nothing is left" nothing_left
finish
