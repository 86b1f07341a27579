#!/bin/sh
# The version of an exported kernel symbol stays the same when a structure's layout changes.
#
# Version:  genksyms of Linux 6.1 (Debian 12: linux-kbuild-6.1).
# Expected: with CONFIG_MODVERSIONS, the kernel's Documentation/kbuild/modules.rst ("Module
#           Versioning") calls the CRC of a symbol's full prototype an ABI consistency check. It
#           covers the members of the structures behind the arguments; so each change of such a
#           structure's layout should give another CRC, and a module built before should not load.
# Seen:     genksyms reads the text of declarations and skips attributes after a closing brace. The
#           CRC stays the same if the structure becomes packed or aligned(64). It also stays the
#           same if a member's size comes from sizeof() or typeof() of a structure that grows,
#           since those are not followed. Changing a member's type or an enum's value, or giving
#           a single member an alignment, does change the CRC.
# Effect:   A module built for the earlier layout loads without a complaint and reads members at
#           the wrong offset. Compare the types with pahole after such a change, and change a
#           member's type or the function's name as well to make the versions differ.
#
# Needs apt-get, dpkg-deb and a C compiler on a 64-bit machine. Exit status: 0 as described,
# 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download 'linux-kbuild-6.1=6.1.*' ||
	{ echo "not tried: the package is not offered here; run apt-get update" >&2; exit 2; }
dpkg-deb -x linux-kbuild-*.deb root

# $1 declares struct vm. The function prints the CRC of a symbol that uses it and its size.
crc_and_size() {
	{
		echo "$1"
		echo "extern long count_pages(struct vm *vm);"
		echo "__GENKSYMS_EXPORT_SYMBOL(count_pages);"
	} | root/usr/lib/linux-kbuild-6.1/scripts/genksyms/genksyms | sed 's/.* //'
	printf '#include <stdio.h>\n%s\nint main(void) { printf("%%zu bytes\\n", sizeof(struct vm)); }\n' \
		"$1" > size.c
	cc -w -o size size.c
	./size
}

changed=0

# $1 says whether the CRC should be the "same" or "other"; $2 and $3 are the layouts to compare.
compare() {
	crc_and_size "$2" > before
	crc_and_size "$3" > after
	echo "$2"
	echo "        $(paste -sd' ' before)"
	echo "$3"
	echo "        $(paste -sd' ' after)"
	if [ "$(tail -n 1 before)" = "$(tail -n 1 after)" ]; then
		echo "CHANGED: the compiler gives both the same size"
		changed=1
	fi
	seen=other
	[ "$(head -n 1 before)" != "$(head -n 1 after)" ] || seen=same
	if [ "$seen" != "$1" ]; then
		echo "CHANGED: the CRC is the $seen one"
		changed=1
	fi
}

compare other 'struct vm { char id; long pages; };' \
	'struct vm { char id; int pages; };'
compare other 'struct vm { char id; long pages; };' \
	'struct vm { char id; long pages __attribute__((aligned(64))); };'
compare same 'struct vm { char id; long pages; };' \
	'struct vm { char id; long pages; } __attribute__((packed));'
compare same 'struct vm { char id; long pages; };' \
	'struct vm { char id; long pages; } __attribute__((aligned(64)));'
compare same 'struct slot { int a; }; struct vm { char slots[sizeof(struct slot)]; };' \
	'struct slot { int a, b; }; struct vm { char slots[sizeof(struct slot)]; };'
compare same 'struct slot { int a; }; extern struct slot s; struct vm { typeof(s) slot; };' \
	'struct slot { int a, b; }; extern struct slot s; struct vm { typeof(s) slot; };'

[ "$changed" -eq 0 ] || exit 1
echo "as described: 4 of 6 changes of the layout keep the symbol's CRC"
