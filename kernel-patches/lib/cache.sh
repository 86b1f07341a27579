# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The cache: where it is, who may write to it, and git inside of it.

readonly cache=${MEMATTR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/memattr}
readonly repo=$cache/linux.git
# Everything that this process leaves unfinished is in here.
readonly scratch_dir=$cache/tmp/$$-$EPOCHREALTIME

say() { echo "kernel: $*" >&2; }
die() { say "$*"; exit 1; }

need()	# COMMAND...
{
	local missing=() command

	for command; do
		type "$command" >/dev/null 2>&1 || missing+=("$command")
	done
	[ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}; 'make deps' installs what is needed"
}

hash_of() { sha256sum | cut -c1-16; }

# Prints a new directory, which is deleted when the process ends.
scratch()
{
	mkdir -p "$scratch_dir"
	mktemp -d "$scratch_dir/XXXXXX"
}

# Runs COMMAND while no other process works under LOCK.  It runs in a subshell, and so does
# everything that it starts: the lock lasts as long as any of them.
with_lock()	# LOCK COMMAND...
{
	local lock=$1 dir

	dir=$(dirname "$1")
	shift
	mkdir -p "$dir"
	(
		if ! flock -n 8; then
			say "another build uses $dir, waiting for it"
			flock 8
		fi
		"$@"
	) 8>"$lock"
}

# git without anybody's configuration, and with a fixed identity where it
# writes commits: the same input gives the same commit.
plain_git()
{
	env GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
	GIT_AUTHOR_NAME=memattr GIT_AUTHOR_EMAIL=memattr@localhost GIT_AUTHOR_DATE='1767225600 +0000' \
	GIT_COMMITTER_NAME=memattr GIT_COMMITTER_EMAIL=memattr@localhost \
	GIT_COMMITTER_DATE="${COMMITTER_DATE:-1767225600 +0000}" git "$@"
}

repo_git() { plain_git --git-dir="$repo" "$@"; }

create_repo()
{
	local new

	new=$(scratch)/linux.git
	plain_git init -q --bare "$new"
	# The repository is a cache: the time to compress and to sync is not worth it.
	plain_git --git-dir="$new" config core.compression 0
	plain_git --git-dir="$new" config core.fsync none
	plain_git --git-dir="$new" config gc.auto 0
	mv -T "$new" "$repo" 2>/dev/null || [ -d "$repo" ]
}

init_cache()
{
	[ ! -e "$cache/CACHEDIR.TAG" ] || [ ! -d "$repo" ] || return 0
	need git
	mkdir -p "$cache"/{tmp,source,series,kernel,libbpf,debian,log}
	[ -d "$repo" ] || create_repo
	echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$cache/CACHEDIR.TAG"
}

clean_cache()
{
	[ -e "$cache" ] || return 0
	[ -e "$cache/CACHEDIR.TAG" ] || die "$cache does not look like this project's cache"
	rm -rf "$cache"/{tmp,source,series,kernel,libbpf,debian,log,steps,linux.git,src-*,each-*,modules-*,apt-*,CACHEDIR.TAG}
	rmdir "$cache" 2>/dev/null || say "$cache holds other files, which stay"
}
