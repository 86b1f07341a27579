#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM's own selftests for private memory, of the kernel tree that the kernel was built from.
. "$(dirname "$0")/lib/test.sh"
if [ -z "$inside" ]; then
	kernel=$(kernel-patches/kernel path "$patched" 2>/dev/null || echo "$patched")
fi
in_vm --timeout 1500 -- env KVM_TESTS="$kernel/selftests/kvm"

for test in memory_attributes_test private_mem_conversions_test private_mem_kvm_exits_test guest_memfd_test \
	set_memory_region_test pre_fault_memory_test; do
	ok "$test" "$(find "$KVM_TESTS" -name $test -type f)"
done
finish
