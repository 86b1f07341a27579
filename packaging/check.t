#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks the packages: lintian, and in a clean root of each release of Debian installation, upgrade, a new kernel, removal,
# purge. `make check-deb` calls this; it is not part of CI, because it downloads whole roots. Needs root.
#
#   RELEASES="bookworm trixie"   where to check
#   MODULES=, KVM_SW_PROTECTED_VM=   as for packaging/build
#   STOCK_MODULES=               a directory with the kernel's own KVM (default: the packaged modules again)
#   VM_KERNEL=                   as for vm/run --kernel: the kernel of these modules, for the test of loading them, which also
#                                needs KVM_SW_PROTECTED_VM=y; without it that test is skipped
#
# The kernel in these roots is a stand-in: a package with the name of Debian's, and with modules under their paths.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d)
. selftests/lib/tap.sh
. packaging/root.sh

readonly cache=${MEMATTR_CACHE:-${XDG_CACHE_HOME:-~/.cache}/memattr}/roots
readonly packages=build/packages new_version=0.2~check
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
root=

cleanup()
{
	[ ! "$root" ] || umount -R "$root"
	umount "$tmp" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
# An overlay's upper folder must not be in an overlay itself.
mount -t tmpfs none "$tmp" || exit 1

mirror()
{
	# shellcheck disable=SC2016 # these are names for apt
	apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }'
}

# Makes a root of RELEASE in the cache; its package lists are those of that day.
base_root()	# RELEASE
{
	[ ! -d "$cache/$1" ] || return 0
	mkdir -p "$cache"
	rm -rf "$cache/$1.new"
	debootstrap --variant=minbase "$1" "$cache/$1.new" "$(mirror)" && mv "$cache/$1.new" "$cache/$1"
}

# enter_root RELEASE: $root becomes a new root, whose changes are in a tmpfs.
enter_root()
{
	base_root "$1" || return
	root=$tmp/$1
	mkdir -p "$root" "$tmp/$1.upper" "$tmp/$1.work"
	mount -t overlay -o "lowerdir=$cache/$1,upperdir=$tmp/$1.upper,workdir=$tmp/$1.work" none "$root" || return
	mount -t proc proc "$root/proc"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# No service starts in here.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	mkdir "$root/packages"
	cp "$packages"/*.deb "$tmp"/packages/*.deb "$root/packages"
	in_root apt-get update -q
}

leave_root()
{
	umount -R "$root" && rm -rf "${tmp:?}/${root##*/}"*
	root=
}

# --- stand-ins ---

# A package of a kernel, with the modules that modprobe would load.
kernel_package()	# RELEASE
{
	local tree=$tmp/kernel module

	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN" "$tree/usr/lib/modules/$1/kernel/arch/x86/kvm"
	for module in kvm kvm-amd kvm-intel; do
		xz -c0 "${STOCK_MODULES:-$modules}/$module.ko" >"$tree/usr/lib/modules/$1/kernel/arch/x86/kvm/$module.ko.xz"
	done
	touch "$tree/usr/lib/modules/$1/modules.order" "$tree/usr/lib/modules/$1/modules.builtin"
	printf '%s\n' "Package: linux-image-$1" 'Version: 1' 'Architecture: amd64' 'Maintainer: none' \
		'Description: stand-in' >"$tree/DEBIAN/control"
	# As Debian's kernels do.
	printf '%s\n' '#!/bin/sh' "depmod $1 || :" \
		"if [ -d /etc/kernel/postinst.d ]; then run-parts --report --exit-on-error --arg=$1 /etc/kernel/postinst.d; fi" \
		>"$tree/DEBIAN/postinst"
	printf '%s\n' '#!/bin/sh' "[ \"\$1\" != remove ] || rm -f /usr/lib/modules/$1/modules.*" >"$tree/DEBIAN/prerm"
	chmod 755 "$tree/DEBIAN/"{postinst,prerm}
	dpkg-deb --root-owner-group -Znone -b "$tree" "$tmp/packages/linux-image-$1.deb"
}

build_packages()
{
	mkdir -p "$tmp/packages" &&
	packaging/build && release=$(modinfo -F vermagic build/package/modules/*/kvm.ko | cut -d' ' -f1) &&
	[ "$release" ] && modules=build/package/modules/$release &&
	mkdir "$tmp/old" && cp "$packages"/*.deb "$tmp/old" &&
	PACKAGE_VERSION=$new_version packaging/build && mv "$packages" "$tmp/new" && mv "$tmp/old" "$packages" &&
	for deb in "$tmp"/new/*.deb; do mv "$deb" "$tmp/packages/new-${deb##*/}" || return; done &&
	kernel_package "$release" && kernel_package 6.12.999
}

# --- checks in a root ---
installed() { in_root dpkg -s "$1" | grep -q '^Status: install ok installed'; }
install_debs() { in_root sh -c "apt-get install -y -q --no-install-recommends $*"; }
# What modprobe would load for KVM.
takes()
{
	in_root modprobe --show-depends -S "$release" kvm_amd >"$tmp/answer" || return
	cat "$tmp/answer"
	grep -q "/$1/.*kvm-amd.ko" "$tmp/answer" && grep -q "/$1/.*kvm.ko" "$tmp/answer"
}
enabled() { test -L "$root/etc/systemd/system/multi-user.target.wants/$1.service"; }
# says PATTERN COMMAND: whatever the command's exit status is.
says()
{
	in_root sh -c "$2" >"$tmp/answer" 2>&1
	cat "$tmp/answer"
	grep -q "$1" "$tmp/answer"
}
stock_is_intact() { in_root dpkg -V "linux-image-$release"; }
nothing_left()
{
	list_root >"$tmp/after"
	diff "$tmp/before" "$tmp/after"
}

