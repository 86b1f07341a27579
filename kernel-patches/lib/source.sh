# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Pristine kernel source: from KERNEL_SRC into the cache, and out of it into
# directories.  A "base" is the git tree of a pristine source.

# Version of the source tree DIRECTORY, which came as SPEC; ends with the
# reason if the series cannot be for it.
check_version()	# DIRECTORY SPEC
{
	local version

	if [ ! -f "$1/Makefile" ] || [ ! -f "$1/Kbuild" ]; then
		die "$2 holds no kernel source"
	fi
	version=$(awk '$2 == "=" && /^(VERSION|PATCHLEVEL|SUBLEVEL) / { printf "%s%s", dot, $3; dot = "." }
		       /^NAME/ { exit }' "$1/Makefile")
	case $version in
	$SERIES_VERSION.*) echo "$version" ;;
	*) die "$2 is Linux ${version:-of unknown version}, the series needs $SERIES_VERSION.y" ;;
	esac
}

# Records the tree in INDEX as a base, and prints it.
commit_base()	# INDEX VERSION
{
	local base commit

	base=$(GIT_INDEX_FILE=$1 repo_git write-tree)
	commit=$(repo_git commit-tree "$base" -m "Linux $2")
	repo_git update-ref "refs/heads/base-$base" "$commit"
	echo "$base"
}

commit_of() { repo_git rev-parse "refs/heads/base-$1"; }	# BASE

# What messages call it: "Linux 6.12.y".
name_of() { repo_git log -1 --format=%s "refs/heads/base-$1"; }	# BASE

record_directory()	# DIRECTORY
{
	local version index

	version=$(check_version "$1" "$1")
	# The index stays, so that next time only changed files are read.
	index=$cache/source/$(echo "$1" | hash_of).index
	(cd "$1" && GIT_INDEX_FILE=$index repo_git --work-tree=. add -A .)
	commit_base "$index" "$version"
}

# Writes the base and the version of a tarball to MEMO.  What was unpacked
# becomes the directory that is built in.
record_tarball()	# TARBALL MEMO
{
	local new dir version base

	# Somebody else may have done it while this process waited for the lock.
	[ ! -f "$2" ] || return 0
	new=$(scratch)
	say "unpacking $1"
	tar --no-same-owner -C "$new" -xf "$1" || die "$1: cannot unpack"
	dir=$(echo "$new"/*)
	[ -d "$dir" ] || die "$1 holds more than one directory"
	version=$(check_version "$dir" "$1")
	say "recording Linux $version"
	GIT_INDEX_FILE=$new/index repo_git --work-tree="$dir" add -A -f .
	base=$(commit_base "$new/index" "$version")
	if [ ! -d "$cache/src-$base" ]; then
		mkdir "$new/src"
		mv "$dir" "$new/src/linux"
		mv "$new/index" "$new/src/index"
		mv -T "$new/src" "$cache/src-$base"
	fi
	echo "$base $version" >"$new/memo"
	mv "$new/memo" "$2"
}

# The tree or tarball that KERNEL_SRC stands for.
source_spec()
{
	local spec=${KERNEL_SRC:-/usr/src/linux-source-$SERIES_VERSION.tar.xz}

	if [ ! -e "$spec" ]; then
		[ -z "${KERNEL_SRC:-}" ] || die "KERNEL_SRC=$spec does not exist"
		die "$spec is missing: 'make deps' installs linux-source-$SERIES_VERSION," \
		    "or set KERNEL_SRC= to a tree or tarball of Linux $SERIES_VERSION.y"
	fi
	realpath "$spec"
}

# Prints the base that KERNEL_SRC stands for.  With "known" nothing is
# unpacked for it: the status is 1 if that would be necessary.
find_base()	# [known]
{
	local spec memo

	spec=$(source_spec)
	init_cache
	if [ -d "$spec" ]; then
		with_lock "$cache/source/lock" record_directory "$spec"
		return
	fi
	memo=$cache/source/$(stat -c '%n %s %Y' "$spec" | hash_of)
	if [ ! -f "$memo" ]; then
		[ "${1:-}" != known ] || return 1
		need tar xz
		with_lock "$cache/source/lock" record_tarball "$spec" "$memo"
	fi
	cut -d ' ' -f 1 "$memo"
}

# Makes the directory WORK/linux the tree TREE; files that stay the same are
# not touched, so that make rebuilds only what differs.  The caller holds WORK/lock.
checkout()	# WORK TREE
(
	# shellcheck disable=SC2030,SC2031 # for git in this subshell only
	export GIT_INDEX_FILE=$1/index
	mkdir -p "$1/linux"
	# A process that was killed may have left git's own lock.
	rm -f "$GIT_INDEX_FILE.lock"
	repo_git --work-tree="$1/linux" read-tree --reset -u "$2"
	# Somebody may have edited files there, or interrupted a checkout.
	repo_git --work-tree="$1/linux" update-index -q --refresh >/dev/null || :
	cd "$1/linux" || exit
	repo_git --work-tree=. diff-files -z --name-only | repo_git --work-tree=. checkout-index -f -z --stdin
)

# Prints a directory with the base's source.  It may be patched: builds use it as well.
source_directory()	# BASE
{
	local work=$cache/src-$1

	[ -e "$work/linux/Makefile" ] || with_lock "$work/lock" checkout "$work" "$1"
	echo "$work/linux"
}

print_source()
{
	local base

	base=$(find_base)
	source_directory "$base"
}
