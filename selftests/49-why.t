#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# memattr-policy why: who uses a page that cannot become private, in words and as JSON. policy/hostsh.c is the
# one who uses it.
. "$(dirname "$0")/lib/test.sh"
in_vm --append kvm.gmem_in_place_conversion=1
. selftests/lib/policy.sh

# start_why ARGUMENT...: returns when it waits or has failed.
start_why()
{
	: >$err
	$policy why "$@" >$out 2>$err 6>&- 7<&- 8>&- 9<&- &
	why=$!
	while kill -0 $why 2>/dev/null && ! grep -q waiting $err; do
		sleep 0.1
	done
}

# end_why STATUS
end_why()
{
	wait $why
	status=$?
	[ $status -eq $1 ] || { echo "exit status $status, not $1"; return 1; }
}

# reports: it ends with a report.
reports()
{
	end_why 0 && [ -s $out ]
}

# explains ARGUMENT... -- COMMAND...: the VM does it meanwhile, and the page is reported.
explains()
{
	arguments=
	while [ "$1" != -- ]; do
		arguments="$arguments $1"
		shift
	done
	shift
	start_why --pid $vm $arguments && vm "$@" && reports
}

# says LINE...: the report has these lines, which are patterns.
says()
{
	for line in "$@"; do
		grep -qx -- "$line" $out || { echo "no '$line'"; return 1; }
	done
}

# is FILTER: jq's FILTER is true of the report.
is()
{
	json_is "$1" $out
}

start_vm 1 -name web
ask gmem
gmem=$answer
ask address 0x1005
address=$answer
start_host
hex='0x[0-9a-f]*'

# --- a registered buffer of io_uring ---
host ok hold 5
ok "a buffer of io_uring" explains -- EAGAIN private 0x1000 16
ok "which page, and who asked" says \
	"VM $vm-$vms (web): the page at gpa 0x1005000, offset 0x5000 of the guest_memfd (inode [1-9][0-9]*)," \
	"could not become private: it is in use. Process $vm (vmsh) got EAGAIN\."
ok "a pin" says 'References to the page: 1' '  1 pin: for I/O, .*'
ok "both processes that have mapped it" says "  $vm (vmsh) at $address" "  $host (hostsh) at $hex"
ok "only one has registered it" says '    has registered it as a buffer with io_uring, descriptor [0-9]*'
# uses_io_uring: prints for whom the report says so, of those it names.
uses_io_uring()
{
	awk '/^  [0-9]+ \(/ { pid = $1 } /with io_uring/ { print pid }' $out
}
ok "which is the one that did" test "$(uses_io_uring)" = $host
ok "what to do" says '.*unregister the buffer from io_uring,'
ok "it is not a pipe" lacks pipe $out
ok "as JSON" explains --json -- EAGAIN private 0x1003 5
ok "which page" is ".pid == $vm and .vm_fd == $vms and .name == \"web\" and .gpa == $((0x1005000)) and
	.offset == $((0x5000)) and .inode > 0 and .asker_pid == $vm and .asker_command == \"vmsh\""
ok "how it is held" is '.references == 1 and .pins == 1 and .other == 0 and .mapped == 0 and (.locked | not)'
ok "by whom" is "(.mappers | length) == 2 and (.more_mappers | not) and
	(.mappers[] | select(.pid == $host) | .io_uring_fd != null and .command == \"hostsh\") and
	(.mappers[] | select(.pid == $vm) | .io_uring_fd == null and .address == $((address)))"
host ok release
ok "released, it can become private" vm ok private 0x1000 16
vm ok shared 0x1000 16

# --- a pipe ---
host ok splice 7
ok "a page in a pipe" explains -- EAGAIN private 0x1000 16
ok "the page" says "VM .* gpa 0x1007000, offset 0x7000 .*"
ok "not a pin" says '  1 other: a pipe that has the page, a system call that copies it, or a page fault'
ok "whose pipe" sh -c "grep -A1 '^  $host ' $out | grep -q pipes"
ok "what to do" says '  Convert again: page faults and system calls end by themselves\.' \
	'  If the page is still in use, read it out of the pipe, or close the pipe\.'
ok "no word of a device" lacks 'IOMMU\|io_uring' $out
host ok drain

# --- both, and others ---
host ok hold 9
host ok splice 9
ok "a pin and a pipe" explains --json -- EAGAIN private 0x1000 16
ok "two references" is '.references == 2 and .pins == 1 and .other == 1'
host ok drain
host ok release
for i in 1 2 3 4; do
	$policies/hostsh $vm $gmem 16 <$tmp/guest-in >$tmp/host-$i 3<&- 4>&- 6>&- 7<&- 8>&- 9<&- &
done
exec 4>$tmp/guest-in
while ! grep -q host $tmp/host-1 || ! grep -q host $tmp/host-2 || ! grep -q host $tmp/host-3 ||
	! grep -q host $tmp/host-4; do
	sleep 0.1
done
host ok hold 2
ok "six processes" explains --json -- EAGAIN private 0x1000 16
ok "it says that there are more than it names" is '(.mappers | length) == 4 and .more_mappers'
exec 4>&-
host ok release

# --- another VM, other ends ---
start_why --pid $vm --timeout 3
ok "nothing is held: conversions succeed" vm ok private 0x1000 16
ok "and the wait ends with status 7" end_why 7
ok "which is told" grep -q "no conversion of VM $vm-$vms (web) failed meanwhile" $err
ok "and nothing else" test ! -s $out
vm ok shared 0x1000 16
start_why --pid $vm
kill -TERM $why
ok "so does a signal" end_why 7
host ok hold 0
start_why --pid $vm
vm EAGAIN private 0x1000 1
ok "one report, whatever else fails" reports
host ok release
end_host
start_why --pid $vm
end_vm
ok "the VM's end: status 11" end_why 11

# --- what can be wrong or missing ---
start_vm
nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
ok "no process is given" fails 2 'give --pid' 'help' $policy why
ok "no such process" fails 4 'there is no process 999999' 'memattr-policy show' $policy why --pid 999999
ok "not a VM" fails 4 'descriptor 0 of process' 'memattr-policy show' $policy why --pid $vm --vm 0
ok "not root" fails 3 'takes CAP_BPF and CAP_PERFMON' 'run it as root' $nobody $policy why --pid $vm
ok "no BTF" fails 3 'the kernel has no BTF' 'CONFIG_DEBUG_INFO_BTF=y' \
	unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $policy why --pid $vm"
not_in_place()
{
	echo N >$tmp/parameter
	fails 3 'KVM does not convert in place here' 'kvm.gmem_in_place_conversion=1' unshare -m sh -c \
		"mount --bind $tmp/parameter /sys/module/kvm/parameters/gmem_in_place_conversion &&
		exec $policy why --pid $vm"
}
ok "a kernel that does not convert in place" not_in_place
end_vm
finish
