#!/bin/sh
# Debian 12's bcc compiles nothing that includes linux/kvm_host.h of the release's newer kernel.
#
# Version:  bcc 0.26.0 (Debian 12: 0.26.0+ds-1), headers of Linux 6.12.117 (6.12.117-1~deb12u1 of Debian 12).
# Expected: bcc compiles a program against the headers of the running kernel. Debian 12 has a package
#           of these headers, so a program can read what its linux/kvm_host.h defines.
# Seen:     "incomplete type 'struct bpf_wq'", and as much of three other types. Headers that do not
#           lead to linux/bpf.h compile, linux/bpf.h by itself does not: where it includes
#           uapi/linux/bpf.h, bcc puts a copy of its own, of before these types.
# Effect:   Tools that read struct kvm or struct kvm_vcpu by bcc need bcc 0.31 (Debian 13), or
#           definitions of the four types before the include. Any size will do, if the program
#           doesn't use them.
#
# Needs apt-get, dpkg-deb and python3; the packages have 49 MB. Exit status: 0 as described,
# 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

kernel=6.12.117
headers=linux-headers-$kernel+deb12
for package in libbpfcc=0.26.0+ds-1 python3-bpfcc=0.26.0+ds-1 libclang-cpp14=1:14.0.6-12 libllvm14=1:14.0.6-12 \
	libbpf1=1:1.1.2-0+deb12u1 "$headers-amd64=$kernel-1~deb12u1" "$headers-common=$kernel-1~deb12u1"; do
	apt-get -qq -o APT::Sandbox::User=root download "$package" ||
		{ echo "not tried: $package is not offered here; run apt-get update" >&2; exit 2; }
done
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done
# bcc looks for them below one folder.
cp -r "root/usr/src/$headers-common" source
cp -r "root/usr/src/$headers-amd64/." source
export BCC_KERNEL_SOURCE="$PWD/source" BCC_LINUX_VERSION_CODE=$((6 << 16 | 12 << 8 | 117))
LD_LIBRARY_PATH=$(echo "$PWD"/root/usr/lib/*-linux-gnu)
PYTHONPATH=$PWD/root/usr/lib/python3/dist-packages
export LD_LIBRARY_PATH PYTHONPATH

# Prints what comes of a program that begins with the lines $1, in one word.
compiles() {
	printf '%s\nint nothing(void *ctx) { return 0; }\n' "$1" > program.c
	if python3 -c 'import bcc; bcc.BPF(src_file="program.c", cflags=["-w"])' > log 2>&1; then
		echo yes
	elif grep -q "incomplete type 'struct bpf_wq'" log; then
		echo incomplete
	else
		cat log >&2
		echo no
	fi
}

types=
for type in bpf_wq bpf_rb_root bpf_rb_node bpf_refcount; do
	types="$types struct $type { long any; };"
done
other=$(compiles '#include <linux/mm.h>')
bpf=$(compiles '#include <linux/bpf.h>')
kvm=$(compiles '#include <linux/kvm_host.h>')
with_types=$(compiles "$types
#include <linux/kvm_host.h>")
echo "linux/mm.h: $other"
echo "linux/bpf.h: $bpf"
echo "linux/kvm_host.h: $kvm"
echo "linux/kvm_host.h after definitions of the types: $with_types"
[ "$other" = yes ] || { echo "CHANGED: linux/mm.h does not compile"; exit 1; }
[ "$bpf" = incomplete ] || { echo "CHANGED: linux/bpf.h"; exit 1; }
[ "$kvm" = incomplete ] || { echo "CHANGED: linux/kvm_host.h"; exit 1; }
[ "$with_types" = yes ] || { echo "CHANGED: it takes more than the types"; exit 1; }
echo "as described: bcc's own copy of uapi/linux/bpf.h does not suit the kernel's headers"
