#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's own kernel with the modules of the series: what our BPF objects read of KVM's structs is right, although
# vmlinux describes other ones.
. "$(dirname "$0")/lib/test.sh"
patched=debian
in_vm
. selftests/lib/policy.sh

# --- the kernel ---
ok "the kernel is Debian's" expr "$(uname -r)" : '6\.12\..*+deb[0-9.]*-amd64$'
# 1 << 12 and 1 << 13: from elsewhere, and unsigned. A warning would be another bit.
ok "its taint says no more than that KVM is not its own" [ "$(cat /proc/sys/kernel/tainted)" = $((1 << 12 | 1 << 13)) ]

# Without that the rest could not fail.
btf=/sys/kernel/btf
$bpftool btf dump file $btf/vmlinux >$tmp/vmlinux
$bpftool btf dump file $btf/kvm -B $btf/vmlinux >$tmp/kvm
ok "vmlinux has a struct kvm" grep -q "STRUCT 'kvm' " $tmp/vmlinux
ok "and the module another one" grep -q "STRUCT 'kvm' " $tmp/kvm
# members FILE: the members of struct kvm, each with its offset.
members()
{
	sed -n "/STRUCT 'kvm' /,/^\[/s/^\t'\([a-z_0-9]*\)'.* bits_offset=\([0-9]*\).*/\1 \2/p" $1 | sort
}
members $tmp/vmlinux >$tmp/old-members
members $tmp/kvm >$tmp/new-members
# Tracers take vmlinux's. The xarray of attributes made way for the VM's number.
no_member_moves()
{
	grep -q '^userspace_pid ' $tmp/old-members && grep -q '^id ' $tmp/new-members &&
		comm -23 $tmp/old-members $tmp/new-members >$tmp/moved && cat $tmp/moved &&
		[ "$(cut -d ' ' -f 1 $tmp/moved)" = mem_attr_array ]
}
ok "no member of vmlinux's is elsewhere in the module's" no_member_moves

# --- what is read there ---
# No loader keeps the types in memory.
keeps_no_types()
{
	ls -l /proc/$1/fd >$tmp/fds && lacks kvm-btf $tmp/fds
}

start_vm
$policy audit --json min_pages=1 >$tmp/record 2>$err 6>&- 7<&- 8>&- 9<&- &
audit=$!
while ! [ -s $tmp/record ] && kill -0 $audit 2>/dev/null; do
	sleep 0.1
done
ok "an audit that has started keeps no types" keeps_no_types $audit
ok "a conversion" vm ok private 0x1000 4
sees_vm() { run 0 build/bin/memattr-top -b -n 2 && grep -q "^[0-9:]* *$vm vmsh" $out; }
ok "memattr-top sees the VM" sees_vm
kill $audit
wait $audit
record_names_vm()
{
	cat $tmp/record
	jq -es "map(select(.event == \"converted\")) | length == 1 and
		.[0].pid == $vm and .[0].vm_fd == $vms" $tmp/record
}
ok "the audit's record has the VM's process and descriptor" record_names_vm

# They read members that vmlinux does not have, and the second one statistics.
for name in template faultaround; do
	start_loader $name --pid $vm
	ok "$name: its loader keeps no types" keeps_no_types $loader
	ok "$name: a conversion under it" vm ok shared 0x1000 4
	ok "$name: another one" vm ok private 0x1000 4
	stop_loader
done
id=$(sed -n 's/^kvm_vm_id:	//p' /proc/$vm/fdinfo/$vms)
start_loader template --pid $vm
ok "template's key of the VM is the VM's number" [ "$($bpftool -j map dump name template_vms |
	jq '.[0].formatted.key')" = "$id" ]
stop_loader
end_vm
finish
