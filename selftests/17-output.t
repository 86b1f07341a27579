#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a program prints and nobody gets, because the disk is full, is an error of every program of ours, however it
# ends. Needs no VM.
. "$(dirname "$0")/lib/test.sh"

# is_lost PROGRAM ARGUMENT...: says so, and ends with status 1.
is_lost()
{
	program=$1
	shift
	build/bin/$program "$@" >/dev/full 2>"$tmp/err"
	status=$?
	cat "$tmp/err"
	[ $status -eq 1 ] && grep -q "^$program: cannot write.*: No space left on device$" "$tmp/err"
}

# is_printed PROGRAM ARGUMENT...: however a user wants help to look like.
is_printed()
{
	program=$1
	shift
	ARGP_HELP_FMT=rmargin=40,opt-doc-col=12 build/bin/$program "$@" >"$tmp/out" &&
		grep -q "$program" "$tmp/out"
}

for program in memattr-guest memattr-policy memattr-top prefault-trace; do
	for option in --help --usage --version; do
		ok "$program $option" is_printed $program $option
		ok "$program $option: the disk is full" is_lost $program $option
	done
done
for command in load update list show detach params audit why; do
	ok "memattr-policy $command --help: the disk is full" is_lost memattr-policy $command --help
done
ok "memattr-policy params: the disk is full" is_lost memattr-policy params build/bpf/ratelimit.bpf.o
ok "memattr-policy params --json: the disk is full" is_lost memattr-policy params --json build/bpf/ratelimit.bpf.o

# What is wrong already is told once, and keeps its own status.
wrong_usage()
{
	build/bin/memattr-policy load >/dev/full 2>"$tmp/err"
	[ $? -eq 2 ] && lacks 'cannot write' "$tmp/err"
}
ok "wrong usage is told as such" wrong_usage
finish
