# SPDX-License-Identifier: GPL-2.0
# What gmem_huge makes of a guest that is sparse, and of its parameters. A part of 47-gmem-huge.t, which has the
# functions.
# shellcheck shell=sh

# --- one that does not ---
# resident: bytes of files that the VM's cgroup has, i.e. of its guest_memfd.
resident()
{
	while read -r name value; do
		[ $name != file ] || echo $value
	done <$cgroups/vmm/memory.stat
}
start_in_cgroup 262144
ok "without a policy the guest reads a page of each 2 MiB of 1 GiB" blocks 0 0 512 every 512 0 262144
small=$(resident)
ok "which takes so much memory" test $small -ge $((512 * 4096))
echo "# $small bytes"
end_in_cgroup
start_in_cgroup 262144
start_loader gmem_huge --pid $vm
ok "with gmem_huge it does, too" blocks 0 512 512 every 512 0 262144
huge=$(resident)
ok "which takes at most 1.1 times as much" test $huge -ge $((512 * 4096)) -a $((huge * 10)) -le $((small * 11))
echo "# $huge bytes"
end_in_cgroup
end_loader 11
start_private
start_loader gmem_huge --pid $vm
go random 1 8192
count_blocks
ok "a guest that touches memory at random gets small pages" test $allocated = 0 -a $faults = $touched
stop_loader
end_vm
start_private
start_loader gmem_huge --pid $vm
ok "the guest fills a block" blocks 0 1 512 read 0 512
ok "and is sparse from then on: 31 blocks are too much, no more" blocks 31 480 511 every 512 512 261632
stop_loader
end_vm

# --- parameters ---
# with WALK PARAMETER=VALUE...: a walk through 32 blocks makes so many of them huge.
with()
{
	expected_allocated=$1
	shift
	start_private 16384 && start_loader gmem_huge --pid $vm "$@" &&
	blocks $expected_allocated $((32 - expected_allocated)) \
		$((expected_allocated + 512 * (32 - expected_allocated))) read 0 16384 &&
	stop_loader && end_vm
}
ok "one sample in four" with 24 sample_blocks=4
ok "every other block" with 16 sample_blocks=2
ok "a budget" with 5 max_blocks=5
ok "one that is larger than all" with 31 max_blocks=32
# Pages of 0 that the guest has used when it touches 1.
start_private 16384
start_loader gmem_huge --pid $vm fill_pages=100
go read 0 99
ok "99 pages do not make a filled block of 100" blocks 0 1 1 read 600 1
go read 1023 1
go read 99 1
vm ok punch 512 512
ok "100 do" blocks 1 0 1 read 600 1
stop_loader
end_vm
# KVM itself leaves 8 MiB of 64, so there is room for another 32 MiB while not more than 24 MiB are taken.
squeezed()
{
	start_in_cgroup 16384 64M && start_loader gmem_huge --pid $vm reserve_pages=8192 && go read 0 8192 || return 1
	count_blocks
	cat $cgroups/vmm/memory.events
	echo "# allocated $allocated, declined $declined"
	[ $allocated -ge 5 ] && [ $allocated -le 11 ] && [ $((allocated + declined)) = 16 ] &&
	lacks '^\(high\|max\|oom\|oom_kill\) [1-9]' $cgroups/vmm/memory.events &&
	stop_loader && end_in_cgroup
}
ok "a reserve in the memory cgroup" squeezed
