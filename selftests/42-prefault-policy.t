#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Policies that map memory ahead: what faultaround and map_converted gain, and what the kernel makes
# of proposals that are wrong or too large. The guest, which checks its data, is policy/walk.c.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 900
. selftests/lib/walk.sh
fault=$policies/fault.bpf.o
walk_pages=16384	# 64 MiB
touches=8192		# of 1 GiB

# renew [FIRST PAGES]: nothing is mapped, and only these pages are private, or all.
renew()
{
	vm ok shared 0 16384 && vm ok private ${1:-0} ${2:-16384}
}

# takes FAULTS MAPPED COMMAND...: checks the number of faults, and of pages that are then mapped.
takes()
{
	expected_faults=$1 expected_mapped=$2
	shift 2
	go "$@" && [ "$faults $mapped" = "$expected_faults $expected_mapped" ]
}

# at_most FAULTS MAPPED COMMAND...: like takes, but the numbers are upper limits.
at_most()
{
	most_faults=$1 most_mapped=$2
	shift 2
	go "$@" && [ $faults -le $most_faults ] && [ $mapped -le $most_mapped ]
}

# --- walks ---
start_private
ok "no policy: a fault for each page of a walk" takes $walk_pages $walk_pages read 0 $walk_pages
end_vm
start_private
go random 1 $touches
ok "no policy: a fault for each page of a random walk" test $faults = $touched -a $mapped = $touched
end_vm

start_private
start_loader faultaround --pid $vm
ok "faultaround is loaded" expr "$attached" : 'faultaround: attached'
ok "a walk takes at most 1/16 of the faults" \
	at_most $((walk_pages / 16)) $((walk_pages + 512)) read 0 $walk_pages
note '^#'
ok "the guest writes to all of it" at_most 0 0 write 0 $walk_pages
ok "and finds it again" at_most 0 0 read 0 $walk_pages
ok "a walk in steps of three pages gains nothing" at_most 4096 4096 every 3 100000 12288
note '^#'
end_vm
end_loader 11
start_private
start_loader faultaround --pid $vm
go random 1 $touches
ok "a random walk has at most 10 % more mapped than touched" test $((mapped * 10)) -le $((touched * 11))
ok "then a walk is followed again" at_most $((walk_pages / 16)) $((walk_pages + 512)) read 200000 $walk_pages
note '^#'
ok "back over what was touched at random" go read 0 200000
note '^#'
end_vm
end_loader 11
# The policy may not allocate.
start_private
start_loader faultaround --pid $vm alloc=no
ok "alloc=no: what is not there is not mapped" takes 1024 1024 read 0 1024
vm ok allocate 4096 1024
ok "what is there is" at_most 64 1024 read 4096 1024
note '^#'
end_vm
end_loader 11
# The policy leaves shared memory alone.
start_vm
start_loader faultaround --pid $vm
vm ok private 1 1
ok "it is not asked about shared memory" go read 0 512
ok "but about the private page, and its conversion" state 'policy_calls: 2'
end_vm
end_loader 11

# --- conversions ---
start_vm
ok "no policy: accepting memory takes a fault for each page" \
	takes $walk_pages $walk_pages accept 0 $walk_pages
end_vm
start_vm
start_loader map_converted --pid $vm
ok "map_converted is loaded" expr "$attached" : 'map_converted: attached'
ok "accepting memory takes at most 1/100 of the faults" \
	at_most $((walk_pages / 100)) $walk_pages accept 0 $walk_pages
note '^#'
ok "the guest finds what it has written" takes 0 0 read 0 $walk_pages
ok "conversions are not refused" state 'refused: 0' 'policy: map_converted'
vm ok shared 0 $walk_pages
ok "all of it, back at once: is left alone" vm ok private 0 $walk_pages
ok "and costs its faults" takes $walk_pages $walk_pages read 0 $walk_pages
ok "the other way nothing is mapped" vm ok shared 0 512
vm ok shared 512 512
ok "and shared memory is found" go read 0 1024
vm ok private 100 3
ok "three pages" takes 0 3 read 100 3
end_vm
end_loader 11
# The policy has no other callback that would be counted.
start_vm 16384
start_loader map_converted --pid $vm
vm ok private 0 512
vm ok private 0 512
vm ok private 256 512
vm ok shared 0 512
ok "it is asked when something becomes private, not if all was, or becomes shared" \
	state 'policy_calls: 2'
end_vm
end_loader 11

