#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# seal: after the seal nothing turns shared outside of the windows, and all that is asked for inside.
. "$(dirname "$0")/lib/test.sh"
in_vm -- env SEAL_ATTEMPTS="$SEAL_ATTEMPTS"
. selftests/lib/policy.sh
attempts=${SEAL_ATTEMPTS:-100000}

start_vm
vm ok private 0x1000 0x1000
start_loader seal --pid $vm window1=0x1400000 window1_size=0x100000
ok "sealed when attached: nothing turns shared" vm EPERM shared 0x1000 1
ok "not even by a page that leaves the window" vm EPERM shared 0x14f8 16
ok "inside of the window it does" vm ok shared 0x14f0 16
ok "and back to private, as everywhere" vm ok private 0x1000 0x1000
ok "$attempts random attempts: all inside succeed, all others fail" \
	vm ok share-at-random $attempts 0x1400 0x100
# All that is private begins or ends at an end of the memory, of the window, or inside of the window.
ranges_are_private_outside()
{
	below= above=
	while read -r range _; do
		case $range in
		0x1000000-0x14?????|0x1000000-0x1500000) below=1 ;;
		0x14?????-0x2000000|0x1500000-0x2000000) above=1 ;;
		0x14?????-0x14?????|0x14?????-0x1500000) ;;
		*) echo "unexpected range $range"; return 1 ;;
		esac
	done </sys/kernel/debug/kvm/$vm-$vms/memattr_ranges
	[ "$below" ] && [ "$above" ]
}
ok "what is shared now lies in the window" ranges_are_private_outside
stop_loader
ok "without the policy it turns shared" vm ok shared 0x1000 0x1000

start_loader seal --pid $vm quiet_ms=6000 window2=0x1700000 window2_size=0x1000
ok "not sealed yet" vm ok shared 0x1000 1
sleep 4
ok "as long as something is shared" vm ok shared 0x1001 1
sleep 4
ok "which puts the seal off" vm ok shared 0x1002 1
sleep 7
ok "sealed after a while of quiet" vm EPERM shared 0x1003 1
ok "for good" vm EPERM shared 0x1000 1
ok "but for the other window" vm ok shared 0x1700 1
stop_loader
# A quiet time that never comes leaves it to the operator.
start_loader seal --pid $vm quiet_ms=86400000
ok "not sealed yet" vm ok shared 0x1000 16
ok "the operator seals it" run 0 $policy update seal --pid $vm window1=0x1400000 window1_size=0x100000
ok "sealed at once" vm EPERM shared 0x1001 1
ok "but for the window" vm ok shared 0x1400 1
ok "the operator opens it again" run 0 $policy update seal --pid $vm quiet_ms=86400000
ok "it is open" vm ok shared 0x1001 1
stop_loader
ok "a window beyond all addresses is refused" fails 2 'out of its range' 'params' \
	$policy load seal --pid $vm window1=0xfffffffffffff000 window1_size=0x2000
end_vm
ok "nothing is left" nothing_left
finish
