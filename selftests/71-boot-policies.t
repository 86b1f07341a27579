#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# policies.d: memattr-policy apply and watch, and the units that run them.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 1200 -- env KERNEL_DIR="$(kernel-patches/kernel path "$patched")"
. selftests/lib/policy.sh

rules=$tmp/policies.d

# rule NAME LINE...: a file of policies.d.
rule()
{
	name=$1
	shift
	mkdir -p $rules
	printf '%s\n' '[policy]' "$@" >$rules/$name.conf
}

# under POLICY SCOPE [PID]: waits until the VM is under this policy, because watch needs a moment.
under()
{
	soon state_of "${3:-$vm}" "policy: $1" "scope: $2"
}

attached() { run 0 $policy list --json && [ "$(jq length $out)" = "$1" ]; }
link_id() { run 0 $policy list --json && jq '.[0].link_id' $out; }

# --- files that are wrong: see also 70-policy-files.t ---
rule 10-wrong 'file = template' 'vms = all'
rule 20-second 'file = seal' 'vms = all'
ok "refused: two policies for all VMs" fails 2 '20-second.conf: .*10-wrong.conf has a policy' 'keep one' \
	$policy apply $rules
ok "the other file is in force" attached 1
run 0 $policy detach --all
rm -r $rules
ok "a folder that is not there has no rules" run 0 $policy apply $rules
rule 10-wrong 'file = nosuch' 'vms = all'
ok "refused: no such policy" fails 6 '10-wrong.conf is not in force for all VMs' "no policy 'nosuch'" \
	$policy apply $rules
rule 10-wrong 'file = ratelimit' 'vms = all' '[parameters]' 'rate = fast'
ok "refused: a parameter that is wrong" fails 2 '10-wrong.conf is not in force' 'rate=VALUE' $policy apply $rules
ok "and nothing is attached" attached 0
rm -r $rules

# --- all VMs ---
start_vm
rule 10-all '# A comment' 'file=ratelimit' 'vms =all' 'budget-us = 500000' '' '[parameters]' 'rate = 1' 'burst = 3'
ok "apply attaches a policy for all VMs" run 0 $policy apply $rules
ok "to the VM that runs" state 'policy: ratelimit' 'scope: all' 'budget_us: 500000'
link=$(link_id)
ok "there is a link" test "$link" -gt 0
ok "and pins it" test -e /sys/fs/bpf/memattr/all
ok "with its parameters" vm_at_once 'ok ok ok EAGAIN' 'private 0x1000 1' 'private 0x1001 1' 'private 0x1002 1' \
	'private 0x1003 1'

# The second apply takes the same link: the VM was never without a policy.
rule 10-all 'file = ratelimit' 'vms = all' '[parameters]' 'burst = 1k'
ok "apply once more replaces it" run 0 $policy apply $rules
ok "on the same link" test "$(link_id)" = "$link"
ok "without a gap" state 'policy: ratelimit' "link_id: $link" 'exit_kind: replaced'
ok "with the new parameters" vm ok private 0x1003 1
rule 10-all 'file = nosuch' 'vms = all'
ok "a rule that is wrong leaves the old policy in force" run 6 $policy apply $rules
ok "which governs on" state 'policy: ratelimit' "link_id: $link"
rm $rules/10-all.conf
ok "a rule that is gone detaches its policy" run 0 $policy apply $rules
ok "and says so" grep -q "^link $link: detached, because no file asks for it" $out
ok "the VM is free" state 'policy: none'
ok "nothing is left" nothing_left
ok "no pin is left" test -z "$(ls /sys/fs/bpf/memattr)"
end_vm

# --- with the rights that the unit gives, a VM of another user ---
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' packaging/systemd/memattr-policies.service |
	sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]')
