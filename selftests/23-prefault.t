#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM_PRE_FAULT_MEMORY keeps to its contract, where the stock kernel spins or says something else.
# What is tried is in prefault/*.c. PREFAULT_ROUNDS=2000 tries more.
cd "$(dirname "$0")/.." || exit 1
. selftests/lib/kernels.sh
# Under the debug kernel's checks everything takes ten times as long.
case $patched in
debug) rounds=${PREFAULT_ROUNDS:-40} mib=128 ;;
*) rounds=${PREFAULT_ROUNDS:-200} mib=1024 ;;
esac

# says WHAT: what it comes to, as told by "spins".
says()
{
	sed -n "s/^ *# $1: //p" <<<"$output"
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
			build/selftests/prefault/prefault shadow | sed "s/^/    /"
		exit ${PIPESTATUS[0]}' bash "$dir"
	status=$?
	ok $status "shadow, on the $1 kernel"
}

# What both kernels promise.
common=("random 1 $rounds" "parallel $rounds" "holes $rounds"
	nested dead memory pending accessed mmio "poison private")
spinning=('private memory deleted while it is pre-faulted'
	'shared memory deleted while it is pre-faulted'
	'memory of a plain VM deleted while it is pre-faulted'
	'memory of a plain VM deleted, and created again'
	'shared memory poisoned, the signal for it blocked')
ending=('private memory deleted, and created again'
	'shared memory deleted, and created again')

on_kernel stock prefault/prefault "${common[@]}" spins
for what in "${spinning[@]}"; do
	[ "$(says "$what")" = 'spins until a signal comes' ]
	ok $? "stock spins: $what"
done

on_kernel "$patched" prefault/prefault contract death "signals $mib" "slots $rounds" "${common[@]}" \
	"random 2 $rounds" "flips $((rounds * 10))" "poison shared" spins
for what in "${spinning[@]}" "${ending[@]}"; do
	[ "$(says "$what")" = ends ]
	ok $? "the $patched kernel does not: $what"
done
shadow "$patched"
echo 1..$tests
