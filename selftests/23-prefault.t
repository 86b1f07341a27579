#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM_PRE_FAULT_MEMORY keeps to its contract, where the stock kernel spins or says something else.
# What is tried is in guest/prefault.c. PREFAULT_ROUNDS=2000 tries more.
cd "$(dirname "$0")/.." || exit 1
patched=${MEMATTR_KERNEL:-patched}
tests=0
# Under the debug kernel's checks everything takes ten times as long.
case $patched in
debug) rounds=${PREFAULT_ROUNDS:-40} mib=128 ;;
*) rounds=${PREFAULT_ROUNDS:-200} mib=1024 ;;
esac

# ok STATUS DESCRIPTION
ok()
{
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $((++tests)) - $2"
}

# on_kernel KERNEL ARGUMENTS...: the program with each of the arguments. Its TAP becomes a subtest,
# of "spins" $spins is what it says.
on_kernel()
{
	local kernel=$1
	shift
	# shellcheck disable=SC2016
	output=$(selftests/vm/run --kernel "$kernel" --timeout 1800 -- bash -c '
		kernel=$1 tests=$2
		for args in "${@:3}"; do
			build/selftests/guest/prefault $args | sed "s/^/    /"
			[ "${PIPESTATUS[0]}" -eq 0 ] || printf "not "
			echo "ok $((++tests)) - $args, on the $kernel kernel"
		done
		build/selftests/guest/prefault spins | sed "s/^/# /"' bash "$kernel" $tests "$@")
	status=$?
	echo "$output"
	tests=$((tests + $#))
	ok $status "the $kernel kernel has nothing to complain about"
	spins=$(sed -n 's/^# \(.*\): spins until a signal comes$/\1/p' <<<"$output")
	ends=$(sed -n 's/^# \(.*\): \(ends\|Success\)$/\1/p' <<<"$output")
}

# shadow KERNEL: the same as a subtest, with KVM's module loaded again without npt or ept.
shadow()
{
	local dir=$1 status
	[ -f "$dir/bzImage" ] || dir=$(kernel-patches/kernel path "$1")
	# shellcheck disable=SC2016
	selftests/vm/run --kernel "$1" -- bash -c '
		if [ -e /sys/module/kvm_amd ]; then module=kvm_amd off=npt=0
		else module=kvm_intel off=ept=0; fi
		busybox rmmod $module && busybox insmod $1/modules/${module/_/-}.ko $off &&
			build/selftests/guest/prefault shadow | sed "s/^/    /"
		exit ${PIPESTATUS[0]}' bash "$dir"
	status=$?
	ok $status "shadow, on the $1 kernel"
}

# What both kernels promise.
common=("random 1 $rounds" "parallel $rounds" "holes $rounds")

on_kernel stock "${common[@]}"
for what in 'private memory deleted' 'shared memory deleted' 'memory of a plain VM deleted'; do
	grep -qx "$what while it is pre-faulted" <<<"$spins"
	ok $? "stock spins: $what while it is pre-faulted"
done
grep -qx 'memory of a plain VM deleted, and created again' <<<"$spins"
ok $? "stock spins: memory of a plain VM deleted, and created again"

on_kernel "$patched" contract "signals $mib" "slots $rounds" "${common[@]}" "random 2 $rounds" \
	"flips $((rounds * 10))"
[ -z "$spins" ] && [ "$(wc -l <<<"$ends")" -eq 6 ]
ok $? "the $patched kernel does not spin in any of these cases"
shadow "$patched"
echo 1..$tests
