#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In a VM: what all tools take for the VMs of a host is the same on every kernel but for KVM's numbers.
cd "$(dirname "$0")/../.." || exit 1
tmp=/tmp
. selftests/lib/tap.sh
. selftests/lib/policy.sh
vmsh=build/selftests/identity/held
list=build/selftests/tools/list-vms

# start MODE
start()
{
	start_vm $1
	fd=${vms% *} extra=${vms#* }
}

# lists LINE...: these are the VMs, in this order, as patterns; LINE is what follows the number.
lists()
{
	run 0 $list $of && [ ! -s $err ] && [ $(wc -l <$out) -eq $# ] || return 1
	for expected in "$@"; do
		read -r place _ id rest
		# shellcheck disable=SC2254 # it is a pattern
		case "$place $rest" in
		$expected) ;;
		*) echo "'$place $rest' is not '$expected'"; return 1 ;;
		esac
		case $id in
		none) numbers=no ;;
		*) numbers=$id ;;
		esac
	done <$out
}

for mode in plain dup fork; do
	start $mode
	ok "$mode: one VM" lists "$vm-$fd dir $vm-$fd creator $vm held VM there held"
	[ $mode != fork ] || of=$extra
	ok "$mode: and one of whoever has it" lists "$vm-$fd dir $vm-$fd creator $vm held VM there held"
	of=
	end_vm
done
start thread
ok "thread: its creator has ended" lists "$vm-$fd dir $extra-$fd creator $extra held VM there held"
ok "thread: another process has its number" vm ok child-as $extra
ok "thread: it is not that one's" lists "$vm-$fd dir $extra-$fd creator $extra held VM there held"
end_vm
start reuse
ok "reuse: two VMs, of which the older has the folder" lists "$vm-$fd dir none creator $vm held VM there held" \
	"$vm-$extra dir $vm-$fd creator $vm held VCPU there held"
end_vm
for kind in vm vcpu stats gmem; do
	start keep-$kind
	ok "keep-$kind: as long as its VMM lives, it is the VMM's" \
		lists "$vm-$fd dir $vm-$fd creator $vm held VM there held"
	end_vm
	kept="$extra-* dir $vm-$fd creator $vm held $(echo $kind | tr '[:lower:]' '[:upper:]') gone keeper (VMM gone)"
	ok "keep-$kind: then it outlives it, and by whom it is held" lists "$kept"
	of=$extra
	ok "keep-$kind: which is one of that process's" lists "$kept"
	of=
	kill -KILL $extra
	while [ -e /sys/kernel/debug/kvm/$vm-$fd ]; do
		sleep 0.1
	done
	ok "keep-$kind: no VM is left" lists
done
echo "# the last number: $numbers"
finish
