#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The series' KUnit tests have run when KVM was loaded: their results.
. "$(dirname "$0")/../lib/test.sh"
patched=${MEMATTR_KERNEL:-debug}

selftests/vm/run --kernel "$patched" -- sh -c \
	'cd /sys/kernel/debug/kunit && cat kvm_attr_map/results kvm_memattr_policy/results' >"$tmp/results"
# Their TAP becomes subtests.
sed 's/^/    /' "$tmp/results"

passed()
{
	grep -Eq "^ *ok [0-9]+ $1\$" "$tmp/results" && lacks 'not ok' "$tmp/results"
}

for suite in kvm_attr_map kvm_memattr_policy; do
	ok $suite passed $suite
done
finish
