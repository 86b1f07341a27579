#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every allocation of a conversion in place, and of what a guest_memfd needs before, fails once: then
# nothing has changed. What is tried is in ../inplace/failslab.c.
cd "$(dirname "$0")/../.." || exit 1
exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" --append kvm.gmem_in_place_conversion=1 --timeout 1500 -- \
	build/selftests/inplace/inplace failslab
