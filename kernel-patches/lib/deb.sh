# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian packages of the patched kernel, for a real host.

readonly DEB_OUT=build-deb/linux

host_config()
{
	local config packaged=/usr/src/linux-config-$SERIES_VERSION/config.amd64_none_amd64.xz

	config=/boot/config-$(uname -r)
	if [ -n "${KERNEL_CONFIG:-}" ]; then
		cat "$KERNEL_CONFIG"
	elif [ -e "$config" ]; then
		cat "$config"
	elif [ -e "$packaged" ]; then
		xz -dc "$packaged"
	else
		die "no configuration: set KERNEL_CONFIG=FILE, or install linux-config-$SERIES_VERSION"
	fi
}

# What a host's configuration must have for the series.
series_options()
{
	cat <<-END
		CONFIG_KVM_SW_PROTECTED_VM=y
		CONFIG_KVM_MEMATTR_BPF=y
		CONFIG_DEBUG_INFO_BTF=y
	END
}

# Debian's own keys and certificates are not here; a host without module
# signing does not miss them.
deb_options()
{
	series_options
	cat <<-END
		CONFIG_LOCALVERSION="-memattr"
		CONFIG_LOCALVERSION_AUTO=n
		CONFIG_SYSTEM_TRUSTED_KEYS=""
		CONFIG_MODULE_SIG_KEY="certs/signing_key.pem"
		CONFIG_DEBUG_INFO_NONE=n
		CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y
	END
}

make_packages()	# SRC LOG CONFIG
{
	local src=$1 log=$2

	{ echo "$3"; deb_options; } >"$src/$DEB_OUT/.config"
	run_logged olddefconfig configuration "$log" make -C "$src" O="$DEB_OUT" olddefconfig
	series_options | check_config "$src" "$src/$DEB_OUT/.config"
	rm -f "$src"/build-deb/*.deb
	# Packages land beside the build directory.  No -dbg package: it takes
	# as long to pack as the kernel takes to build.
	run_logged packages packages "$log" make -C "$src" O="$DEB_OUT" -j"$jobs" bindeb-pkg \
		DEB_BUILD_PROFILES=pkg.linux-upstream.nokerneldbg
}

build_packages()	# WORK TREE CONFIG DESTINATION
{
	local work=$1 src=$1/linux log=$cache/log/deb.log

	: >"$log"
	say "building packages; with a distribution's configuration this takes hours on a small machine"
	checkout "$work" "$2"
	guarded_build "$src/$DEB_OUT" -- make_packages "$src" "$log" "$3"
	mkdir -p "$4"
	mv "$src"/build-deb/*.deb "$4/"
	ls "$4"/*.deb
}

build_deb()
{
	local config base tree

	need make gcc ld bc bison flex pahole dpkg-buildpackage rsync cpio
	config=$(host_config)
	base=$(find_base)
	tree=$(patched_tree "$base")
	with_lock "$cache/src-$base/lock" build_packages "$cache/src-$base" "$tree" "$config" \
		"${DEB_DIR:-$top/build/deb}"
}
