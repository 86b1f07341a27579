#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that is locked down, on Debian's: "integrity" keeps nothing but modules without a signature from working, and what
# does not work under "confidentiality" says so.
. "$(dirname "$0")/lib/test.sh"
patched=debian
[ "$inside" ] || modules=$(kernel-patches/kernel path debian)/modules || exit 1
in_vm --append 'kvm.gmem_in_place_conversion=1 kvm.gmem_huge_pages=policy' -- env modules="$modules"
. selftests/lib/policy.sh
. selftests/lib/doctor.sh
lockdown=/sys/kernel/security/lockdown
mount -t securityfs securityfs /sys/kernel/security

# lock LEVEL: from here on; a kernel does not go back.
lock() { echo $1 >$lockdown && grep -F "[$1]" $lockdown; }
attaches() { start_loader "$@" --pid $vm && stop_loader; }
# governs POLICY: the VM.
governs() { run 0 $policy list --json && json_is "length == 1 and .[0].policy == \"$1\"" $out; }
updates() { run 0 $policy update ratelimit --pid $vm rate=10 && governs ratelimit; }
# By what a file of policies.d says: a name or a cgroup.
applies()
{
	printf '%s\n' '[policy]' 'file = seal' "vms = $1" >$rules/10.conf
	run 0 $policy apply $rules && governs seal && run 0 $policy detach --pid $vm
}
# Who keeps a page from becoming private: it is held for I/O.
why_names_host()
{
	$policy why --pid $vm >$out 2>$err 6>&- 7<&- 8>&- 9<&- &
	why=$!
	until grep -q waiting $err || ! kill -0 $why; do
		sleep 0.1
	done
	vm EAGAIN private 0x1000 4 && wait $why && grep "^  $host (hostsh)" $out
}
# The reason and the next command, and not what the verifier says.
names_lockdown()
{
	fails 3 'kernel lockdown forbids BPF to read kernel memory' 'boot without lockdown=confidentiality' "$@" &&
		lacks 'unknown func\|cannot use helper\|R[0-9]*_w=' $err
}

ok "the kernel is not locked down" grep -F '[none]' $lockdown
start_vm
ok "a conversion" vm ok private 0x1000 4
ok "and back" vm ok shared 0x1000 4
ask gmem
gmem=$answer
start_host
host ok hold 1
rules=$tmp/policies.d
mkdir $rules /sys/fs/cgroup/shop
echo $vm >/sys/fs/cgroup/shop/cgroup.procs

# --- integrity ---
ok "lockdown: integrity" lock integrity
# KVM is in use. But a signature is asked for before that is seen.
refuses_module()
{
	! busybox insmod $modules/kvm.ko 2>$err || return
	grep 'not permitted' $err && dmesg | grep 'Lockdown: .*unsigned module loading is restricted'
}
ok "integrity: a module without a signature is refused" refuses_module
for name in faultaround gmem_gate gmem_huge map_converted ratelimit seal template thp_recover; do
	ok "integrity: $name is attached" attaches $name
done
run 0 $policy load template --pid $vm --pin
ok "integrity: memattr-policy update" updates
run 0 $policy detach --pid $vm
for rule in name:vmsh cgroup:/shop; do
	ok "integrity: policies.d, $rule" applies $rule
done
ok "integrity: memattr-policy why" why_names_host
ok "integrity: memattr-top" run 0 build/bin/memattr-top -b -n 1
ok "integrity: it sees the VM" grep "^[0-9:]* *$vm vmsh" $out
ok "integrity: prefault-trace" run 0 build/bin/prefault-trace -b -n 1
ok "integrity: the doctor" diagnosed lockdown note 'modules must be signed' '' $json
# The kernel opens only those files of debugfs that nobody can write.
ok "integrity: debugfs tells of the policy" cat /sys/kernel/debug/kvm/$vm-$vms/memattr_policy
ranges=/sys/kernel/debug/kvm/$vm-$vms/memattr_ranges
ok "integrity: but not of the ranges" eval "[ -e $ranges ] && ! cat $ranges"

# --- confidentiality ---
ok "lockdown: confidentiality" lock confidentiality
for name in faultaround gmem_huge map_converted ratelimit seal template thp_recover; do
	ok "confidentiality: $name is attached" attaches $name
done
run 0 $policy load template --pid $vm --pin
ok "confidentiality: memattr-policy update" updates
ok "confidentiality: memattr-policy show" run 0 $policy show --pid $vm
ok "confidentiality: memattr-policy detach" run 0 $policy detach --pid $vm
for rule in name:vmsh cgroup:/shop; do
	ok "confidentiality: policies.d, $rule" applies $rule
done
ok "confidentiality: gmem_gate" names_lockdown $policy load gmem_gate --pid $vm
ok "confidentiality: memattr-top" names_lockdown build/bin/memattr-top -b -n 1
ok "confidentiality: prefault-trace" names_lockdown build/bin/prefault-trace -b -n 1
ok "confidentiality: an audit" names_lockdown $policy audit
ok "confidentiality: memattr-policy why" names_lockdown $policy why --pid $vm
ok "confidentiality: the doctor" diagnosed lockdown lacks 'cannot read kernel memory' 'lockdown=integrity' $json
host ok release
end_host
end_vm

finish
