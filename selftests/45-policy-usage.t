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
ok "audit is not a policy" fails 6 'audit is not a policy' 'try: memattr-policy audit$' $policy load audit --all
ok "not by its path either" fails 6 'audit.bpf.o is not a policy' 'try: memattr-policy audit$' \
	$policy load build/bpf/audit.bpf.o --all
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
ok "an unknown suffix" bad_value turns=1T 'k, M or G'
ok "a count for a time" bad_value pause_us=1k 'ns, us, ms or s'
ok "finer than the unit" bad_value pause_us=1500ns 'finer than'
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
finish
