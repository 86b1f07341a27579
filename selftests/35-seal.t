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
# Each private range must begin and end at an end of the memory, at an end of the window, or inside it.
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

# Sharing goes on for longer than the quiet time. This fails only on a machine that stands still for all of that time.
quiet_s=8
start_loader seal --pid $vm quiet_ms=${quiet_s}000 window2=0x1700000 window2_size=0x1000
shared_all_along()
{
	read -r begin _ </proc/uptime
	while vm ok shared 0x1000 1 || return; do
		read -r now _ </proc/uptime
		[ $((${now%.*} - ${begin%.*})) -le $((quiet_s + 1)) ] || return 0
		sleep 0.2
	done
}
ok "not sealed as long as something is shared, which puts the seal off" shared_all_along
sleep $((quiet_s + 1))
ok "sealed after a while of quiet" vm EPERM shared 0x1003 1
ok "for good" vm EPERM shared 0x1000 1
ok "but for the other window" vm ok shared 0x1700 1
stop_loader
# With a quiet time that never comes, the operator seals.
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

# More VMs than there is room for. No VM has a key like those that fill the map.
fill_map()
{
	awk -v rooms=4096 'BEGIN {
		for (i = 1; i < rooms; i++) {
			printf "map update name seal_vms key hex %02x %02x 0 0 0 0 0 1 value hex", i % 256, i / 256
			for (byte = 0; byte < 24; byte++)
				printf " 0"
			print ""
		}
	}' >$tmp/fill
	run 0 $bpftool batch file $tmp/fill
}
start_loader seal --all quiet_ms=86400000
ok "the first VM has a place in the map" vm ok shared 0x1000 1
ok "other VMs take the rest" fill_map
start_other_vm
ok "a VM that finds no room is governed all the same" state_of $other 'policy: seal'
ok "it is sealed at once" other_vm EPERM shared 0x1000 1
ok "the first VM is not" vm ok shared 0x1000 1
end_other_vm
stop_loader
end_vm
ok "nothing is left" nothing_left
finish
