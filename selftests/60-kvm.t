#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM's own selftests for private memory, of the kernel tree that the kernel was built from.
cd "$(dirname "$0")/.." || exit 1
kernel=${MEMATTR_KERNEL:-patched}
dir=$(kernel-patches/kernel path "$kernel" 2>/dev/null || echo "$kernel")/selftests/kvm

# shellcheck disable=SC2016
exec selftests/vm/run --kernel "$kernel" --timeout 1500 -- bash -c '
	tests="memory_attributes_test private_mem_conversions_test private_mem_kvm_exits_test
		guest_memfd_test set_memory_region_test pre_fault_memory_test"
	set -- $tests
	echo 1..$#
	for test; do
		count=$((count + 1))
		file=$(find '"'$dir'"' -name $test -type f)
		if [ -x "$file" ] && "$file" >/tmp/said 2>&1; then
			echo "ok $count - $test"
		else
			echo "not ok $count - $test, status $?"
			tail -n 20 /tmp/said | sed "s/^/# /"
		fi
	done'
