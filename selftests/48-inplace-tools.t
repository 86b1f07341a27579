#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The tools tell the same of conversions by the VM's ioctl and of those in place. The same script runs in a VM of
# each kind.
. "$(dirname "$0")/lib/test.sh"

# in_mode PARAMETER: all that follows, in a VM.
in_mode()
{
	selftests/vm/run --kernel "$patched" --append kvm.gmem_in_place_conversion=$1 -- env CONVERTS=$1 "$script" in-vm
}

if [ -z "$inside" ]; then
	for in_place in 0 1; do
		subtest "kvm.gmem_in_place_conversion=$in_place" in_mode $in_place
	done
	finish
	exit
fi
. selftests/lib/walk.sh
walk=$vmsh vmsh=$policies/vmsh
top=build/bin/memattr-top
trace=build/bin/prefault-trace
record=$tmp/record
in_place=${CONVERTS#0}

# watch COMMAND...: a tool in the background, with its output in $record. Returns when it counts.
watch()
{
	: >$record
	"$@" >$record 2>$err 6>&- 7<&- 8>&- 9<&- &
	watcher=$!
	while kill -0 $watcher && ! grep -q . $record $err; do
		sleep 0.1
	done
}

end_watch()
{
	kill -TERM $watcher
	wait $watcher
}

# column NAME: of the last line of a table.
column()
{
	awk -v name=$1 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i } END { print $column }' $record
}

# columns NAME=VALUE...
columns()
{
	for pair in "$@"; do
		value=$(column ${pair%%=*})
		[ "$value" = "${pair#*=}" ] || { echo "${pair%%=*} is $value"; cat $record; return 1; }
	done
}

start_host()
{
	start_by_hand 6 7 $policies/hostsh $vm $gmem ${1:-16}
}

end_host()
{
	exec 6>&- 7<&-
	wait $started
}

# --- conversions ---
start_vm 1 -name web
ask gmem
gmem=$answer
watch $top -b --totals -d 600
vm ok private 0x1000 64
vm ok private 0x1000 64
vm ok shared 0x1010 16
start_loader seal --pid $vm
vm EPERM shared 0x1000 8
end_watch
stop_loader
ok "memattr-top: conversions, pages asked for and changed, zaps, refusals" columns NAME=web PID=$vm \
	TO_PRIV=1 TO_SHARED=1 EFF_PG=80 REQ_PG=152 ZAP_PG=80 DENIED=1 HELD=0 POLICY=seal
ok "and latencies" expr "$(column P50_us)" : '[0-9]*[.][0-9]'
ok "debugfs: what is private" sh -c "printf '%s\n' '0x1000000-0x1010000 16 private' '0x1020000-0x1040000 32 private' |
	diff - /sys/kernel/debug/kvm/$vm-$vms/memattr_ranges"

watch $policy audit --json min_pages=8
vm ok private 0x1010 16
start_loader seal --pid $vm
vm EPERM shared 0x1008 4
end_watch
stop_loader
# is COUNT FILTER: so many events are like this.
is()
{
	[ "$(jq -s "map(select($2)) | length" $record)" = $1 ] || { cat $record; return 1; }
}
ok "audit: a conversion" is 1 '.event == "converted" and .direction == "private" and .gpa == 16842752 and
	.bytes == 65536 and .pages == 16 and .effective_pages == 16'
ok "a refusal" is 1 '.event == "refused" and .gpa == 16809984 and .pages == 4 and .policy == "seal"'
if [ "$in_place" ]; then
	ok "where it is in the file" is 1 '.event == "refused" and .inode > 0 and .offset == 32768'
else
	ok "not in place" is 1 '.event == "refused" and .inode == null and .offset == null'
fi

# --- what only is in place ---
if [ "$in_place" ]; then
	vm ok shared 0x1000 64
	start_host
	watch $top -b --totals -d 600
	host_says()
	{
		vm "$@" 8>&6 9<&7
	}
	host_says ok hold 5
	vm EAGAIN private 0x1000 16
	vm EAGAIN private 0x1004 2
	end_watch
	ok "memattr-top: conversions that failed because a page was in use" columns TO_PRIV=0 HELD=2 DENIED=0 REQ_PG=18
	watch $policy audit
	vm EAGAIN private 0x1004 2
	end_watch
	ok "audit: such a failure" grep -q \
		"failed private 0x1004000-0x1006000 8192 bytes 2 pages in place at offset 0x4000: EAGAIN, a page is in use$" \
		$record
	host_says ok release
	# Its own VM is all that such a process has of KVM's. The first event of this one comes from another process.
	end_host
	vm ok shared 0x1000 64
	watch $top -b --totals -d 600
	start_host 0
	host_says ok convert 0 8
	end_watch
	ok "memattr-top: whoever asks, it is the VM's" columns NAME=web PID=$vm TO_PRIV=1 EFF_PG=8
	end_host
	ask delete-slot
	watch $policy audit --json min_pages=1
	vm ok shared 0x1000 8
	end_watch
	ok "audit: pages that no memslot maps" is 1 '.event == "converted" and .gpa == null and .offset == 0 and
		.effective_pages == 8 and .direction == "shared"'
fi
end_vm

# --- faults, and what is mapped ahead ---
vmsh=$walk
start_vm 4096
start_loader map_converted --pid $vm
watch $trace -b --totals -d 600
vm ok private 0 512
go read 0 600
vm ok shared 0 512
vm ok private 1024 512
go read 700 1
vm ok shared 1024 512
end_watch
if [ "$in_place" ]; then
	shared=89	# each shared page that is touched has a fault
else
	shared=1	# a huge page
fi
ok "prefault-trace: faults, and the use of what was mapped ahead" columns FAULTS=$shared PRIVATE=0 SHARED=$shared \
	NEW_PG=1024 WINDOWS=2 WANTED_PG=1024 GRANTED_PG=1024 TOUCHED_PG=512 UNUSED_PG=512
end_vm
end_loader 11
start_private 1024
watch $trace -b --totals -d 600
go read 0 1024
end_watch
ok "prefault-trace: private faults" columns FAULTS=1024 PRIVATE=1024 SHARED=0 AT_4K=1024
end_vm
finish
