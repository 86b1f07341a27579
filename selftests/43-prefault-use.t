#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What became of memory that was mapped ahead: the kernel's count of pages that the guest has touched, or
# that were mapped for nothing; what faultaround makes of it; and what the VMM's memory cgroup is left
# with. The guest, which checks its data, is policy/walk.c.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 900
. selftests/lib/walk.sh
fault=$policies/fault.bpf.o
cgroups=/sys/fs/cgroup

# What the kernel says of the VM: pages $prefaulted, $unused, $untouched.
read_use()
{
	for file in /sys/kernel/debug/kvm/$vm-*/mmu_prefault_stat; do
		while read -r figure value; do
			eval "$figure=$value"
		done <$file
	done
}

# use PREFAULTED UNUSED UNTOUCHED: checks these counts, and that the statistics agree.
use()
{
	read_use
	for file in /sys/kernel/debug/kvm/$vm-*/prefaulted_pages; do
		read -r stat_pages <$file
		read -r stat_unused <${file%_pages}_unused
	done
	echo "mapped ahead $prefaulted, unused $unused, untouched $untouched; $stat_pages, $stat_unused"
	[ "$prefaulted $unused $untouched $stat_pages $stat_unused" = "$1 $2 $3 $1 $2" ]
}

# --- KVM_PRE_FAULT_MEMORY ---
start_private 16384
ok "nothing is mapped ahead" use 0 0 0
go read 1000 100
ok "nor is what the guest has touched itself" use 0 0 0
go prefault 0 512
ok "a pre-fault: no page counts as touched" use 512 0 512
go prefault 0 512
ok "once more: nothing is new" use 512 0 512
go read 0 100
ok "the guest touches some of it" use 512 0 412
ok "without a fault" test $faults = 0
vm ok shared 50 100
ok "a conversion of 50 touched and 50 untouched pages" use 512 50 362
vm ok punch 200 12
ok "a hole" use 512 62 350
go read 200 12
ok "the guest fills it" use 512 62 350
go prefault 195 30
ok "a pre-fault over it: the pages are there" use 512 62 350
go write 300 12
ok "the guest writes" use 512 62 338
go prefault 990 20
ok "half of what is mapped ahead was mapped" use 522 62 348
vm ok shared 0 16384
ok "everything else is converted" use 522 410 0
end_vm

# Shared memory may be in huge pages, each of which may be mapped by itself.
start_vm 16384
go prefault 0 1024
ok "shared memory" use 1024 0 1024
go prefault 0 1024
ok "once more: nothing is new" use 1024 0 1024
go read 0 1024
ok "the guest touches all of it" use 1024 0 0
vm ok private 0 512
vm ok private 512 512
ok "and has it converted" use 1024 0 0
go prefault 2048 1024
vm ok private 2048 512
vm ok private 2560 512
ok "what it has not touched was for nothing, all of its pages" use 2048 1024 0
end_vm

# Tests what is reported about each page as it is mapped.
tracing=/sys/kernel/tracing
start_vm 16384
: >$tracing/trace
echo 1 >$tracing/events/kvm/kvm_prefault_map/enable
go prefault 700 1
echo 0 >$tracing/events/kvm/kvm_prefault_map/enable
told()
{
	grep kvm_prefault_map: $tracing/trace
	grep -Eq ' gfn (0x22bc shared level 1 pages 1 new 1|0x2200 shared level 2 pages 512 new 512)$' \
		$tracing/trace
}
ok "the event says where a huge page begins" told
end_vm

# --- policies ---
start_vm 16384
start_loader map_converted --pid $vm
vm ok private 0 512
go read 0 1
ok "map_converted: but for the first page all is untouched" use 512 0 511
vm ok private 512 512
vm ok shared 512 512
go read 1 1
ok "what is taken back before it is mapped is not mapped" use 512 0 510
ok "the loader ends" stop_loader
end_vm

