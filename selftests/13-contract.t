#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bpf/include/memattr.bpf.h says the same as the kernel: types, members, functions, constants. That a
# difference does not go unnoticed is shown by headers that are wrong in one place each.
. "$(dirname "$0")/lib/test.sh"
kernel=$(kernel-patches/kernel path "$patched") || exit 1
contract=build/selftests/policy/contract
work=build/selftests/contract

# write_header NAME SED-SCRIPT: a copy of the header that is different there, and what uses all of it.
write_header()
{
	mkdir -p $work/$1
	sed "$2" bpf/include/memattr.bpf.h >$work/$1/memattr.bpf.h
	{
		echo '#include "memattr.bpf.h"'
		sed -n -e 's/^\(struct\|union\|enum\) \([a-z0-9_]*\) {$/\1 \2 use_\2;/p' \
			-e 's/^extern .*[ *]\([a-z0-9_]*\)(.*/typeof(\1) *use_\1;/p' $work/$1/memattr.bpf.h
	} >$work/$1/contract.bpf.c
}

# constants FILE...: those for policies, "NAME VALUE" a line.
constants()
{
	sed -n -e 's|[ 	]*/\*.*||' \
		-e 's/^#define[ 	]*\(KVM_\(MEMATTR\|MEMORY_ATTRIBUTE\|GMEM\)_[A-Z_0-9]*\)[ 	]*\(.*\)/\1 \3/p' "$@" | sort
}

# compare NAME: differences between this header and the kernel, a line each.
compare()
{
	constants $work/$1/memattr.bpf.h >$work/$1/constants
	diff $work/$1/constants $work/constants
	different=$?
	$contract $work/$1/contract.bpf.o $kernel/vmlinux \
		$(find $kernel/modules -name kvm.ko) || different=$?
	return $different
}

# notices NAME DIFFERENCE: this header is found to be wrong, in this way.
notices()
{
	cmp $work/right/memattr.bpf.h $work/$1/memattr.bpf.h | grep -q differ ||
		{ echo "the header is not changed"; return 1; }
	compare $1
	[ $? = 1 ] && grep -qF -- "$2" "$tmp/said"
}