as_unit() { setpriv --no-new-privs --bounding-set=-all,$capabilities "$@"; }
chmod 666 /dev/kvm
start_by_hand 8 9 setpriv --reuid=65534 --regid=65534 --clear-groups $vmsh
vm=$started
rule 10-user 'file = template' 'vms = name:vmsh'
ok "the unit's rights suffice" run 0 as_unit $policy apply $rules
ok "for a VM of another user" state 'policy: template' 'scope: vm'
ok "and to replace its policy" run 0 as_unit $policy apply $rules
rm $rules/10-user.conf
ok "and to detach it" run 0 as_unit $policy apply $rules
ok "nothing is left" nothing_left
end_vm

# --- policies that were attached by hand ---
start_vm
run 0 $policy load template --all --pin
rule 10-all 'file = ratelimit' 'vms = all'
ok "a policy that was attached by hand stays" fails 5 'a policy that no such file asked for, .* governs all VMs; it stays' \
	'memattr-policy detach --link [0-9]*; memattr-policy apply' $policy apply $rules
ok "and governs on" state 'policy: template' 'scope: all'
rm $rules/10-all.conf
ok "no rule: it stays, too" run 0 $policy apply $rules
ok "and governs on" state 'policy: template' 'scope: all'
run 0 $policy detach --all
end_vm

# --- by name and cgroup, and VMs to come ---
start_watch()
{
	$policy watch $rules >$tmp/watch 2>&1 &
	watch=$!
}
end_watch()
{
	kill $watch
	wait $watch 2>/dev/null
}
rule 10-all 'file = template' 'vms = all'
rule 20-web 'file = seal' 'vms = name:web-*' 'vms = cgroup:/shop/*'
start_watch
start_guest other --scenario ping-pong --mem 1 --count 1
ok "watch: a VM that no rule names is under the policy for all VMs" under template all $guest-$guest_fd
go_guest
wait $guest
start_guest web-1 --scenario ping-pong --mem 1 --count 1
ok "watch: a new VM comes under the policy of its name" under seal vm $guest-$guest_fd
go_guest
wait $guest
start_guest web-2 --scenario ping-pong --mem 1 --count 1
ok "watch: so does the next" under seal vm $guest-$guest_fd
run 0 $policy detach --pid $guest
ok "a policy that somebody detached" state_of $guest-$guest_fd 'exit_kind: detach'
start_vm
ok "does not come back with the next VM" state_of $guest-$guest_fd 'exit_kind: detach'
ok "but with apply" run 0 $policy apply $rules
ok "which attaches it" under seal vm $guest-$guest_fd
go_guest
wait $guest
end_vm

mkdir -p /sys/fs/cgroup/shop/one
echo $$ >/sys/fs/cgroup/shop/one/cgroup.procs
start_vm
echo $$ >/sys/fs/cgroup/cgroup.procs
ok "watch: a new VM comes under the policy of its cgroup" under seal vm
end_vm
end_watch
ok "watch has nothing to complain about" test "$(grep -c 'memattr-policy:' $tmp/watch)" = 0
start_vm
ok "the policy for all VMs stays when watch ends" state 'policy: template' 'scope: all'
end_vm
rm $rules/*
ok "it leaves when no file asks for it" run 0 $policy apply $rules
ok "nothing is left" nothing_left

# --- KVM is loaded later ---
modules=
for module in kvm_amd kvm_intel; do
	[ -d /sys/module/$module ] && modules=$module
done
rmmod_kvm() { busybox rmmod $modules && busybox rmmod kvm; }
rule 10-all 'file = template' 'vms = all'
# The last references to KVM go some time after the last policy.
ok "KVM is unloaded" soon rmmod_kvm
ok "apply without KVM" fails 3 'KVM is not loaded' 'modprobe' $policy apply $rules
start_watch
busybox insmod "$KERNEL_DIR/modules/kvm.ko"
busybox insmod "$KERNEL_DIR/modules/$(echo $modules | tr _ -).ko"
start_vm
ok "watch attaches the policy for all VMs when KVM is loaded" under template all
end_vm
end_watch
rm $rules/*
run 0 $policy apply $rules
ok "nothing is left" nothing_left
finish
