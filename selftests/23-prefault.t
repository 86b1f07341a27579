#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM_PRE_FAULT_MEMORY keeps to its contract, where the stock kernel spins or says something else.
# What is tried is in prefault/*.c. PREFAULT_ROUNDS=2000 tries more.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/kernels.sh
# Under the debug kernel's checks everything takes ten times as long.
case $patched in
debug) rounds=${PREFAULT_ROUNDS:-40} mib=128 ;;
*) rounds=${PREFAULT_ROUNDS:-200} mib=1024 ;;
esac

# says WHAT: prints the outcome that "spins" reports.
says()
{
	sed -n "s/^ *# $1: //p" <<<"$output"
}

# shadow KERNEL: with KVM's module loaded again without npt or ept.
shadow()
{
	local dir=$1
	[ -f "$dir/bzImage" ] || dir=$(kernel-patches/kernel path "$1")
	# shellcheck disable=SC2016
	selftests/vm/run --kernel "$1" -- sh -c '
		if [ -e /sys/module/kvm_amd ]; then module=kvm_amd file=kvm-amd.ko off=npt=0
		else module=kvm_intel file=kvm-intel.ko off=ept=0; fi
		busybox rmmod $module && busybox insmod $1/modules/$file $off &&
			exec build/selftests/prefault/prefault shadow' sh "$dir"
}

# Both kernels promise this.
common=("random 1 $rounds" "parallel $rounds" "holes $rounds"
	nested dead memory pending accessed mmio poison-private)
spinning=('private memory deleted while it is pre-faulted'
	'shared memory deleted while it is pre-faulted'
	'memory of a plain VM deleted while it is pre-faulted'
	'memory of a plain VM deleted, and created again'
	'shared memory poisoned, the signal for it blocked')
ending=('private memory deleted, and created again'
	'shared memory deleted, and created again')

on_kernel stock prefault/prefault "${common[@]}" spins
for what in "${spinning[@]}"; do
	ok "stock spins: $what" [ "$(says "$what")" = 'spins until a signal comes' ]
done

on_kernel "$patched" prefault/prefault contract death "signals $mib" "slots $rounds" other-slot "${common[@]}" \
	"random 2 $rounds" "flips $((rounds * 10))" poison-shared spins
for what in "${spinning[@]}" "${ending[@]}"; do
	ok "the $patched kernel does not: $what" [ "$(says "$what")" = ends ]
done
subtest "shadow, on the $patched kernel" shadow "$patched"
finish
