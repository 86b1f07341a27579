#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM's own selftests for private memory, of the kernel tree that the kernel was built from, with small pages, with
# hugepages of guest_memfd where a policy would want them, and with hugepages everywhere.
. "$(dirname "$0")/lib/test.sh"
if [ -z "$inside" ]; then
	kernel=$(kernel-patches/kernel path "$patched" 2>/dev/null || echo "$patched")
fi
in_vm --timeout 3000 -- env KERNEL_DIR="$kernel"

# load_kvm MODE: KVM is loaded again, with kvm.gmem_huge_pages=MODE.
load_kvm()
{
	local vendor=amd

	[ ! -e /sys/module/kvm_intel ] || vendor=intel
	busybox rmmod kvm_$vendor && busybox rmmod kvm &&
		busybox insmod "$KERNEL_DIR/modules/kvm.ko" gmem_huge_pages="$1" &&
		busybox insmod "$KERNEL_DIR/modules/kvm-$vendor.ko" &&
		grep -qx "$1" /sys/module/kvm/parameters/gmem_huge_pages
}

for mode in never policy always; do
	ok "KVM is loaded with gmem_huge_pages=$mode" load_kvm $mode
	for test in memory_attributes_test private_mem_conversions_test private_mem_kvm_exits_test guest_memfd_test \
		set_memory_region_test pre_fault_memory_test; do
		ok "$test" "$(find "$KERNEL_DIR/selftests/kvm" -name $test -type f)"
	done
done
finish
