#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every allocation of a conversion in place, and of what a guest_memfd needs before, fails once: then
# nothing has changed. What is tried is in ../inplace/failslab.c and, of hugepages, in ../inplace/huge_fail.c.
. "$(dirname "$0")/../lib/test.sh"
. selftests/lib/kernels.sh
patched=${MEMATTR_KERNEL:-debug}

# mode HUGE PARTS...
mode()
{
	echo "# kvm.gmem_huge_pages=$1"
	vm_options=(--append "kvm.gmem_in_place_conversion=1 kvm.gmem_huge_pages=$1")
	on_kernel "$patched" inplace/inplace "${@:2}"
}

mode never failslab
mode always failslab huge-fail
finish
