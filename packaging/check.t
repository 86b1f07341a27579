#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks the packages: lintian, and in a clean root of each release of Debian installation, upgrade, a new kernel, removal,
# purge. `make check-deb` calls this; it is not part of CI, because it downloads whole roots. Needs root.
#
#   RELEASES="bookworm trixie"   where to check
#   MODULES=, KVM_SW_PROTECTED_VM=   as for packaging/build
#   STOCK_MODULES=               a directory with the kernel's own KVM (default: the packaged modules again)
#
# The kernel in these roots is a stand-in: a package with the name of Debian's, and with modules under their paths.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. selftests/lib/tap.sh
. packaging/root.sh
make_tmp || exit 1
# The release of a kernel for which there are no modules.
readonly second=6.12.999

build_packages()
{
	build_two_versions && release=$(modinfo -F vermagic build/package/modules/*/kvm.ko | cut -d' ' -f1) &&
	[ "$release" ] && modules=build/package/modules/$release &&
	kernel_package "$release" "${STOCK_MODULES:-$modules}" 1 && kernel_package "$release" "${STOCK_MODULES:-$modules}" 2 &&
	kernel_package "$second" "${STOCK_MODULES:-$modules}" 1
}

# --- checks in a root ---
installed() { in_root dpkg -s "$1" | grep -q '^Status: install ok installed'; }
# What modprobe would load for KVM.
takes()
{
	in_root modprobe --show-depends -S "$release" kvm_amd >"$tmp/answer" || return
	cat "$tmp/answer"
	grep -q "/$1/.*kvm-amd.ko" "$tmp/answer" && grep -q "/$1/.*kvm.ko" "$tmp/answer"
}
has_unit() { find "$root/lib/systemd" "$root/usr/lib/systemd" -name "$1.service" | grep -q .; }
enabled() { test -L "$root/etc/systemd/system/multi-user.target.wants/$1.service"; }
# says PATTERN COMMAND: whatever the command's exit status is.
says()
{
	in_root sh -c "$2" >"$tmp/answer" 2>&1
	cat "$tmp/answer"
	grep -q "$1" "$tmp/answer"
}
# What modprobe would load for KVM is, byte for byte, what the kernel's package came with.
is_kernels_own()	# RELEASE
{
	local module file

	for module in kvm kvm-amd kvm-intel; do
		file=$(in_root modinfo -k "$1" -n "$module") && echo "$file" &&
			xz -dc "$root$file" | cmp - "${STOCK_MODULES:-$modules}/$module.ko" || return
	done
}
# verify ends with 0 for settings that it does not know, but it does not keep silent.
unit_is_right()	# UNIT
{
	local unit=/usr/lib/systemd/system/$1.service

	in_root systemd-analyze verify --man=no "$unit" >"$tmp/answer" 2>&1 && [ ! -s "$tmp/answer" ] &&
		in_root systemd-analyze security --offline=yes --threshold=30 "$unit" >>"$tmp/answer" && return
	cat "$tmp/answer"
	return 1
}
nothing_left()
{
	list_root >"$tmp/after"
	diff "$tmp/before" "$tmp/after"
}

check_installation()	# RELEASE
{
	ok "$1: installation" install_debs '/packages/memattr*.deb'
	ok "$1: modprobe takes the patched KVM" takes updates/memattr
	for tool in memattr-policy memattr-top prefault-trace memattr-guest; do
		ok "$1: $tool runs" in_root $tool --version
	done
	ok "$1: the script for recordings runs" in_root /usr/share/memattr/recording --help
	ok "$1: memattr-policy finds the policies" says '^parameters of ratelimit' 'memattr-policy params ratelimit'
	ok "$1: the doctor finds the kernel's modules" says '"1 installed kernels have patched modules, and none has' \
		'memattr-policy doctor --json'
	ok "$1: the units are enabled" eval 'enabled memattr-policies && enabled memattr-watch'
	ok "$1: but nothing is exported unasked" eval 'has_unit memattr-export && ! enabled memattr-export'
	cp packaging/examples/10-all.conf "$root/etc/memattr/policies.d"
}

# They stay until the packages are gone.
check_kernels()	# RELEASE
{
	ok "$1: a second kernel, without modules: apt says so" says "kernel $second has stock KVM" \
		"apt-get install -y -q /packages/linux-image-${second}_1.deb"
	ok "$1: and the doctor" says "stock KVM only: $second" 'memattr-policy doctor'
	ok "$1: the first kernel is updated" install_debs "/packages/linux-image-${release}_2.deb"
	ok "$1: modprobe still takes the patched KVM" takes updates/memattr
}

check_upgrade()	# RELEASE
{
	ok "$1: upgrade" install_debs '/packages/new-memattr*.deb'
	ok "$1: the new version is there" says "$new_version" "dpkg -s memattr"
	ok "$1: the files of policies.d stay" test -f "$root/etc/memattr/policies.d/10-all.conf"
	ok "$1: the units are still enabled" eval 'enabled memattr-policies && enabled memattr-watch'
	ok "$1: modprobe takes the patched KVM" takes updates/memattr
}

check_removal()	# RELEASE
{
	ok "$1: removal" in_root apt-get remove -y -q memattr memattr-guest "memattr-kvm-modules-$release"
	ok "$1: the first kernel's KVM is the updated kernel's own" is_kernels_own "$release"
	ok "$1: the second kernel's KVM is its own" is_kernels_own "$second"
	ok "$1: the files of policies.d stay" test -f "$root/etc/memattr/policies.d/10-all.conf"
	ok "$1: purge" in_root apt-get purge -y -q memattr memattr-guest "memattr-kvm-modules-$release"
	ok "$1: the first kernel's KVM is the updated kernel's own" is_kernels_own "$release"
	ok "$1: the second kernel's KVM is its own" is_kernels_own "$second"
	ok "$1: the second kernel goes" in_root apt-get purge -y -q "linux-image-$second"
	ok "$1: nothing is left" nothing_left
}

check_style()	# RELEASE
{
	ok "$1: systemd is there" install_debs systemd
	for unit in memattr-policies memattr-watch memattr-export; do
		ok "$1: $unit.service: nothing unknown, exposure at most 3.0" unit_is_right $unit
	done
	ok "$1: lintian is there" install_debs lintian
	ok "$1: lintian has no complaint" in_root sh -c \
		'lintian --allow-root --fail-on warning --show-overrides /packages/memattr*.deb'
}

check_root()	# RELEASE
{
	ok "$1: a clean root" enter_root_with_packages "$1"
	ok "$1: a kernel" install_debs "kmod /packages/linux-image-${release}_1.deb"
	ok "$1: modprobe takes its KVM" takes kernel
	ok "$1: what memattr depends on" install_depends
	list_root >"$tmp/before"
	check_installation "$1"
	check_kernels "$1"
	check_upgrade "$1"
	check_removal "$1"

	ok "$1: installation once more" install_debs '/packages/memattr*.deb'
	ok "$1: the kernel goes first, the modules with it" in_root apt-get purge -y -q "linux-image-$release"
	ok "$1: the modules are gone" eval "! installed memattr-kvm-modules-$release && test ! -e '$root/usr/lib/modules/$release'"
	check_style "$1"
	leave_root
}

# A signature of ours is, byte for byte, that of the kernel's own program.
signs_like()	# SIGN_FILE
{
	local key=$tmp/key.pem certificate=$tmp/certificate.pem module

	openssl req -new -x509 -newkey rsa:2048 -nodes -subj '/CN=check/' -keyout "$key" -out "$certificate" || return
	for module in kvm kvm-amd kvm-intel; do
		cp "$modules/$module.ko" "$tmp/ours.ko" && cp "$modules/$module.ko" "$tmp/theirs.ko" &&
		packaging/sign-module "$key" "$certificate" "$tmp/ours.ko" &&
		"$1" sha256 "$key" "$certificate" "$tmp/theirs.ko" &&
		! cmp -s "$modules/$module.ko" "$tmp/ours.ko" && cmp "$tmp/ours.ko" "$tmp/theirs.ko" || return
	done
}

# A function, so that bash has read all of this file before anything runs.
main()
{
	local name sign_file

	ok "the packages, in two versions" build_packages
	[ "${modules:-}" ] || { finish; exit 1; }
	sign_file=$(find "$cache/debian/$release/headers/usr/lib" -name sign-file 2>/dev/null)
	if [ "$sign_file" ]; then
		ok "modules are signed as the kernel's sign-file does it" signs_like "$sign_file"
	else
		echo "ok $((tests += 1)) - modules are signed as the kernel's sign-file does it # SKIP $release's headers are not in the cache"
	fi
	for name in ${RELEASES:-bookworm trixie}; do
		check_root "$name"
	done
	finish
	exit
}
main
