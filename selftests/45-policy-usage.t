#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests what memattr-policy says about its arguments before it asks the kernel for anything. Needs no VM.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/policy.sh
fault=$policies/fault.bpf.o

ok "params lists them" run 0 $policy params ratelimit
ok "with their defaults" grep -q '^  rate=1000$' $out
ok "and their help" grep -q 'in the long run \[1..1000000 conversions/s\]' $out
params_json()
{
	run 0 $policy params --json $fault && json_is '.policy == "fault" and
		(.parameters[] | select(.name == "zap_end_add")) == {name: "zap_end_add",
			default: 0, min: -1000000, max: 1000000, unit: "pages",
			help: "added to zap_end [-1000000..1000000 pages]"}' $out
}
ok "params --json" params_json
ok "no such policy" fails 6 "there is no policy 'nosuch'" 'one of these' \
	$policy load nosuch --all
ok "the existing ones are listed" grep -q '^  ratelimit$' $err
ok "audit is not among them" lacks audit $err
ok "audit is not a policy" fails 6 "there is no policy 'audit'" 'one of these' $policy load audit --all
ok "but it has parameters" sh -c "$policy params audit | grep -q '^  min_pages=0$'"
ok "audit: an unknown parameter" fails 2 "audit has no parameter 'pages'" 'parameters of audit' \
	$policy audit pages=1
ok "audit: a ring that is too small" fails 2 'ring_kib=1 is out of range' 'ring_kib=VALUE' \
	$policy audit ring_kib=1
ok "audit: --vm without --pid" run 2 $policy audit --vm 3
ok "no such file" fails 6 'cannot read ./nosuch.bpf.o: No such file' '' \
	$policy load ./nosuch.bpf.o --all
ok "no object file" fails 6 'Makefile is not a policy' 'make policies' \
	$policy load ./Makefile --all
ok "an object, but no policy" fails 6 'has no struct kvm_memattr_ops' 'MEMATTR_OPS' \
	$policy load build/selftests/policy/no_policy.bpf.o --all
ok "an unknown parameter" fails 2 "ratelimit has no parameter 'rat'" 'parameters of ratelimit' \
	$policy load ratelimit --all rat=1
ok "the existing ones are listed" grep -q '^  burst=' $err
# bad_value PARAMETER=VALUE WORDS: checks that the value is refused, and that the message has WORDS.
bad_value()
{
	fails 2 "$2" 'try: [a-z_]*=VALUE' $policy load $fault --all $1
}
ok "no number" bad_value turns=many "'many' is not a number"
ok "an empty value" bad_value turns= "'' is not a number"
ok "below the range" bad_value turns=-1 'out of range, which is 0 to 8000000 turns'
ok "above the range" bad_value turns=9M 'out of range, which is 0 to 8000000 turns'
ok "above the type" bad_value attach_ret=3G 'out of range, which is -2147483648 to 2147483647'
ok "above all types" bad_value attach_ret=99999999999999999999 'too large'
ok "an unknown suffix" bad_value turns=1X 'k, M, G or T'
ok "a count for a time" bad_value pause_us=1k 'ns, us, ms, s or min'
ok "a fraction of what has no parts" bad_value turns=1.2345k 'finer than'
ok "two points" bad_value turns=1.5.5k 'is not a number'
ok "a point alone" bad_value turns=1. 'is not a number'
ok "a minus alone" bad_value attach_ret=- 'is not a number'
ok "finer than the unit" bad_value pause_us=1500ns 'finer than'
# Loads nothing, even on a host that could, because there is no right to.
powerless=
[ "$(id -u)" -ne 0 ] || powerless='setpriv --bounding-set -all --inh-caps -all'
takes()
{
	run 3 $powerless $policy load $fault --all "$1"
}
# value_is BAD GOOD: of two settings beside each other, one is out of range, and the other is not.
value_is()
{
	fails 2 "out of range" 'try: ' $policy load $fault --all "$1" && takes "$2"
}
ok "a fraction, with a suffix" value_is turns=8.000001M turns=7.999999M
ok "a large K" value_is turns=8001K turns=8000K
ok "with a blank, as in a table" value_is "turns=8001 k" "turns=8000 k"
ok "a leading 0 is not octal" value_is turns=08000001 turns=08000000
ok "hexadecimal" value_is turns=0x7A1201 turns=0x7a1200
ok "a plus" value_is turns=+8000001 turns=+8000000
ok "a truth value in capitals" takes flag=TRUE
ok "no truth value" bad_value flag=maybe 'neither true nor false'
ok "no parameter at all" fails 2 "'fast' does not set a parameter" 'memattr-policy params' \
	$policy load ratelimit --all fast
ok "a wrong option" run 2 $policy load ratelimit --nosuch
ok "no target" run 2 $policy load ratelimit
ok "two targets" run 2 $policy load ratelimit --all --pid 1
ok "a wrong pid" run 2 $policy load ratelimit --pid 0
ok "a wrong command" run 2 $policy reload
ok "help names audit" sh -c "$policy --help | grep -q '^  audit '"
ok "help names the exit statuses" sh -c "$policy --help | grep -q '^  10  load: the kernel ejected'"

# --- where policies come from ---
elsewhere()
{
	mkdir -p $tmp/build/bpf && cp build/bpf/seal.bpf.o $tmp/build/bpf/mine.bpf.o &&
		cp build/bpf/seal.bpf.o $tmp/mine.bpf.o || return 1
	(cd $tmp && "$@")
}
ok "not from below the working directory" elsewhere fails 6 "there is no policy 'mine' in $PWD/build/bpf" \
	'has a slash' $PWD/$policy params mine
ok "not from the working directory" elsewhere fails 6 "there is no policy 'mine.bpf.o'" 'has a slash' \
	$PWD/$policy params mine.bpf.o
ok "but by a path with a slash" elsewhere run 0 $PWD/$policy params ./mine.bpf.o
ok "and the checkout's own, from anywhere" elsewhere run 0 $PWD/$policy params seal
installed()
{
	mkdir -p $tmp/sbin && cp $policy $tmp/sbin && elsewhere fails 6 "there is no policy 'seal' in /.*memattr" \
		'has a slash' $tmp/sbin/memattr-policy params seal
}
ok "an installed program takes only those that are installed" installed
ok "a policy that would look like none" fails 6 "a policy called 'none' would look like no policy" \
	'another name' $policy load $policies/name_none.bpf.o --all

# --- output that is lost ---
full()
{
	"$@" >/dev/full 2>$err
	status=$?
	[ $status -eq 1 ] && grep -q 'cannot write.*: No space left on device' $err
}
closed()
{
	"$@" >&- 2>$err
	status=$?
	[ $status -eq 1 ] && grep -q 'cannot write.*: Bad file descriptor' $err
}
for command in "params ratelimit" "params --json ratelimit" "params audit" --version --help "load --help"; do
	ok "$command: a full disk" full $policy $command
	ok "$command: stdout is closed" closed $policy $command
done
finish
