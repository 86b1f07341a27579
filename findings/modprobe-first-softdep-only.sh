#!/bin/sh
# modprobe uses only the first softdep line that names a module and ignores all others.
#
# Version:  kmod 30 (Debian 12: 30+20221128-1).
# Expected: modprobe.d(5) describes softdep as a line that names optional dependencies, which are
#           loaded before or after the module. Files in modprobe.d add up: two "options" lines for
#           one module in two files are both applied. So two softdep lines should both count, and
#           they should add to the softdep that the module carries itself (modules.softdep).
# Seen:     The first line in the order of the files wins. The second one and the module's own
#           are ignored without a message, while both options lines are applied.
# Effect:   A host where one file says "softdep kvm_amd pre: A" to bind a device early, and another
#           one "softdep kvm_amd pre: B", loads A only; a one-line file of an administrator also
#           removes what the module's author asked for. All names have to go in one line.
#
# The script makes three modules and a small module folder of its own and only asks modprobe
# what it would load. It needs apt-get, dpkg-deb and a C compiler.
# Exit status: 0 as described, 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download kmod=30+20221128-1 libkmod2=30+20221128-1 ||
	{ echo "not tried: the packages are not offered here; run apt-get update" >&2; exit 2; }
for deb in *.deb; do
	dpkg-deb -x "$deb" root
done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu*)
export LD_LIBRARY_PATH
ln -s kmod root/bin/modprobe
ln -s kmod root/bin/depmod

# One argument names the module, a second one is the softdep that it carries.
make_module() {
	{
		echo '#define INFO(tag) static const char tag[] __attribute__((section(".modinfo"), used))'
		echo "INFO(name) = \"name=$1\";"
		echo 'INFO(license) = "license=GPL";'
		[ $# -lt 2 ] || echo "INFO(softdep) = \"softdep=$2\";"
	} > "$1.c"
	cc -c -o "host/lib/modules/1.0/kernel/$1.ko" "$1.c"
}

# It prints the modules that would be loaded, with their options.
would_load() {
	root/bin/modprobe -d "$work/host" -C "$work/config" -S 1.0 --show-depends machine |
		sed 's,^insmod .*/,,; s,\.ko,,; s, *$,,'
}

mkdir -p host/lib/modules/1.0/kernel config
for module in own first second; do
	make_module "$module"
done
make_module machine "pre: own"
touch host/lib/modules/1.0/modules.order host/lib/modules/1.0/modules.builtin \
	host/lib/modules/1.0/modules.builtin.modinfo
root/bin/depmod -b "$work/host" 1.0

would_load > module_alone
echo 'softdep machine pre: first' > config/10-first.conf
echo 'softdep machine pre: second' > config/20-second.conf
echo 'options machine a=1' > config/30-options.conf
echo 'options machine b=1' > config/40-options.conf
would_load > two_files

echo "kmod 30 would load, with the softdep of the module alone: $(paste -sd' ' module_alone)"
echo "with two softdep and two options lines in four files:     $(paste -sd' ' two_files)"
[ "$(paste -sd, module_alone)" = "own,machine" ] ||
	{ echo "CHANGED: the module's own softdep is not used, the comparison says nothing"; exit 1; }
[ "$(paste -sd, two_files)" = "first,machine a=1 b=1" ] ||
	{ echo "CHANGED: not only the first softdep line is used now"; exit 1; }
echo "as described: both options lines are used, but of three softdeps only the first"