# --- what must not be proposed ---
# ejected KIND CODE PARAMETER=VALUE...: checks that the guest goes on without the policy, and why.
ejected()
{
	kind=$1 code=$2
	shift 2
	renew || return 1
	start_loader $fault --pid $vm "$@" || return 1
	takes 100 100 read 100 100 && state 'policy: none' || { stop_loader; return 1; }
	end_loader 10 && takes 100 100 read 300 100 &&
	grep -Eq "^memattr-policy: fault: the kernel ejected it from VM $vm-$vms \(walk\): $kind $code: " \
		$err &&
	state 'policy: none' 'exit_policy: fault' "exit_kind: $kind" "exit_code: $code" \
		'exit_text: prefault() ?*'
}
start_private 16384
gfn=$((0x2000 + 100))
ok "prefault returns a positive number" ejected bad-return 1 prefault_ret=1
ok "prefault returns an errno" ejected bad-return -12 prefault_ret=-12
ok "prefault asks to be ejected" ejected request 0 prefault_ret=-125
ok "the window is turned around" ejected bad-field $((gfn + 1)) window_start_add=1
ok "far" ejected bad-field $((gfn + 4096)) window_start_add=4096 window_end_add=-50
ok "it begins below 0, which is far above" ejected bad-field $((gfn - 1000000)) \
	window_start_add=-1000000
ok "unknown flags" ejected bad-field 2 window_end_add=10 window_flags=2
ok "with known ones" ejected bad-field 3 window_end_add=10 window_flags=3
ok "all of them, for an empty window" ejected bad-field 4294967295 window_flags=4294967295
ok "prefault exceeds its budget" ejected budget '[0-9]*' --budget-us 20000 turns=8M
end_vm

# --- what is clamped ---
# maps PAGES PAGE PARAMETER=VALUE...: checks how many pages a fault of PAGE maps, and that the policy
# stays.
maps()
{
	pages=$1 page=$2
	shift 2
	renew || return 1
	start_loader $fault --pid $vm "$@" || return 1
	takes 1 $pages read $page 1 && state 'policy: fault' && stop_loader
}
alloc=window_flags=1
start_private 16384
ok "nothing proposed: the page" maps 1 5000 $alloc
ok "a window" maps 101 5000 window_start_add=1 window_end_add=101 $alloc
ok "one before it" maps 101 5000 window_start_add=-100 $alloc
ok "one around it, over 2 MiB boundaries" maps 512 5000 window_start_add=-200 window_end_add=312 $alloc
ok "one that begins before the memslot" maps 100 0 window_start_add=-100 window_end_add=100 $alloc
ok "one that ends beyond it" maps 101 16383 window_start_add=-100 window_end_add=100 $alloc
ok "one that lies before it" maps 1 100 window_start_add=-8000 window_end_add=-7000 $alloc
ok "one that lies beyond it" maps 1 100 window_start_add=20000 window_end_add=21000 $alloc
ok "one of 513 pages" maps 512 5120 window_end_add=513 $alloc
ok "one of 2000 pages" maps 512 5000 window_start_add=-1000 window_end_add=1000 $alloc
# Nothing of the next memslot is mapped, although its memory is private, too.
vm ok more 512
ok "one that ends in the next memslot" maps 101 16383 window_start_add=-100 window_end_add=100 \
	$alloc
ok "all that there is" maps 512 5000 window_start_add=-8000 window_end_add=1000000 $alloc
ok "2000 pages elsewhere" maps 513 5000 window_start_add=2000 window_end_add=4000 $alloc
shared_maps()
{
	renew && vm ok shared 6000 10 || return 1
	start_loader $fault --pid $vm window_end_add=100 $alloc || return 1
	takes 1 90 read 5990 1 && state 'policy: fault' && stop_loader
}
ok "one with shared pages in it: without these" shared_maps
begins_shared()
{
	start_loader $fault --pid $vm window_start_add=1 window_end_add=100 $alloc || return 1
	takes 1 1 read 10 1 && state 'policy: fault' && stop_loader
}
vm ok shared 0 16384
vm ok private 0 11
ok "one that is shared altogether: nothing of it" begins_shared

