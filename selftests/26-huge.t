#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hugepages of a guest_memfd, in both modes of conversion, and without memory for them: inplace/huge*.c. Tests of
# conversion in place that use much memory are repeated with hugepages. INPLACE_CONVERSIONS=100000 tries more.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/kernels.sh
# Under the debug kernel's checks everything takes ten times as long, and KASAN keeps freed memory for a while.
case $patched in
debug) conversions=${INPLACE_CONVERSIONS:-200} rounds=200 vms=() ;;
*) conversions=${INPLACE_CONVERSIONS:-500} rounds=500 vms=(huge-vms) ;;
esac

# mode ON MIB PARTS...: KVM converts in place if ON is 1, on a host with so much memory.
mode()
{
	echo "# kvm.gmem_huge_pages=always kvm.gmem_in_place_conversion=$1, $2 MiB"
	vm_options=(--mem "$2" --append "kvm.gmem_huge_pages=always kvm.gmem_in_place_conversion=$1")
	on_kernel "$patched" inplace/inplace "${@:3}"
}

mode 0 4096 "mode 0" huge-backings
mode 1 4096 "mode 1" huge "${vms[@]}" conversions held slots lifetime life poison "races $rounds" "recreated $rounds" "data $conversions"
mode 1 512 huge-fragmented
finish
