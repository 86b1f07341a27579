#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-patches/kernel: what it refuses, that the cache trusts only finished
# builds, and the way from series to tree and back.  The source here is a few
# files with a kernel's targets, so that a build can be stopped where it
# matters; real builds are what the other tests run on.
. "$(dirname "$0")/lib/test.sh"

# says STATUS PATTERN COMMAND...: checks COMMAND's exit status and stderr; the
# pattern "" matches any output, "-" only none.
says()
{
	local want=$1 pattern=$2 status=0
	shift 2
	"$@" >"$tmp/stdout" 2>"$tmp/stderr" || status=$?
	cat "$tmp/stdout" "$tmp/stderr"
	[ $status = "$want" ] || return
	case $pattern in
	'') ;;
	-) [ ! -s "$tmp/stderr" ] ;;
	*) grep -q -- "$pattern" "$tmp/stderr" ;;
	esac
}

# The tool, with a series of its own: only scripts are taken from the checkout.
mkdir -p "$tmp/top/kernel-patches/linux-6.12"
cp -r kernel-patches/{kernel,lib,config,debian} "$tmp/top/kernel-patches/"
kernel=$tmp/top/kernel-patches/kernel
series=$tmp/top/kernel-patches/linux-6.12
export MEMATTR_CACHE=$tmp/cache KERNEL_SRC=$tmp/linux TMPDIR=$tmp
unset KERNEL_TREE

mkdir "$tmp/linux"
ok "KERNEL_SRC that does not exist" says 1 "KERNEL_SRC=.*gone does not exist" env KERNEL_SRC="$tmp/gone" "$kernel" source
ok "KERNEL_SRC that is not a kernel" says 1 "holds no kernel source" "$kernel" source
touch "$tmp/linux/Kbuild"
printf 'VERSION = 6\nPATCHLEVEL = 6\nSUBLEVEL = 1\nEXTRAVERSION =\nNAME = x\n' >"$tmp/linux/Makefile"
ok "KERNEL_SRC of another version" says 1 "is Linux 6.6.1, the series needs 6.12.y" "$kernel" source

# "make bzImage" reports through a fifo that it is half done, and waits to continue.
mkfifo "$tmp/half" "$tmp/go"
cat >"$tmp/linux/Makefile" <<END
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 999
EXTRAVERSION =
NAME = Not a kernel
O := build
conf := \$(O)/\$(or \$(KCONFIG_CONFIG),.config)
allnoconfig:
	: >\$(conf)
olddefconfig:
	sed -i /NOT_THERE/d \$(conf)
bzImage:
	mkdir -p \$(O)/arch/x86/boot
	@for step in 1 2 3; do echo "  CC      \$\$step.o"; done
	echo half >\$(O)/vmlinux
	echo \$\$PPID >$tmp/half
	cat $tmp/go
	cat hello.c >\$(O)/vmlinux
	touch \$(O)/System.map \$(O)/arch/x86/boot/bzImage
modules: bzImage
	@echo "  LD [M]  hello.ko"
arch/x86/kvm/:
	@echo "  CC      arch/x86/kvm/kvm.o"
hello.o:
	@! grep -n bad hello.c || echo "hello.c:3:5: warning: bad"
END
echo 'int hello;' >"$tmp/linux/hello.c"
tar -C "$tmp" -cJf "$tmp/linux.tar.xz" linux

ok "path of what is not built: status 1, nothing said" says 1 - "$kernel" path stock
ok "and no output" [ ! -s "$tmp/stdout" ]
ok "an unknown kind of kernel" says 1 "stock, patched, debug or debian" "$kernel" build best
ok "a source directory" says 0 '' "$kernel" source
from_tree=$(cat "$tmp/stdout")
ok "a tarball of the same" says 0 'unpacking' env KERNEL_SRC="$tmp/linux.tar.xz" "$kernel" source
ok "gives the same tree" [ "$from_tree" = "$(cat "$tmp/stdout")" ]
ok "and is unpacked once" says 0 - env KERNEL_SRC="$tmp/linux.tar.xz" "$kernel" source

# A build that is killed half-way leaves nothing that looks finished.
setsid "$kernel" build stock >"$tmp/build1" 2>&1 &
build=$!
read -r make_pid <"$tmp/half"
{
	kill -9 -$build
	wait $build
} 2>/dev/null
ok "a killed build is not taken for a finished one" says 1 '' "$kernel" path stock
ok "and leaves nothing that looks like one" [ -z "$(ls "$MEMATTR_CACHE/kernel")" ]

