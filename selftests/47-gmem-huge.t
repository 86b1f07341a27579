#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kvm.gmem_huge_pages=policy: what gmem_huge takes 2 MiB at a time, when KVM asks a policy, and what it makes of
# answers that are not allowed. In both modes of conversion; the guest, which checks its data, is policy/walk.c.
. "$(dirname "$0")/lib/test.sh"
if [ -z "$inside" ]; then
	for mode in 0 1; do
		subtest "kvm.gmem_in_place_conversion=$mode" selftests/vm/run --kernel "$patched" --timeout 900 \
			--append "kvm.gmem_huge_pages=policy kvm.gmem_in_place_conversion=$mode" -- "$script" in-vm
	done
	finish
	exit
fi
. selftests/lib/walk.sh
fault=$policies/fault.bpf.o
in_place=$(sed 'y/NY/01/' /sys/module/kvm/parameters/gmem_in_place_conversion)
cgroups=$tmp/cgroups
mkdir $cgroups && mount -t cgroup2 none $cgroups && echo +memory >$cgroups/cgroup.subtree_control || exit 1

# The VM's $allocated and $declined blocks so far, and how many $hugepages are mapped.
count_blocks()
{
	folder=/sys/kernel/debug/kvm/$vm-$vms
	read -r allocated <$folder/gmem_huge_allocated
	read -r declined <$folder/gmem_huge_declined
	read -r hugepages <$folder/pages_2m
}

# blocks ALLOCATED DECLINED FAULTS COMMAND...: how many more there are of each after the command to the guest.
blocks()
{
	expected_blocks="$1 $2 $3"
	shift 3
	count_blocks
	before_allocated=$allocated before_declined=$declined
	go "$@" || return 1
	count_blocks
	found_blocks="$((allocated - before_allocated)) $((declined - before_declined)) $faults"
	echo "# allocated, declined, faults: $found_blocks"
	[ "$found_blocks" = "$expected_blocks" ]
}

# In a memory cgroup of its own, with the file LIMIT if said.
start_in_cgroup()
{
	mkdir $cgroups/vmm && start_private $1 && echo $vm >$cgroups/vmm/cgroup.procs || return 1
	[ ! $2 ] || echo $2 >$cgroups/vmm/memory.max
}

end_in_cgroup()
{
	end_vm && rmdir $cgroups/vmm
}

# --- nobody decides ---
start_private 16384
ok "without a policy: small pages" blocks 0 0 2048 read 0 2048
start_loader template --pid $vm
ok "with one that has no gmem_block: too" blocks 0 0 1024 read 2048 1024
count_blocks
ok "no hugepage is mapped" test $hugepages = 0
stop_loader
end_vm

# --- a guest that fills its memory ---
start_private 32768
start_loader gmem_huge --pid $vm
ok "gmem_huge is loaded" expr "$attached" : 'gmem_huge: attached'
ok "a walk up: all blocks are huge but one in 32" blocks 62 2 $((62 + 2 * 512)) read 0 32768
ok "it was asked once about each" state 'policy_calls: 64'
ok "so many hugepages are mapped" test $hugepages = 62
ok "the guest writes to all of it without a fault" blocks 0 0 0 write 0 32768
ok "and finds it again" blocks 0 0 0 read 0 32768
end_vm
end_loader 11
down()
{
	count_blocks
	block=64
	while [ $block -gt 0 ]; do
		block=$((block - 1))
		go read $((block * 512)) 512 || return 1
	done
	count_blocks
	echo "# allocated $allocated, declined $declined"
	[ "$allocated $declined" = "61 3" ]
}
start_private 32768
start_loader gmem_huge --pid $vm
ok "a walk down: too, but for the first block" down
stop_loader
end_vm

# What the policy makes of what it is told is the same in both modes.
[ $in_place = 1 ] || . selftests/policy/gmem-huge.sh

# --- what is used ahead of the guest ---
start_private 32768
start_loader gmem_huge --pid $vm
ok "KVM_PRE_FAULT_MEMORY: all is huge" blocks 16 0 0 prefault 0 8192
ok "the guest finds it" blocks 0 0 0 read 0 8192
ok "of one page: it is small" blocks 0 1 0 prefault 20000 1
count_blocks
before=$allocated
ok "fallocate of two blocks" vm ok allocate 24576 1024
count_blocks
ok "allocates them" test $((allocated - before)) = 2
ok "the guest gets them as hugepages" blocks 0 0 2 read 24576 1024
stop_loader
end_vm

# --- answers ---
start_private 16384
start_loader $fault --pid $vm gmem_block_ret=1
ok "1: the block is huge" blocks 32 0 32 every 512 0 16384
ok "the policy leaves" stop_loader
ok "what the guest has, it keeps" blocks 0 0 0 read 0 16384
vm ok punch 0 1024
ok "what is gone comes back as small pages" blocks 0 0 512 read 0 512
start_loader $fault --pid $vm gmem_block_ret=1
ok "another policy is not asked about a block that has pages" blocks 0 0 0 write 100 1
ok "but about one that has none any more" blocks 1 0 1 read 600 1
vm ok punch 1024 1
ok "a hole of one page does not make it ask" blocks 0 0 1 read 1024 1
stop_loader
start_loader $fault --pid $vm
vm ok punch 0 16384
ok "0: small pages, as they are used" blocks 0 4 2048 read 0 2048
stop_loader