check_root()	# RELEASE
{
	local depends

	ok "$1: a clean root" enter_root "$1" || return
	ok "$1: a kernel" install_debs "kmod /packages/linux-image-$release.deb"
	ok "$1: modprobe takes its KVM" takes kernel
	depends=$(dpkg-deb -f "$packages"/memattr_*.deb Depends)
	ok "$1: what memattr depends on" in_root apt-get satisfy -y -q --no-install-recommends "$depends"
	list_root >"$tmp/before"

	ok "$1: installation" install_debs '/packages/memattr*.deb'
	ok "$1: modprobe takes the patched KVM" takes updates/memattr
	for tool in memattr-policy memattr-top prefault-trace memattr-guest; do
		ok "$1: $tool runs" in_root $tool --version
	done
	ok "$1: memattr-policy finds the policies" says '^parameters of ratelimit' 'memattr-policy params ratelimit'
	ok "$1: the doctor finds the kernel's modules" says '"1 installed kernels have patched modules, and none has' \
		'memattr-policy doctor --json'
	ok "$1: the units are enabled" eval 'enabled memattr-policies && enabled memattr-watch'
	cp packaging/examples/10-all.conf "$root/etc/memattr/policies.d"
	ok "$1: a kernel without modules: apt says so" says 'kernel 6.12.999 has stock KVM' \
		'apt-get install -y -q /packages/linux-image-6.12.999.deb'
	ok "$1: and the doctor" says 'stock KVM only: 6.12.999' 'memattr-policy doctor'
	ok "$1: that kernel goes" in_root apt-get purge -y -q linux-image-6.12.999

	ok "$1: upgrade" install_debs '/packages/new-memattr*.deb'
	ok "$1: the new version is there" says "$new_version" "dpkg -s memattr"
	ok "$1: the files of policies.d stay" test -f "$root/etc/memattr/policies.d/10-all.conf"
	ok "$1: the units are still enabled" eval 'enabled memattr-policies && enabled memattr-watch'
	ok "$1: modprobe takes the patched KVM" takes updates/memattr

	ok "$1: removal" in_root apt-get remove -y -q memattr memattr-guest "memattr-kvm-modules-$release"
	ok "$1: modprobe takes the kernel's KVM" takes kernel
	ok "$1: which is what it was" stock_is_intact
	ok "$1: the files of policies.d stay" test -f "$root/etc/memattr/policies.d/10-all.conf"
	ok "$1: purge" in_root apt-get purge -y -q memattr memattr-guest "memattr-kvm-modules-$release"
	ok "$1: nothing is left" nothing_left

	ok "$1: installation once more" install_debs '/packages/memattr*.deb'
	ok "$1: the kernel goes first, the modules with it" in_root apt-get purge -y -q "linux-image-$release"
	ok "$1: the modules are gone" eval "! installed memattr-kvm-modules-$release && test ! -e '$root/usr/lib/modules/$release'"

	ok "$1: lintian is there" install_debs lintian
	ok "$1: lintian has no complaint" in_root sh -c \
		'lintian --allow-root --fail-on warning --show-overrides /packages/memattr*.deb'
	leave_root
}

# In the test VM, on the kernel that the modules are for. It has no network.
check_in_vm()	# RELEASE
{
	ok "$1, VM: a root" eval "enter_root $1 && install_debs 'kmod /packages/linux-image-$release.deb' &&
		in_root apt-get satisfy -y -q --no-install-recommends '$(dpkg-deb -f "$packages"/memattr_*.deb Depends)'" || return
	umount "$root/proc"
	subtest "$1, VM" selftests/vm/run --kernel "$VM_KERNEL" --timeout 1800 --with "$root" -- packaging/check-in-vm "$root" "$release"
	leave_root
}

# verify ends with 0 for settings that it does not know, but it does not keep silent.
unit_is_right()	# UNIT
{
	local unit=$tmp/$1.service

	sed "s,/usr/sbin/,$PWD/build/package/build/bin/," "packaging/systemd/$1.service" >"$unit"
	systemd-analyze verify --man=no "$unit" >"$tmp/answer" 2>&1 && [ ! -s "$tmp/answer" ] &&
		systemd-analyze security --offline=yes --threshold=30 "$unit" >>"$tmp/answer" && return
	cat "$tmp/answer"
	return 1
}

# A function, so that bash has read all of this file before anything runs.
main()
{
	local name unit

	ok "the packages, in two versions" build_packages || { finish; exit 1; }
	for unit in memattr-policies memattr-watch; do
		ok "$unit.service: nothing unknown, exposure at most 3.0" unit_is_right $unit
	done
	for name in ${RELEASES:-bookworm trixie}; do
		check_root "$name"
		if [ "${VM_KERNEL:-}" ]; then
			check_in_vm "$name"
		else
			echo "ok $((tests += 1)) - $name, VM # SKIP there is no VM_KERNEL"
		fi
	done
	finish
	exit
}
main