# Of two builds at once, the second waits, says so, and finds the work done.
"$kernel" build stock >"$tmp/build1" 2>"$tmp/err1" &
first=$!
read -r make_pid <"$tmp/half"
exec 5<> <("$kernel" build stock 2>&1)
read -r line <&5
ok "a second build waits for the first" expr "$line" : ".*another build.*waiting"
echo >"$tmp/go"
wait $first
ok "the first build ends well" [ $? = 0 ]
read -r second <&5
ok "both name the same directory" [ "$second" = "$(cat "$tmp/build1")" ]
ok "the interruption was noticed" grep -q 'interrupted' "$tmp/err1"
ok "it holds the finished kernel" cmp "$second/vmlinux" "$tmp/linux/hello.c"
ok "path finds it" says 0 '' "$kernel" path stock
ok "a second run builds nothing" says 0 - "$kernel" build stock

# --- how far a build is ---

progress() { bash -c '. kernel-patches/lib/progress.sh; progress_text "$@"' - "$@"; }
for line in "0 3 200 600|0 % of about 200 steps, after 3 s, about 10 min left" \
	"1 20 200 600|0 % of about 200 steps, after 20 s, about 10 min left" \
	"100 50 200 600|50 % of about 200 steps, after 50 s, about 51 s left" \
	"2 700 200 600|1 % of about 200 steps, after 12 min, which is longer than expected" \
	"199 60 200 600|99 % of about 200 steps, after 60 s, about 1 s left" \
	"200 60 200 600|99 %, more than the 200 steps expected, after 60 s" \
	"900 6000 200 600|99 %, more than the 200 steps expected, after 2 h"; do
	read -ra numbers <<<"${line%%|*}"
	ok "steps, seconds, and what was expected: ${numbers[*]}" [ "$(progress "${numbers[@]}")" = "${line#*|}" ]
done

# build_on_terminal PATTERN: a build from the start, until it says PATTERN, and then to its end
build_on_terminal()
{
	local build tries shown=1

	rm -rf "$MEMATTR_CACHE"/kernel/* "$MEMATTR_CACHE"/src-*/linux/build-*
	script -qefc "$kernel build stock" "$tmp/screen" </dev/null >/dev/null &
	build=$!
	read -r make_pid <"$tmp/half"
	for ((tries = 0; tries < 300 && shown; tries++)); do
		sleep 0.1
		if grep -q "$1" "$tmp/screen"; then shown=; fi
	done
	cat "$tmp/screen"
	echo >"$tmp/go"
	wait $build && [ ! "$shown" ]
}
rm -r "$MEMATTR_CACHE/steps"
ok "the first build is told by an estimate" build_on_terminal '0 % of about 2288 steps, .* min left'
ok "the next one by what the last one was" build_on_terminal '75 % of about 4 steps'
echo 2 1 >"$MEMATTR_CACHE/steps/stock-kernel"
ok "one that is longer than the last one" build_on_terminal '99 %, more than the 2 steps expected'
ok "is what the next one expects" grep -q '^4 ' "$MEMATTR_CACHE/steps/stock-kernel"

# An option that kconfig drops.
echo CONFIG_NOT_THERE_KVM_MEMATTR=y >>"$tmp/top/kernel-patches/config/release.config"
echo 'config NOT_THERE_KVM_MEMATTR' >"$tmp/linux/Kconfig"
ok "an option that does not survive kconfig is named" says 1 CONFIG_NOT_THERE_KVM_MEMATTR=y "$kernel" build stock
cp kernel-patches/config/release.config "$tmp/top/kernel-patches/config/"
rm "$tmp/linux/Kconfig"

# --- series, tree and back ---

