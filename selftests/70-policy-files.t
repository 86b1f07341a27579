#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Files of policies.d that are wrong: memattr-policy apply names the line and what to write instead. No VM is needed.
. "$(dirname "$0")/lib/test.sh"
# What apply remembers is in /run.
if [ -z "$inside" ]; then
	rm -rf "$tmp"
	exec unshare -rm sh -c 'for dir in /run /sys/module; do mount -t tmpfs none $dir || exit; done && exec "$@"' \
		sh "$script" in-vm
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. selftests/lib/policy.sh

rules=$tmp/policies.d
mkdir $rules

# rule LINE...: a file of policies.d.
rule()
{
	printf '%s\n' '[policy]' "$@" >$rules/10-wrong.conf
}

# wrong CAUSE NEXT LINE...
wrong()
{
	cause=$1 next=$2
	shift 2
	rule "$@"
	ok "refused: $cause" fails 2 "$cause" "$next" $policy apply $rules
}
wrong 'it names no policy' 'file = NAME' 'vms = all'
wrong 'it selects no VMs' 'vms = all' 'file = template'
wrong 'line 3: this does not select VMs' 'cgroup:PATTERN' 'file = template' 'vms = web'
wrong 'line 2: there is no such setting' 'file, vms or budget-us' 'policy = template'
wrong 'line 3: there is a second policy' 'another file' 'file = template' 'file = seal'
wrong 'excludes other lines' 'another file' 'file = template' 'vms = all' 'vms = name:a'
wrong 'line 4: the budget is not a number' 'MICROSECONDS' 'file = template' 'vms = all' 'budget-us = -1'
wrong 'line 4: the budget is not a number' 'MICROSECONDS' 'file = template' 'vms = all' 'budget-us = 1s'
wrong 'line 2: the name or the value is missing' 'NAME = VALUE' 'file ='
wrong 'line 4: this is neither' 'NAME = VALUE' 'file = template' 'vms = all' '[parameter]'
printf 'file = template\n' >$rules/10-wrong.conf
ok "refused: a setting outside of a section" fails 2 'line 1: a section must come' 'policy' $policy apply $rules
rule 'file = template'
printf '[policy]\nvms = all\n' >$rules/20-wrong.conf
ok "two wrong files: both are named" eval 'fails 2 "10-wrong.conf: it selects" "20-wrong.conf: it names" $policy apply $rules'
rm $rules/*
ok "no files: nothing to do" run 0 $policy apply $rules
cp packaging/examples/*.conf $rules
ok "the examples are not wrong, but there is no KVM for them" fails 3 'KVM' '' $policy apply $rules
finish
