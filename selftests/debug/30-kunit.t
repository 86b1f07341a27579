#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The series' KUnit tests have run when KVM was loaded: their results.
cd "$(dirname "$0")/../.." || exit 1

# shellcheck disable=SC2016
results=$(selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" -- \
	sh -c 'cat /sys/kernel/debug/kunit/kvm_attr_map/results /sys/kernel/debug/kunit/kvm_memattr_policy/results')
# Their TAP becomes subtests.
echo "$results" | sed 's/^/    /'
number=0
for suite in kvm_attr_map kvm_memattr_policy; do
	number=$((number + 1))
	echo "$results" | grep -Eq "^ *ok [0-9]+ $suite\$" && ! echo "$results" | grep -q 'not ok' ||
		printf 'not '
	echo "ok $number - $suite"
done
echo 1..2
