#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A policy is compiled by clang or not at all: gcc-bpf ends with 0, but its objects have no relocations.
. "$(dirname "$0")/lib/test.sh"
libbpf=$(sed -n 's/^LIBBPF_DIR := //p' build/deps.mk)
multiarch=$(gcc -print-multiarch)

# compiles COMPILER...: what it says about a policy.
compiles()
{
	"$@" -g -O2 -Wall -Werror -Ibpf/include -I"$libbpf/include" -idirafter "/usr/include/$multiarch" \
		-c bpf/template.bpf.c -o "$tmp/template.bpf.o" 2>&1
}

refused()
{
	compiles "$@" >"$tmp/errors" && { echo "$* compiles it"; return 1; }
	grep '#error.*clang -target bpf' "$tmp/errors" || { cat "$tmp/errors"; return 1; }
}

ok "clang compiles a policy" compiles "${CLANG:-clang-19}" -target bpf
ok "gcc is refused, with the reason" refused gcc
if command -v bpf-gcc >/dev/null; then
	ok "bpf-gcc is refused, with the reason" refused bpf-gcc
fi
finish