tree=$tmp/top/linux
commit() { git -C "$tree" -c user.name=A -c user.email=a@example.com commit -q -a -m "$1" --date=@1700000000; }
ok "a tree with an empty series" says 0 '' "$kernel" tree
ok "is the base" cmp "$tree/hello.c" "$tmp/linux/hello.c"
ok "an empty series is fine" says 0 'series is empty' "$kernel" check-series
echo 'int world;' >>"$tree/hello.c"
ok "changes that are not committed are not exported" says 1 'not committed' "$kernel" patches
commit "hello: Add world"
echo 'int again;' >>"$tree/hello.c"
commit "hello: Add again"
ok "commits that are not exported are not thrown away" says 1 'not exported' "$kernel" tree
ok "export" says 0 'wrote 0002' "$kernel" patches
ok "two patches" [ "$(ls "$series")" = "0001-hello-Add-world.patch
0002-hello-Add-again.patch" ]
sum=$(cat "$series"/* | sha256sum)
ok "export again" says 0 - "$kernel" patches
ok "the same bytes" [ "$sum" = "$(cat "$series"/* | sha256sum)" ]
ok "the tree is up to date then" says 0 'up to date' "$kernel" tree
rm -rf "$tree"
ok "a new tree from the series" says 0 '' "$kernel" tree
ok "has what was committed" grep -q again "$tree/hello.c"
"$kernel" patches 2>/dev/null
ok "and exports the same bytes" [ "$sum" = "$(cat "$series"/* | sha256sum)" ]

# The cover letter is made of a text and of the commits.
printf 'hello: Say more\n\nWhy: nobody listens.\n' >"$series/cover-letter.txt"
ok "a cover letter whose text is new is missing" says 1 'export of the series differs' "$kernel" check-series
ok "and is exported" says 0 'wrote 0000-cover-letter.patch' "$kernel" patches
letter=$series/0000-cover-letter.patch
ok "its subject counts the patches" grep -qx 'Subject: \[PATCH 0/2\] hello: Say more' "$letter"
ok "so do those of the patches" grep -qx 'Subject: \[PATCH 2/2\] hello: Add again' "$series/0002-hello-Add-again.patch"
ok "it has the text" grep -qx 'Why: nobody listens.' "$letter"
ok "and the list of patches" grep -q '^  hello: Add again' "$letter"
ok "and nothing to be filled in" [ "$(grep -c '\*\*\*' "$letter")" = 0 ]
sum=$(cat "$series"/*.patch | sha256sum)
rm -rf "$tree"
ok "a tree from a series with a cover letter" says 0 '' "$kernel" tree
ok "has a commit for each patch" [ "$(git -C "$tree" log --format=%s)" = "hello: Add again
hello: Add world
Linux 6.12.999" ]
ok "exports nothing new" says 0 - "$kernel" patches
ok "not even the cover letter" [ "$sum" = "$(cat "$series"/*.patch | sha256sum)" ]
git -C "$tree" checkout -q --detach
ok "without a branch there is no text" says 1 'is not a branch.*checkout -B memattr' "$kernel" patches
git -C "$tree" checkout -q memattr
rm "$series/cover-letter.txt"
ok "a text that is gone" says 0 'removed 0000-cover-letter.patch' "$kernel" patches

"$kernel" patches 2>/dev/null

# --- each patch by itself ---

ok "each patch is compiled" says 0 '2 patches: each compiles without warnings' "$kernel" build-each
ok "in four variants" [ "$(grep -c '^+ .*arch/x86/kvm/ hello.o' "$MEMATTR_CACHE/log/build-each.log")" = 8 ]
ok "and no second time" says 0 '2 patches: each compiles without warnings' "$kernel" build-each
ok "for which nothing is done" [ ! -s "$MEMATTR_CACHE/log/build-each.log" ]
echo 'int bad;' >>"$tree/hello.c"
commit "hello: Add bad"
"$kernel" patches 2>/dev/null
for run in first second; do
	ok "a patch with a warning, the $run time" says 1 '0003-hello-Add-bad.patch (y-n) brings warnings' "$kernel" build-each
done
git -C "$tree" reset -q --hard HEAD^
"$kernel" patches 2>/dev/null

git -C "$tree" reset -q --hard HEAD^
ok "a commit that is gone" says 0 'removed 0002' "$kernel" patches
ok "takes its patch with it" [ "$(ls "$series")" = 0001-hello-Add-world.patch ]
# An adaptation for newer sources, and the part of it that follows the series.
hunk() { printf '%s\n' "diff --git a/hello.c b/hello.c" "--- a/hello.c" "+++ b/hello.c" "@@ -1 +1 @@" "-int $1;" "+int $2;"; }
hunk newer hello >"$tmp/top/kernel-patches/debian/0009-new.patch"
hunk gone newer >"$tmp/top/kernel-patches/debian/0009-new.after.patch"
ok "an adaptation that does not apply is named" \
	says 1 '0009-new.after.patch does not apply to Linux 6.12.999 without 0009-new.patch' "$kernel" check-series
rm "$tmp/top/kernel-patches/debian/0009-new"*

# With a newer series from somebody else the tree is updated, since no work in it is lost.
sed -i 's/world/World/' "$series/0001-hello-Add-world.patch"
ok "the tree follows a changed series" says 0 '' "$kernel" tree
ok "to the new text" grep -q World "$tree/hello.c"
sed -i 's/int hello/int other/' "$series"/*.patch
ok "a patch that does not apply is named" says 1 '0001-hello-Add-world.patch does not apply to Linux 6.12.999' \
	"$kernel" check-series

mkdir "$tmp/mine"
touch "$tmp/mine/file"
ok "clean refuses a directory that is not the cache" says 1 'does not look like' env MEMATTR_CACHE="$tmp/mine" "$kernel" clean
ok "clean" says 0 '' "$kernel" clean
ok "leaves nothing" [ ! -e "$MEMATTR_CACHE" ]

finish
