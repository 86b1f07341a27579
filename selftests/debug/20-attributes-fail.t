#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every allocation of KVM_SET_MEMORY_ATTRIBUTES fails once: then nothing has changed. What is tried
# is in ../attributes/attributes.c.
cd "$(dirname "$0")/../.." || exit 1
exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" --timeout 1500 -- \
	build/selftests/attributes/attributes fail
