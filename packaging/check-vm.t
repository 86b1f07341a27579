#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks the packages where they work: in a root of each release of Debian, in the test VM, on that release's own kernel.
# `make check-deb-vm` calls this; it is not part of CI, because it downloads whole roots. Needs root.
#
#   RELEASES="bookworm trixie"   where to check
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. selftests/lib/tap.sh
. packaging/root.sh
make_tmp || exit 1

readonly suites=${RELEASES:-bookworm trixie}
# What builds modules in a root that has no compiler yet.
readonly compiler="build-essential git bc dwarves libelf-dev xz-utils python3"
# By release of Debian: the directory of the kernel, as for vm/run --kernel, and its name.
declare -A kernel release

# The packages of memattr are for VMs that are protected by software only, so that memattr-guest runs.
export KVM_SW_PROTECTED_VM=y

# Sets ${kernel[SUITE]}, whose modules are compiled in SUITE.
build_kernel()	# SUITE
{
	if [ "$1" = "$(this_suite)" ]; then
		kernel[$1]=$(kernel-patches/kernel build debian)
	else
		enter_host "$1" && install_debs "$compiler" || return
		kernel[$1]=$(in_root env MEMATTR_CACHE="$cache" "$PWD/kernel-patches/kernel" build debian)
		leave_root
	fi
	[ "${kernel[$1]:-}" ] && release[$1]=$(modinfo -F vermagic "${kernel[$1]}/modules/kvm.ko" | cut -d' ' -f1)
}

stock_of() { echo "$cache/debian/${release[$1]}/image/modules"; }	# SUITE

build_packages()
{
	local suite

	MODULES=
	for suite in $suites; do
		MODULES+="${kernel[$suite]}/modules "
		kernel_package "${release[$suite]}" "$(stock_of "$suite")" 1 &&
			kernel_package "${release[$suite]}" "$(stock_of "$suite")" 2 || return
	done
	kernel_package 6.12.999 "$(stock_of "$suite")" 1 || return
	export MODULES
	build_two_versions
}

# The VM has no network.
make_root()	# SUITE
{
	enter_root_with_packages "$1" && install_debs "kmod /packages/linux-image-${release[$1]}_1.deb" && install_depends && umount "$root/proc"
}

check_in_vm()	# SUITE
{
	ok "$1: a root" make_root "$1"
	# gmem_huge is for hosts that leave hugepages to policies.
	subtest "$1: on ${release[$1]}" selftests/vm/run --kernel "${kernel[$1]}" --timeout 1800 --with "$root" \
		--append kvm.gmem_huge_pages=policy -- \
		packaging/check-in-vm "$root" "${release[$1]}" "$(stock_of "$1")"
	leave_root
}

# A function, so that bash has read all of this file before anything runs.
main()
{
	local suite

	for suite in $suites; do
		ok "$suite: its kernel" build_kernel "$suite"
		[ "${release[$suite]:-}" ] || { finish; exit 1; }
	done
	ok "the packages, in two versions" build_packages
	for suite in $suites; do
		check_in_vm "$suite"
	done
	finish
	exit
}
main
