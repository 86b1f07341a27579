#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A few of the tests of guests, policies and tools on Debian's own kernel. `make check-debian` runs many more there.
. "$(dirname "$0")/lib/test.sh"
for name in 20-guest 30-policy 36-guide; do
	subtest "$name" env MEMATTR_KERNEL=debian selftests/$name.t
done
finish
