# SPDX-License-Identifier: GPL-2.0
# A root of Debian's in $root.
# shellcheck shell=bash

in_root() { chroot "$root" "$@"; }

# All that is in the root, but not what dpkg and apt write of themselves.
list_root()
{
	(cd "$root" && find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./packages -o \
		-path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \) -prune -o \
		-printf '%y %p %l\n' | sort)
}