# ejected KIND CODE PARAMETER=VALUE...: the guest goes on with small pages and without the policy, which says why.
ejected()
{
	kind=$1 code=$2
	shift 2
	count_blocks
	before=$allocated
	vm ok punch 0 16384 && start_loader $fault --pid $vm "$@" || return 1
	go read 100 100 && [ $faults = 100 ] && state 'policy: none' || { stop_loader; return 1; }
	count_blocks
	[ $allocated = $before ] && end_loader 10 &&
	grep -Eq "^memattr-policy: fault: the kernel ejected it from VM $vm-$vms \(walk\): $kind $code: " $err &&
	state 'policy: none' 'exit_policy: fault' "exit_kind: $kind" "exit_code: $code" \
		'exit_text: gmem_block() ?*'
}
ok "gmem_block returns 2" ejected bad-return 2 gmem_block_ret=2
ok "a large number" ejected bad-return 2147483647 gmem_block_ret=2147483647
ok "a small one" ejected bad-return -2147483648 gmem_block_ret=-2147483648
ok "an errno" ejected bad-return -12 gmem_block_ret=-12
ok "it asks to be ejected" ejected request 0 gmem_block_ret=-125
ok "it exceeds its budget" ejected budget '[0-9]*' --budget-us 20000 turns=8M
exceeds()
{
	vm ok punch 0 16384 && start_loader $fault --pid $vm --budget-us 20000 turns=8M gmem_block_ret=1 &&
	blocks 1 0 2 every 512 0 1024 && end_loader 10 && state 'exit_kind: budget'
}
ok "and wants the block: it gets this one" exceeds

# --- what it is told ---
tracing=/sys/kernel/tracing
traced()
{
	pattern=$1
	shift
	: >$tracing/trace
	"$@" || return 1
	grep kvm_memattr_gmem_block: $tracing/trace >$tmp/asked
	cat $tmp/asked
	[ $(wc -l <$tmp/asked) = 1 ] &&
	grep -q "kvm_memattr_gmem_block: vm_id [0-9]* vm_pid $vm reason $pattern\$" $tmp/asked
}
vm ok punch 0 16384
go read 512 512
echo 1 >$tracing/events/kvm/kvm_memattr_gmem_block/enable
start_loader $fault --pid $vm
ok "a fault" traced \
	'0 ino [1-9][0-9]* block 0x0 gfn 0x[0-9a-f]* used \[0x64, 0x65) before 0 after 512 spare [1-9][0-9]* small' \
	go read 100 1
ok "KVM_PRE_FAULT_MEMORY" traced \
	'1 ino .* block 0x400 gfn 0x[0-9a-f]* used \[0x400, 0x52c) before 512 after 0 spare .* small' \
	go prefault 1024 300
stop_loader
start_loader $fault --pid $vm gmem_block_ret=1
ok "fallocate" traced \
	'3 ino .* block 0x600 gfn 0x[0-9a-f]* used \[0x600, 0x800) before 300 after 0 spare .* huge' \
	vm ok allocate 1536 512
stop_loader
end_vm
if [ $in_place = 1 ]; then
	walk=$vmsh vmsh=$policies/vmsh
	start_vm
	start_loader $fault --pid $vm gmem_block_ret=1
	ok "an access of the host" traced \
		'2 ino .* block 0x200 gfn 0x1200 used \[0x207, 0x208) before 0 after 0 spare .* huge' \
		vm ok touch 0x1207
	stop_loader
	end_vm
	vmsh=$walk
fi
echo 0 >$tracing/events/kvm/kvm_memattr_gmem_block/enable

# --- while memory changes ---
# A walk through all of its memory, while policies come and go.
changing()
{
	start_loader $fault --pid $vm gmem_block_ret=1 || return 1
	echo "write 0 65536" >&8
	for i in 1 2 3 4 5; do
		stop_loader && start_loader $fault --pid $vm gmem_block_ret=1 || return 1
	done
	read -r answer <&9
	echo "# $answer"
	[ "${answer##* }" = 65536 ] && stop_loader
}
start_private 65536
ok "policies come and go while the guest writes to its memory" changing
count_blocks
ok "some blocks are huge" test $allocated -ge 1
ok "the guest finds what it has written" blocks 0 0 0 read 0 65536
end_vm
if [ $in_place = 0 ]; then
	start_loader gmem_huge --all fill_pages=1 sample_blocks=2
	ok "holes are punched, and pages pre-faulted" run 0 build/selftests/prefault/prefault holes 100
	ok "attributes flip, and pages are pre-faulted" run 0 build/selftests/prefault/prefault flips 200
	ok "memslots come and go" run 0 build/selftests/prefault/prefault slots 5
	ok "the loader ends" stop_loader
fi
ok "nothing is left" nothing_left
finish