# NAME|WHAT IS CHANGED|WHAT IS TO BE NOTICED
mutants='
value-renamed|s/KVM_MEMATTR_EXIT_BUDGET,/KVM_MEMATTR_EXIT_TIME,/|KVM_MEMATTR_EXIT_TIME: the kernel does not have it
value-removed|/KVM_MEMATTR_PREFAULT_IOCTL,/d|KVM_MEMATTR_PREFAULT_IOCTL: only the kernel has it
value-changed|s/TAIL_2M = 1 << 1/TAIL_2M = 1 << 2/|KVM_MEMATTR_UNIFORM_TAIL_2M: has another value
values-moved|s/KVM_MEMATTR_EXIT_EJECTED = 64,/KVM_MEMATTR_EXIT_EJECTED,/|KVM_MEMATTR_EXIT_REQUEST: has another value
enum-removed|/^enum kvm_memattr_reason {/,/^};/d|kvm_memattr_reason: only the kernel has it
member-renamed|s/u32 uniform;/u32 uniforms;/|kvm_memattr_zap_ctx.uniforms: the kernel does not have it
member-removed|/u32 reason;.*kvm_memattr_reason/d|kvm_memattr_convert_ctx.reason: only the kernel has it
access-enum-removed|/^enum kvm_gmem_fault_flags {/,/^};/d|kvm_gmem_fault_flags: only the kernel has it
access-bit-changed|s/FAULT_REMOTE = 1 << 1/FAULT_REMOTE = 1 << 2/|KVM_GMEM_FAULT_REMOTE: has another value
access-shortened|/u64 address;.*where it is mapped/d|kvm_memattr_gmem_fault_ctx.address: only the kernel has it
held-member-renamed|s/u32 pins;/u32 pinned;/|kvm_gmem_held_event.pinned: the kernel does not have it
mappers-fewer|s/GMEM_MAX_MAPPERS 4/GMEM_MAX_MAPPERS 3/|kvm_gmem_held_event.mappers: has another type
reason-removed|/KVM_MEMATTR_REASON_GMEM,/d|KVM_MEMATTR_REASON_GMEM: only the kernel has it
member-retyped|s/s32 vcpu_id;/u32 vcpu_id;/|kvm_memattr_prefault_ctx.vcpu_id: has another type
members-swapped|s/u64 zap_start, zap_end;/u64 zap_end, zap_start;/|kvm_memattr_zap_ctx.zap_start: is in another place
count-removed|/memattr_ejections;/d|kvm_vm_memattr_stat.memattr_ejections: only the kernel has it
count-renamed|s/prefaulted_unused;/prefaulted_vain;/|kvm_vm_memattr_stat.prefaulted_vain: the kernel does not have it
count-retyped|s/s64 counter;/s32 counter;/|kvm_vm_memattr_stat.prefaulted_pages: has another type
pid-retyped|s/int userspace_pid;/u64 userspace_pid;/|kvm.userspace_pid: has another type
callback-removed|/(\*zap)/d|kvm_memattr_ops.zap: only the kernel has it
huge-count-removed|/gmem_huge_declined;/d|kvm_vm_memattr_stat.gmem_huge_declined: only the kernel has it
use-removed|/KVM_GMEM_USE_FALLOCATE,/d|KVM_GMEM_USE_FALLOCATE: only the kernel has it
block-shortened|/u64 spare_pages;/d|kvm_memattr_gmem_block_ctx.spare_pages: only the kernel has it
block-member-retyped|s/u32 before_pages, after_pages;/u64 before_pages, after_pages;/|kvm_memattr_gmem_block_ctx.before_pages: has another type
block-removed|/(\*gmem_block)/d|kvm_memattr_ops.gmem_block: only the kernel has it
gate-removed|/(\*gmem_fault)/d|kvm_memattr_ops.gmem_fault: only the kernel has it
callback-retyped|s/(\*convert)(struct kvm \*kvm, const /(*convert)(struct kvm *kvm, /|kvm_memattr_ops.convert: has another type
callbacks-swapped|s/(\*convert)/(*swap)/;s/(\*zap)/(*convert)/;s/(\*swap)/(*zap)/|kvm_memattr_ops.zap: is in another place
range-shortened|/^union kvm_bpf_attr_range {/,/^};/s/u64 attributes;//|kvm_bpf_attr_range: has another size
iterator-shortened|s/__opaque\[8\]/__opaque[4]/|bpf_iter_kvm_attr_range: has another size
function-removed|/^extern int bpf_iter_kvm_attr_range_new/,/;/d|bpf_iter_kvm_attr_range_new: only the kernel has it
function-renamed|s/kvm_attr_range_destroy(/kvm_attr_range_end(/|bpf_iter_kvm_attr_range_end: the kernel does not have it
argument-retyped|s/u64 start, u64 end)/u64 start, u32 end)/|bpf_iter_kvm_attr_range_new: has another prototype
result-retyped|s/^extern int bpf_iter/extern u64 bpf_iter/|bpf_iter_kvm_attr_range_new: has another prototype
constant-changed|s/PREFAULT_MAX_PAGES 512/PREFAULT_MAX_PAGES 1024/|< KVM_MEMATTR_PREFAULT_MAX_PAGES 1024
constant-removed|/^#define KVM_MEMATTR_PREFAULT_MAX_PAGES/d|> KVM_MEMATTR_PREFAULT_MAX_PAGES 512
length-changed|s/KVM_MEMATTR_NAME_LEN 16/KVM_MEMATTR_NAME_LEN 32/|kvm_memattr_ops.name: has another type
bit-changed|s/^#define KVM_MEMORY_ATTRIBUTE_PRIVATE.*/#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 4)/|< KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 4)
'

rm -rf $work
mkdir -p $work/kernel
kernel-patches/kernel files $work/kernel include/linux/kvm_memattr.h include/uapi/linux/kvm.h || exit 1
constants $work/kernel/include/linux/kvm_memattr.h $work/kernel/include/uapi/linux/kvm.h >$work/constants

write_header right ''
objects=$work/right/contract.bpf.o
while IFS='|' read -r name change _; do
	[ "$name" ] || continue
	write_header $name "$change"
	objects="$objects $work/$name/contract.bpf.o"
done <<END
$mutants
END
make -s -j2 $objects || exit 1

ok "memattr.bpf.h and the kernel agree" compare right
note compared
while IFS='|' read -r name _ difference; do
	[ "$name" ] || continue
	ok "a difference is noticed: $name" notices $name "$difference"
done <<END
$mutants
END
finish