# --- what is not there ---
# Prints the file pages of the whole machine. The guest's are among them, and little else changes.
file_pages()
{
	echo 1 >/proc/sys/vm/stat_refresh
	while read -r name value; do
		[ $name != nr_file_pages ] || echo $value
	done </proc/vmstat
}
allocated()
{
	before=$(file_pages)
	vm ok punch 0 16384 && renew || return 1
	before=$(file_pages)
	start_loader $fault --pid $vm "$@" || return 1
	go every 512 0 16384 || return 1
	after=$(file_pages)
	stop_loader
	echo "# $((after - before)) pages allocated, $mapped mapped"
}
ok "32 windows of 2 MiB, allocated" allocated window_end_add=512 $alloc
note '^#'
ok "are there" test $((after - before)) -gt 16000 -a $mapped = 16384
ok "32 windows of 2 MiB, not allocated" allocated window_end_add=512
note '^#'
ok "are not" test $((after - before)) -lt 1000 -a $mapped = 32
# What the kernel gets back from the guest now, and gives it again, isn't zero.
go write 0 4096
vm ok punch 0 16384
renew
vm ok allocate 5000 50
start_loader $fault --pid $vm window_end_add=512
ok "of what is there, what follows without a gap is mapped" takes 1 50 read 5000 1
stop_loader
ok "which reads as zero" takes 0 0 read 5000 50

# --- other reasons ---
vm ok shared 0 16384
start_loader $fault --pid $vm window_end_add=200 $alloc
ok "a conversion" vm ok private 1024 512
ok "maps nothing by itself" takes 0 200 read 1024 200
ok "but when the guest goes on, up to the window's end" takes 1 200 read 1224 200
vm ok shared 0 16384
ok "a conversion that begins outside of memslots" vm ok before 16 32
ok "has mapped what lies inside of one" takes 0 32 read 0 32
renew 1024 512
ok "KVM_PRE_FAULT_MEMORY" takes 0 1 prefault 1500 1
ok "too" takes 0 35 read 1500 36
ok "that is where private memory ends" state 'policy: fault'
# A signal ends a window; of one that nobody has begun with, nothing is lost.
renew 1024 512
ok "a conversion, and a signal is pending when the guest is about to go on" takes 0 0 signalled
ok "has it mapped when it does" takes 0 200 read 1024 200
# No window survives its policy, and one that goes too far leaves none.
renew 1024 512
ok "a conversion, and the policy leaves" stop_loader
ok "maps nothing" takes 100 100 read 1024 100
start_loader $fault --pid $vm --budget-us 20000 turns=8M window_end_add=36 $alloc
ok "KVM_PRE_FAULT_MEMORY, and the policy exceeds its budget" takes 0 1 prefault 1300 1
ok "it is ejected" end_loader 10
ok "has nothing mapped, either" takes 35 35 read 1300 36
# Policies that come and go by an update are asked as others are.
renew
start_loader template --pid $vm
ok "an update from a policy that maps nothing" \
	run 0 $policy update $fault --pid $vm window_end_add=200 $alloc
ok "to one that does" takes 1 200 read 2000 200
ok "and back" run 0 $policy update template --pid $vm
ok "nothing is mapped ahead" takes 200 200 read 3000 200
stop_loader
end_vm
start_private 16384
start_loader $fault --pid $vm window_end_add=512 $alloc
ok "windows of 2 MiB, and signals" go signals 500 512 0 16384
note '^#'
ok "that end some of them early" test $mapped -lt 16384
stop_loader
end_vm
# With several vCPUs, the one that is about to enter the guest maps the window.
start_vm 16384 1
start_loader $fault --pid $vm window_end_add=200 $alloc
vm ok private 0 200
ok "a conversion by the second vCPU's thread" takes 0 200 read 0 200
stop_loader
end_vm

# --- while memory changes ---
# under WHAT POLICY...: checks that guests find their data under a policy that maps everything ahead.
under()
{
	what=$1
	shift
	start_loader "$@"
	ok "$what: attributes change while vCPUs run" run 0 build/selftests/attributes/attributes race 3
	ok "$what: holes are punched, and pages pre-faulted" run 0 build/selftests/prefault/prefault holes 200
	ok "$what: attributes flip, and pages are pre-faulted" run 0 build/selftests/prefault/prefault flips 500
	ok "$what: memslots come and go" run 0 build/selftests/prefault/prefault slots 10
	ok "$what: the loader ends" stop_loader
}
under faultaround faultaround --all
under map_converted map_converted --all
under 'windows around all' $fault --all window_start_add=-100 window_end_add=100 $alloc
start_loader $fault --all window_end_add=200 $alloc
ok "vCPUs in L2" run 0 build/selftests/prefault/prefault nested
stop_loader
ok "nothing is left" nothing_left
finish
