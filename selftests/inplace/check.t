#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Many random conversions in place in 256 MiB with hugepages, by four vCPUs' threads and four threads of the host, which
# check and change the data: data.c. On the debug kernel, emulated by a core of its own, 100,000 take a quarter of an
# hour; comments say how far it is. `make check-conversions` calls this; it is not part of `make check`, which does some
# hundreds.
#
#	INPLACE_CONVERSIONS	how many (100000)
cd "$(dirname "$0")/../.." || exit 1
exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" --timeout 14400 \
	--append "kvm.gmem_huge_pages=always kvm.gmem_in_place_conversion=1" -- \
	build/selftests/inplace/inplace data "${INPLACE_CONVERSIONS:-100000}"
