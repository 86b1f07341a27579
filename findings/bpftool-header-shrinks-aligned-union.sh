#!/bin/sh
# bpftool's C header makes an aligned union smaller and moves the members that follow it.
#
# Version:  bpftool 7.1.0 with libbpf 1.1 (Debian 12), BTF made by pahole 1.24 (1.24-4.1).
# Expected: bpftool-btf(8) offers "btf dump file FILE format c" as the C syntax of the types. BTF
#           records the size of each type and the offset of each member, and bpftool does write
#           unnamed bit-fields into a structure that is aligned to a cache line, so that it keeps
#           its size. The same should hold for a union, which BTF describes in the same way.
# Seen:     The structure keeps its 64 bytes, the union shrinks to the size of its largest member.
#           A table that holds two such unions and a number has its second union at offset 8
#           instead of 64, and the number at 16 instead of 128. The total size of the table is
#           wrong as well. bpftool gives no message and ends with 0.
# Effect:   CO-RE relocates members that a BPF program reads through pointers, which hides the
#           fault there. A program in user space that maps such a table, and a BPF program that
#           walks an array of them, read the wrong bytes. Compare the size and the offsets with
#           those of "format raw" before using such a type.
#
# Needs apt-get, dpkg-deb and a C compiler. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download 'bpftool=7.1.0+6.1.*' pahole=1.24-4.1 \
	libbpf1=1:1.1.2-0+deb12u1 libdw1=0.188-2.1 libelf1=0.188-2.1 ||
	{ echo "not tried: a package is not offered here; run apt-get update" >&2; exit 2; }
for deb in *.deb; do
	dpkg-deb -x "$deb" root
done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu*)
export LD_LIBRARY_PATH

cat > types.h <<'END'
struct aligned_struct {
	unsigned long pages;
} __attribute__((aligned(64)));

struct table_of_structs {
	struct aligned_struct first, second;
	unsigned long count;
};

union aligned_union {
	unsigned long pages;
	unsigned char bytes[8];
} __attribute__((aligned(64)));

struct table_of_unions {
	union aligned_union first, second;
	unsigned long count;
};
END
cat > types.c <<'END'
#include "types.h"
struct table_of_structs structs;
struct table_of_unions unions;
END
cc -g -c types.c
root/usr/bin/pahole --btf_encode_detached=types.btf types.o
root/usr/sbin/bpftool btf dump file types.btf format c > dumped.h

cat > layout.c <<'END'
#include <stddef.h>
#include <stdio.h>
#include HEADER

#define PRINT(kind) \
	printf("aligned %-6s %3zu bytes; in a table, second at %2zu, count at %3zu\n", #kind, \
	       sizeof(kind aligned_##kind), offsetof(struct table_of_##kind##s, second), \
	       offsetof(struct table_of_##kind##s, count))

int main(void)
{
	PRINT(struct);
	PRINT(union);
	return 0;
}
END
for header in types dumped; do
	cc -DHEADER="\"$header.h\"" -o layout layout.c
	./layout > $header.layout
done
echo "source:"
cat types.layout
echo "bpftool's header:"
cat dumped.layout
grep -qxF "aligned union   64 bytes; in a table, second at 64, count at 128" types.layout ||
	{ echo "not tried: the compiler does not align the union to 64 bytes" >&2; exit 2; }
grep -qxF "$(grep struct types.layout)" dumped.layout ||
	{ echo "CHANGED: the aligned structure does not keep its layout either"; exit 1; }
grep -qxF "aligned union    8 bytes; in a table, second at  8, count at  16" dumped.layout ||
	{ echo "CHANGED: the aligned union does not shrink to 8 bytes"; exit 1; }
echo "as described: the aligned union shrinks from 64 bytes to 8, the structure keeps its 64"
