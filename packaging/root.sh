# SPDX-License-Identifier: GPL-2.0
# A root of Debian's in $root, and the packages to install there. The test's folder is $tmp.
# shellcheck shell=bash

readonly cache=${MEMATTR_CACHE:-${XDG_CACHE_HOME:-~/.cache}/memattr}
readonly packages=build/packages new_version=0.2~check
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
root=

in_root() { chroot "$root" "$@"; }
install_debs() { in_root sh -c "apt-get install -y -q --no-install-recommends $*"; }
install_depends() { in_root apt-get satisfy -y -q --no-install-recommends "$(dpkg-deb -f "$packages"/memattr_*.deb Depends)"; }

# All that is in the root, but not what dpkg and apt write of themselves.
list_root()
{
	(cd "$root" && find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./packages -o \
		-path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \) -prune -o \
		-printf '%y %p %l\n' | sort)
}

# --- to be made and left ---

# An overlay's upper folder must not be in an overlay itself.
make_tmp()
{
	tmp=$(mktemp -d) && trap delete_tmp EXIT && mount -t tmpfs none "$tmp" && mkdir "$tmp/packages"
}

delete_tmp()
{
	[ ! "$root" ] || umount -R "$root"
	umount "$tmp" 2>/dev/null
	rm -rf "$tmp"
}

mirror()
{
	# shellcheck disable=SC2016 # these are names for apt
	apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }'
}

# Makes a root of RELEASE in the cache; its package lists are those of that day.
base_root()	# RELEASE
{
	[ ! -d "$cache/roots/$1" ] || return 0
	mkdir -p "$cache/roots"
	rm -rf "$cache/roots/$1.new"
	debootstrap --variant=minbase "$1" "$cache/roots/$1.new" "$(mirror)" && mv "$cache/roots/$1.new" "$cache/roots/$1"
}

# $root becomes a new root, whose changes are in a tmpfs.
enter_root()	# RELEASE
{
	base_root "$1" || return
	root=$tmp/$1
	mkdir -p "$root" "$tmp/$1.upper" "$tmp/$1.work"
	mount -t overlay -o "lowerdir=$cache/roots/$1,upperdir=$tmp/$1.upper,workdir=$tmp/$1.work" none "$root" || return
	mount -t proc proc "$root/proc"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# No service starts in here.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	in_root apt-get update -q
}

this_suite() { awk -F= '$1 == "VERSION_CODENAME" { print $2 }' /etc/os-release; }

# Kernels are updated in an archive of their own; this system's name of it, for SUITE.
security_sources()	# SUITE
{
	# shellcheck disable=SC2016 # these are names for apt
	apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT) $(LABEL)' 'Created-By: Packages' |
		sed -n "s/$(this_suite)\(.*\) Debian-Security\$/$1\1/p" | sort -u >"$root/etc/apt/sources.list.d/security.list"
	in_root apt-get update -q
}

# A new root in which this checkout and the cache are where they are here. What is built there is not built here.
enter_host()	# RELEASE
{
	local dir

	enter_root "$1" && security_sources "$1" && mkdir -p build "$tmp/$1.build" || return
	# Terminals are below /dev. What is mounted in the root must not show up outside.
	for dir in "$PWD" "$cache" /dev /dev/pts; do
		mkdir -p "$root$dir" && mount --bind --make-private "$dir" "$root$dir" || return
	done
	mount --bind "$tmp/$1.build" "$root$PWD/build"
}

# A new root that has the packages, in /packages.
enter_root_with_packages()	# RELEASE
{
	enter_root "$1" && mkdir "$root/packages" && cp "$packages"/*.deb "$tmp"/packages/*.deb "$root/packages"
}

leave_root()
{
	umount -R "$root" && rm -rf "${tmp:?}/${root##*/}"*
	root=
}

# --- packages ---

# A stand-in for the package of a kernel, with KVM's modules of DIRECTORY under the paths of Debian's. Those of different
# versions are different files with the same content.
kernel_package()	# RELEASE DIRECTORY VERSION
{
	local tree=$tmp/kernel module

	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN" "$tree/usr/lib/modules/$1/kernel/arch/x86/kvm"
	for module in kvm kvm-amd kvm-intel; do
		# Debian 13's modprobe leaves the unpacking to the kernel, which knows no other checksum.
		xz "-$3" -c --check=crc32 "$2/$module.ko" >"$tree/usr/lib/modules/$1/kernel/arch/x86/kvm/$module.ko.xz"
	done
	touch "$tree/usr/lib/modules/$1/modules.order" "$tree/usr/lib/modules/$1/modules.builtin"
	printf '%s\n' "Package: linux-image-$1" "Version: $3" 'Architecture: amd64' 'Maintainer: none' \
		'Description: stand-in' >"$tree/DEBIAN/control"
	# As Debian's kernels do.
	printf '%s\n' '#!/bin/sh' "depmod $1 || :" \
		"if [ -d /etc/kernel/postinst.d ]; then run-parts --report --exit-on-error --arg=$1 /etc/kernel/postinst.d; fi" \
		>"$tree/DEBIAN/postinst"
	printf '%s\n' '#!/bin/sh' "[ \"\$1\" != remove ] || rm -f /usr/lib/modules/$1/modules.*" >"$tree/DEBIAN/prerm"
	chmod 755 "$tree/DEBIAN/"{postinst,prerm}
	dpkg-deb --root-owner-group -Znone -b "$tree" "$tmp/packages/linux-image-$1_$3.deb"
}

# The packages in $packages, and of a newer version as new-*.deb in $tmp/packages.
build_two_versions()
{
	local deb

	packaging/build && mkdir "$tmp/old" && cp "$packages"/*.deb "$tmp/old" &&
	PACKAGE_VERSION=$new_version packaging/build && mv "$packages" "$tmp/new" && mv "$tmp/old" "$packages" || return
	for deb in "$tmp"/new/*.deb; do
		mv "$deb" "$tmp/packages/new-${deb##*/}" || return
	done
}
