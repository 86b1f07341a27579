#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The series' KUnit tests have run when KVM was loaded: their results.
cd "$(dirname "$0")/../.." || exit 1

results=$(selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" -- \
	cat /sys/kernel/debug/kunit/kvm_attr_map/results)
# Its TAP becomes a subtest.
echo "$results" | sed 's/^/    /'
echo "$results" | grep -Eq '^ *ok [0-9]+ kvm_attr_map$' && ! echo "$results" | grep -q 'not ok' ||
	printf 'not '
echo "ok 1 - kvm_attr_map"
echo 1..1
