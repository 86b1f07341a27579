#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The policies that govern conversions do the same for conversions in place.
. "$(dirname "$0")/lib/test.sh"
in_vm --append kvm.gmem_in_place_conversion=1 --timeout 900
. selftests/lib/walk.sh
walk=$vmsh vmsh=$policies/vmsh
fault=$policies/fault.bpf.o

# has_ranges RANGE...: the VM's attributes, as debugfs lists them.
has_ranges()
{
	printf '%s\n' "$@" | diff - /sys/kernel/debug/kvm/$vm-$vms/memattr_ranges
}

# is_traced PATTERN COMMAND...: the VM does it, and it is the only conversion, with this in its event.
is_traced()
{
	pattern=$1
	shift
	: >$tracing/trace
	echo 1 >$tracing/events/kvm/kvm_memattr_convert/enable
	"$@"
	status=$?
	echo 0 >$tracing/events/kvm/kvm_memattr_convert/enable
	grep kvm_memattr_convert: $tracing/trace
	[ $status -eq 0 ] && [ $(grep -c kvm_memattr_convert: $tracing/trace) = 1 ] &&
		grep -q "kvm_memattr_convert: .*$pattern" $tracing/trace
}
tracing=/sys/kernel/tracing

# --- seal ---
start_vm
vm ok private 0x1000 0x1000
ok "the VM's memory is private" has_ranges '0x1000000-0x2000000 4096 private'
start_loader seal --pid $vm window1=0x1400000 window1_size=0x100000
ok "seal: nothing turns shared, and the event has the reason and both ranges" is_traced \
	"gfns \[0x1008, 0x1009) ino [1-9][0-9]* pages \[0x8, 0x9) reason 1 .*policy seal verdict -1 ret -1 " \
	vm EPERM shared 0x1008 1
ok "nothing has changed" has_ranges '0x1000000-0x2000000 4096 private'
ok "nor was anything zapped" state 'zapped_pages: 4096' 'refused: 1'
ok "the host stays out" vm SIGBUS touch 0x1008
ok "inside of the window it does" vm ok shared 0x14f0 16
ok "and the host gets in" vm ok touch 0x14f0
ok "20000 random attempts: all inside succeed, all others fail" vm ok share-at-random 20000 0x1400 0x100
stop_loader

# --- ratelimit ---
vm ok private 0x1000 0x1000
start_loader ratelimit --pid $vm rate=1 burst=3
ok "ratelimit: the fourth conversion is refused, the error is at the beginning of the range, also elsewhere in the file" \
	vm_at_once 'ok ok ok EAGAIN 0 EAGAIN 0x10000' 'shared 0x1000 1' 'private 0x1000 1' 'shared 0x1000 1' \
	'private 0x1000 8' error-offset 'private 0x1010 8' error-offset
ok "nothing has changed" has_ranges '0x1001000-0x2000000 4095 private'
stop_loader
ok "without it the conversion succeeds" vm ok private 0x1000 8

# --- thp_recover, whose answer to zap() KVM obeys ---
start_loader thp_recover --pid $vm
vm ok shared 0x1000 511
widened=$(cat /sys/kernel/debug/kvm/$vm-$vms/memattr_widened_pages)
ok "thp_recover: the page that makes a block uniform" vm ok shared 0x11ff 1
ok "the rest of the block is zapped, too" state "widened_pages: $((widened + 511))"
stop_loader
start_loader $fault --pid $vm zap_end_add=1000000
ok "a zap outside of the memslot" vm ok private 0x1000 1
ok "ejects the policy" end_loader 10
ok "which is told" state 'policy: none' 'exit_kind: bad-field'
vm ok delete-slot
start_loader seal --pid $vm window1=0x1400000 window1_size=0x100000
ok "seal: nothing turns shared that no memslot maps" vm EPERM shared 0x1400 1
stop_loader
ok "without it, it does" vm ok shared 0x1400 1
end_vm

# --- pages of the file that no memslot maps ---
start_vm
vm ok private 0x1000 0x1000
ok "the memslot is deleted" vm ok delete-slot
# A window of all addresses.
start_loader seal --pid $vm window1=0 window1_size=0xffffffffffffffff
ok "seal: pages without an address lie in no window" vm EPERM shared 0x1008 1
ok "nor do all of them" vm EPERM shared 0x1000 0x1000
ok "to private is allowed" vm ok private 0x1000 0x1000
stop_loader
start_loader ratelimit --pid $vm rate=1 burst=3
ok "ratelimit: the fourth conversion is refused, the error is at the beginning of the range" \
	vm_at_once 'ok ok ok EAGAIN 0' 'shared 0x1000 1' 'private 0x1000 1' 'shared 0x1000 1' 'private 0x1000 8' error-offset
stop_loader
end_vm

# --- policies that map ahead ---
vmsh=$walk
start_vm 4096
start_loader map_converted --pid $vm
vm ok private 0 512
ok "map_converted: the guest touches something else" go read 4000 1
ok "all that became private is mapped by then" test "$faults $mapped" = '1 513'
ok "the guest finds it there" go read 0 512
ok "without a fault" test "$faults $mapped" = '0 0'
vm ok shared 0 512
go read 4001 1
ok "what becomes shared is not mapped" test "$faults $mapped" = '1 1'
end_vm
end_loader 11
start_private 16384
start_loader faultaround --pid $vm
ok "faultaround: a walk takes at most 1/16 of the faults" go read 0 16384
ok "it did" test $faults -le 1024 -a $mapped -ge 16384
end_vm
end_loader 11
ok "nothing is left" nothing_left
finish
