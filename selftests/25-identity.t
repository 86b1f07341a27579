#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Each VM has a number that no other VM ever gets. fdinfo, debugfs, tracepoints and policies agree on
# it, see identity/identity.c. IDENTITY_VMS=100000 creates more VMs.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 3000 -- env IDENTITY_VMS="${IDENTITY_VMS:-1000}" \
	KERNEL_DIR="$(kernel-patches/kernel path "$patched")"
. selftests/lib/policy.sh
identity=build/selftests/identity/identity

fdinfo()
{
	sed -n "s/^$1:	//p" /proc/$vm/fdinfo/$vms
}

# shows KEY VALUE...: so does the VM's fdinfo.
shows()
{
	while [ $# -gt 0 ]; do
		[ "$(fdinfo "$1")" = "$2" ] || { echo "$1: $(fdinfo "$1"), not $2"; return 1; }
		shift 2
	done
}

subtest "names of a VM" $identity names
subtest "no number twice" $identity unique $IDENTITY_VMS
last=$(echo "$output" | sed -n 's/.* last //p')

# --- a policy, as fdinfo shows it and as it sees the VM ---
start_vm
id=$(fdinfo kvm_vm_id)
ok "no policy" shows memattr_policy none memattr_link_id '' memattr_exit_kind ''
start_loader template --pid $vm
link=$($bpftool -j link | jq '.[] | select(.type == "struct_ops") | .id')
ok "a policy, its link and scope" shows memattr_policy template memattr_link_id "$link" memattr_scope vm \
	memattr_budget_us 0 memattr_exit_policy ''
ok "the policy's key of the VM is the VM's number" [ "$($bpftool -j map dump name template_vms |
	jq '.[0].formatted.key')" = "${id:-unknown}" ]
ok "the loader ends" stop_loader
ok "why the policy left" shows memattr_policy none memattr_exit_policy template memattr_exit_kind detach \
	memattr_exit_code 0
ok "but not by whom, which may be somebody else" shows memattr_exit_text ''
start_loader $policies/fault.bpf.o --pid $vm convert_ret=1000
ok "a conversion under a policy that returns nonsense" vm ok private 0x1000 1
ok "the policy was ejected, and why" shows memattr_policy none memattr_exit_policy fault \
	memattr_exit_kind bad-return memattr_exit_code 1000 \
	memattr_exit_text 'convert() returned 1000, which it must not'
log_has()
{
	dmesg | grep -F "$1"
}
# A worker writes that line.
ok "the kernel log says so, too" soon log_has \
	"kvm: memattr policy 'fault' ejected from VM $id of process $vm: convert() returned 1000, which it must not"
end_loader 10
end_vm

# --- KVM is loaded again ---
reload()
{
	busybox rmmod kvm_amd && busybox rmmod kvm &&
		busybox insmod "$KERNEL_DIR/modules/kvm.ko" && busybox insmod "$KERNEL_DIR/modules/kvm-amd.ko"
}
if [ -e /sys/module/kvm_amd/refcnt ]; then
	ok "KVM is unloaded and loaded again" reload
	subtest "no number twice after that" $identity unique 64
	first=$(echo "$output" | sed -n 's/.*first \([0-9]*\) .*/\1/p')
	ok "the numbers go on: $first is after $last" [ "${first:-0}" -gt "${last:-0}" ]
fi
finish
