#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Conversion in place, and what is left of it while the module's parameter is off. What is tried is in
# inplace/*.c, what a policy is asked in policy/parts.c. INPLACE_CONVERSIONS=100000 tries more.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/kernels.sh
# Under the debug kernel's checks everything takes ten times as long.
case $patched in
debug) conversions=${INPLACE_CONVERSIONS:-200} rounds=500 poisonings=100 ;;
*) conversions=${INPLACE_CONVERSIONS:-1000} rounds=2000 poisonings=500 ;;
esac

# mode ON PROGRAM PARTS...: the module is loaded with the parameter set to 0 or 1.
mode()
{
	echo "# kvm.gmem_in_place_conversion=$1"
	vm_options=(--append "kvm.gmem_in_place_conversion=$1")
	on_kernel "$patched" "${@:2}"
}

mode 0 inplace/inplace "mode 0" caps create off files backings
mode 1 inplace/inplace "mode 1" caps create checks answers conversions zaps files slots lifetime held access life \
	poison "poison-races $poisonings" counts charge "races $rounds" "recreated $poisonings" "data $conversions"
mode 1 policy/parts asks refusals deleted
finish
