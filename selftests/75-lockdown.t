#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that is locked down, on Debian's: "integrity" keeps nothing but modules without a signature from working, and what
# does not work under "confidentiality" says so.
. "$(dirname "$0")/lib/test.sh"
patched=debian
[ "$inside" ] || modules=$(kernel-patches/kernel path debian)/modules || exit 1
in_vm -- env modules="$modules"
. selftests/lib/policy.sh
. selftests/lib/doctor.sh
lockdown=/sys/kernel/security/lockdown
mount -t securityfs securityfs /sys/kernel/security

# lock LEVEL: from here on; a kernel does not go back.
lock() { echo $1 >$lockdown && grep -F "[$1]" $lockdown; }
attaches() { start_loader "$@" --pid $vm && stop_loader; }
# The reason and the next command, and not what the verifier says.
names_lockdown()
{
	fails 3 'kernel lockdown forbids BPF to read kernel memory' 'boot without lockdown=confidentiality' "$@" &&
		lacks 'unknown func\|cannot use helper\|R[0-9]*_w=' $err
}

ok "the kernel is not locked down" grep -F '[none]' $lockdown
start_vm
ok "a conversion" vm ok private 0x1000 4

# --- integrity ---
ok "lockdown: integrity" lock integrity
# KVM is in use. But a signature is asked for before that is seen.
refuses_module()
{
	! busybox insmod $modules/kvm.ko 2>$err || return
	grep 'not permitted' $err && dmesg | grep 'Lockdown: .*unsigned module loading is restricted'
}
ok "integrity: a module without a signature is refused" refuses_module
for name in faultaround gmem_gate map_converted ratelimit seal template thp_recover; do
	ok "integrity: $name is attached" attaches $name
done
ok "integrity: memattr-top" run 0 build/bin/memattr-top -b -n 1
ok "integrity: it sees the VM" grep "^[0-9:]* *$vm vmsh" $out
ok "integrity: prefault-trace" run 0 build/bin/prefault-trace -b -n 1
ok "integrity: the doctor" diagnosed lockdown note 'modules must be signed' '' $json
# The kernel opens only those files of debugfs that nobody can write.
ok "integrity: debugfs tells of the policy" cat /sys/kernel/debug/kvm/$vm-$vms/memattr_policy
ok "integrity: but not of the ranges" eval "! cat /sys/kernel/debug/kvm/$vm-$vms/memattr_ranges"

# --- confidentiality ---
ok "lockdown: confidentiality" lock confidentiality
for name in faultaround map_converted ratelimit seal template thp_recover; do
	ok "confidentiality: $name is attached" attaches $name
done
mkdir $tmp/policies.d
printf '%s\n' '[policy]' 'file = seal' 'vms = name:vmsh' >$tmp/policies.d/10-name.conf
ok "confidentiality: policies.d" run 0 $policy apply $tmp/policies.d
ok "confidentiality: memattr-policy list" run 0 $policy list --json
ok "confidentiality: the policy is in force" json_is 'length == 1 and .[0].policy == "seal"' $out
ok "confidentiality: memattr-policy detach" run 0 $policy detach --pid $vm
ok "confidentiality: gmem_gate" names_lockdown $policy load gmem_gate --pid $vm
ok "confidentiality: memattr-top" names_lockdown build/bin/memattr-top -b -n 1
ok "confidentiality: prefault-trace" names_lockdown build/bin/prefault-trace -b -n 1
ok "confidentiality: an audit" names_lockdown $policy audit
ok "confidentiality: the doctor" diagnosed lockdown lacks 'cannot read kernel memory' 'lockdown=integrity' $json
end_vm

finish