# The guest skips each window, which is then unmapped unused.
# chase TIMES: does this TIMES times.
chase()
{
	page=0 times=$1
	while [ $times -gt 0 ]; do
		go read $page 2 || return 1
		# Read the page after the last one that is mapped now.
		read_use
		windows="$windows $((prefaulted - before))"
		page=$((page + 2 + prefaulted - before))
		before=$prefaulted
		[ $untouched = 0 ] || vm ok punch $((page - untouched)) $untouched || return 1
		times=$((times - 1))
	done
	echo "windows:$windows"
}
start_private 16384
start_loader faultaround --pid $vm
before=0 windows=
ok "faultaround: a guest that never comes to what was mapped for it" chase 20
note '^windows'
read_use
ok "gets fewer than 16 pages a fault, and no window grows" test $prefaulted -le $((20 * 16))
go read 8192 4096
ok "one that does" test $faults -lt 64
read_use
ok "gets its memory mapped in large windows" test $((prefaulted - before)) -gt 4000
ok "the loader ends" stop_loader
end_vm

# --- the VMM's memory cgroup ---
# Windows of 512 pages around every 512th page propose four times as much as the limit allows.
# squeezed LIMIT-FILE [inner]: the limit is set in the VMM's own cgroup, or in the one around it.
squeezed()
{
	mkdir $cgroups/vmm && echo +memory >$cgroups/cgroup.subtree_control || return 1
	[ ! $2 ] || { mkdir $cgroups/vmm/$2 && echo +memory >$cgroups/vmm/cgroup.subtree_control; } ||
		return 1
	start_private 16384 && echo $vm >$cgroups/vmm/$2/cgroup.procs || return 1
	echo 16M >$cgroups/vmm/$1
	start_loader $fault --pid $vm window_end_add=512 window_flags=1 || return 1
	go every 512 0 16384 || return 1
	read -r taken <$cgroups/vmm/memory.current
	cat $cgroups/vmm/memory.events
	echo "$((taken >> 10)) KiB taken, $mapped pages mapped"
}
# The guest's own pages are 32, and page tables are charged, too.
leaves_an_eighth()
{
	squeezed "$@" && [ $taken -le $((15104 << 10)) ] && [ $mapped -gt 3000 ] &&
	lacks '^\(high\|max\|oom\|oom_kill\) [1-9]' $cgroups/vmm/memory.events
}
gone()
{
	stop_loader && end_vm || return 1
	[ ! -d $cgroups/vmm/inner ] || rmdir $cgroups/vmm/inner
	rmdir $cgroups/vmm
}
ok "memory.max: what is mapped ahead leaves an eighth of it" leaves_an_eighth memory.max
note 'KiB taken'
ok "the guest gets the rest when it needs it" go read 8192 200
ok "the VM ends" gone
ok "memory.high: the same, and the VMM is not held up" leaves_an_eighth memory.high
note 'KiB taken'
ok "the VM ends" gone
ok "memory.max of the cgroup around it: the same" leaves_an_eighth memory.max inner
note 'KiB taken'
ok "the VM ends" gone

# --- reclaim ---
# Reclaim looks for pages that the guest has used lately, and clears the marks that show it.
# It finds only file pages, as there is no swap.
file=build/walk-$$
reclaimed()
{
	mkdir $cgroups/vmm && start_vm 1024 0 $file && echo $vm >$cgroups/vmm/cgroup.procs &&
	go prefault 0 64 && use 64 0 64 && go read 0 64 && use 64 0 0 || return 1
	# This fails if less can be reclaimed, after trying all the same.
	echo 4M >$cgroups/vmm/memory.reclaim
	# CPUs add what they have counted some time later.
	soon scanned 64
}
scanned()
{
	grep -E '^(pgscan|pgactivate|pgsteal) ' $cgroups/vmm/memory.stat
	[ "$(sed -n 's/^pgscan //p' $cgroups/vmm/memory.stat)" -ge $1 ]
}
ok "pages that were touched, and are looked at to be reclaimed" reclaimed
ok "still count as touched" use 64 0 0
end_vm
rm -f $file
rmdir $cgroups/vmm
ok "nothing is left" nothing_left
finish
