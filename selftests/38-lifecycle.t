#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests how policies are attached, updated and detached: without a gap, exactly once, with the reason on
# record, whoever dies or sleeps meanwhile. Also tests the counters of all this.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 1500
. selftests/lib/policy.sh
fault=$policies/fault.bpf.o
refuse=$policies/refuse.bpf.o
count=$policies/count.bpf.o
stall=$policies/stall.bpf.o

# --- update: one VM ---
start_vm
ok "update: there is no policy" fails 1 "VM $vm-$vms (vmsh) has no policy" \
	"memattr-policy load template --pid $vm$" $policy update template --pid $vm
ok "update --all: there is no policy" fails 1 'there is no policy for all VMs' \
	'memattr-policy load template --all$' $policy update template --all
start_loader template --pid $vm
link=${attached##* }
vm ok private 0x1100 1
ok "update" run 0 $policy update $fault --pid $vm --budget-us 5000000 convert_ret=-1
ok "says what it did" grep -qx \
	"fault: took over from template on VM $vm-$vms (vmsh), link $link" $out
ok "the new policy is in force, by the same link" state 'policy: fault' 'scope: vm' \
	"link_id: $link" 'budget_us: 5000000'
ok "the old one was replaced" state 'exit_policy: template' 'exit_kind: replaced' 'exit_code: 0' \
	"exit_text: updated to 'fault'"
ok "it decides" vm EPERM private 0x1101 1
ok "other parameters" run 0 $policy update $fault --pid $vm --vm $vms convert_ret=-11
ok "are in force" vm EAGAIN private 0x1101 1
ok "what was not given is not" state 'budget_us: 0'
# If the new policy is not attached, its verdicts must not matter.
ok "update: it refuses the VM" fails 1 \
	"fault: .* refuses VM $vm-$vms (vmsh): Permission denied; fault stays in force" 'vm_attach' \
	$policy update $fault --pid $vm attach_ret=-13
ok "update: it refuses with the errno of a lost race" fails 1 \
	'Operation not permitted; fault stays in force' 'vm_attach' \
	$policy update $fault --pid $vm attach_ret=-1
ok "update: a parameter is out of range" fails 2 'out of its range; fault stays in force' \
	'memattr-policy params' $policy update $fault --pid $vm attach_ret=-34
ok "update: vm_attach takes too long" fails 1 \
	'vm_attach took longer than its budget of 100 us; fault stays in force' 'budget-us' \
	$policy update $fault --pid $vm --budget-us 100 attach_turns=8M
ok "update: the verifier refuses it" fails 6 'verifier refuses the program' 'run it again with -v' \
	$policy update $policies/write_kvm.bpf.o --pid $vm
ok "update: no rights at all" fails 3 'takes CAP_BPF and CAP_PERFMON' 'run it as root' \
	setpriv --reuid 65534 --regid 65534 --clear-groups $policy update template --pid $vm
ok "update: no CAP_SYS_ADMIN" fails 3 'takes CAP_SYS_ADMIN' 'run it as root' \
	setpriv --bounding-set -sys_admin --inh-caps -sys_admin $policy update template --pid $vm
ok "the old one decides" vm EAGAIN private 0x1101 1
ok "and left no record meanwhile" state 'policy: fault' "link_id: $link" 'exit_policy: fault' \
	"exit_text: updated to 'fault'"
ok "the loader is still there" kill -0 $loader
ok "it detaches what is in force" stop_loader
ok "and says so" grep -qx "fault: detached from VM $vm-$vms (vmsh)" $out
ok "the reason" state 'policy: none' 'exit_policy: fault' 'exit_kind: detach'
ok "the VM converts" vm ok private 0x1101 1
start_loader template --pid $vm
run 0 $policy update $fault --pid $vm convert_ret=1
vm ok shared 0x1101 1
ok "the updated policy is ejected: the loader ends with status 10" end_loader 10
ok "and names it" grep -q "^memattr-policy: fault: the kernel ejected it from VM .*: bad-return 1:" \
	$err
start_loader template --pid $vm
run 0 $policy update $fault --pid $vm
run 0 $policy detach --pid $vm
ok "the updated policy is detached: the loader ends" end_loader 0
ok "and names it" grep -q "^fault: VM $vm-$vms (vmsh): detached by process" $out
ok "nothing is left" nothing_left
run 0 $policy load template --pid $vm --pin
ok "update of a pinned policy" run 0 $policy update ratelimit --pid $vm rate=1 burst=1
ok "the new one is in force" state 'policy: ratelimit' 'exit_policy: template' 'exit_kind: replaced'
ok "with all of its parameters" vm_at_once 'ok EAGAIN' 'private 0x1101 1' 'shared 0x1101 1'
ok "the pin holds it" sh -c "$policy list | grep -q '^ratelimit .* pinned to /sys/fs/bpf/memattr/vm-'"
run 0 $policy detach --pid $vm
ok "nothing is left" nothing_left

# --- update: something else comes first ---
# slow_update COMMAND...: stops an update that knows the policy in force, just before it asks for the change, and
# runs COMMAND.
slow_update()
{
	LD_PRELOAD=$policies/stop-update.so $policy update $fault --pid $vm >$tmp/slow-out 2>$tmp/slow-err \
		5>&- 8>&- 9<&- &
	slow=$!
	while read -r _ _ process_state _ </proc/$slow/stat && [ $process_state != T ] &&
		[ $process_state != Z ]; do
		:
	done
	[ $process_state = T ] || { echo "the update's state is $process_state"; return 99; }
	"$@" || return 99
	kill -CONT $slow
	wait $slow
	slow_status=$?
	cp $tmp/slow-out $out
	cp $tmp/slow-err $err
	return $slow_status
}
start_loader $fault --pid $vm convert_ret=1
slow_update vm ok private 0x1103 1
ok "update: ejected meanwhile" test $? -eq 1
ok "says so" grep -q "fault has just left VM $vm-$vms (vmsh): bad-return: convert() returned 1" \
	$err
ok "and what to do" grep -q "try: memattr-policy load $fault --pid $vm --vm $vms" $err
end_loader 10
start_loader template --pid $vm
slow_update run 0 $policy update ratelimit --pid $vm
ok "update: another one came first" test $? -eq 5
ok "says so" grep -q "another update of link .* for VM $vm-$vms (vmsh) came first, and put ratelimit in force" $err
ok "which is in force" state 'policy: ratelimit'
stop_loader
end_vm

# --- update: all VMs ---
# counts FILTER: checks that jq's FILTER is true of what the policy count noted: [{attached, detached,
# strays, exit_kind, generation}, ...], with one object for each VM and each load.
counts()
{
	run 0 $bpftool -j map dump pinned /sys/fs/bpf/count_vms &&
		json_is "[.[].formatted | .value + {generation: .key.generation}] | $1" $out
}
start_vm 2
first=${vms% *} second=${vms#* }
start_other_vm
run 0 $policy load template --pid $vm --vm $second --pin
start_loader $fault --all convert_ret=1
link=${attached##* }
ok "update: the VM is under the one for all" fails 1 'no policy of its own: fault' \
	'memattr-policy update ratelimit --all$' $policy update ratelimit --pid $other
vm ok private 0x1100 1
ok "one of three VMs has ejected it" state_of $vm-$first 'policy: none' 'exit_kind: bad-return'
ok "update --all: it refuses a VM" fails 1 'refuses a VM: Permission denied; fault stays in force' \
	'vm_attach' $policy update $fault --all attach_ret=-13
ok "the VM keeps the old one, undisturbed" state_of $other 'policy: fault' "link_id: $link"
ok "no policy has left it" lacks exit_ /sys/kernel/debug/kvm/$other-*/memattr_policy
ok "the ejected one stays without" state_of $vm-$first 'policy: none' 'exit_kind: bad-return'
ok "update --all" run 0 $policy update $refuse --all
ok "says what it did" grep -qx "refuse: took over from fault on all VMs, link $link" $out
ok "a VM that was under the old one" state_of $other 'policy: refuse' 'scope: all' \
	"link_id: $link" 'exit_policy: fault' 'exit_kind: replaced'
ok "a VM that had ejected it" state_of $vm-$first 'policy: refuse' 'scope: all' 'exit_kind: bad-return'
ok "a VM with one of its own" state_of $vm-$second 'policy: template' 'scope: vm'
ok "no policy has left that" lacks exit_ /sys/kernel/debug/kvm/$vm-$second/memattr_policy
ok "it decides" other_vm EPERM private 0x1100 1
ok "there, too" vm EPERM private 0x1101 1
ok "update --all: it takes one VM, and refuses the other" fails 1 \
	'refuses a VM: Permission denied; refuse stays in force' 'vm_attach' \
	$policy update $count --all takes=1 generation=9
ok "the one it has taken was let go: refused" counts \
	'length == 1 and (.[0] | .attached == 1 and .detached == 1 and .exit_kind == 5)'
ok "both keep the old one" state_of $vm-$first 'policy: refuse'
ok "the other" state_of $other 'policy: refuse' 'exit_policy: fault'
run 0 $policy detach --pid $vm --vm $second
ok "a VM comes under what is in force by now" state_of $vm-$second 'policy: refuse' 'scope: all'
ok "the loader still holds it" stop_loader
ok "and names it" grep -qx 'refuse: detached from all VMs' $out
ok "it is gone" state_of $other 'policy: none' 'exit_policy: refuse' 'exit_kind: detach'
end_other_vm
end_vm
rm /sys/fs/bpf/count_vms
ok "nothing is left" nothing_left

# --- without a gap ---
# The VM converts in a loop, and each of its conversions must be refused.
# refused_all_along PID:FD|all: checks this while another process updates the policy in force.
refused_all_along()
{
	other_vm ok attach $refuse $1 && other_vm ok load $refuse $1 && vm ok expect EPERM || return 1
	other_vm ok updates 200
	updated=$?
	vm ok expected && other_vm ok detach && return $updated
}
start_vm
start_other_loader
vm ok expect EPERM
ok "a conversion without a policy does not go unnoticed" vm EEXIST expected
ok "a VM's own policy is updated 200 times: no conversion succeeds" refused_all_along $vm:$vms
ok "the last one was updated" state 'policy: none' 'exit_policy: refuse' 'exit_kind: unreg'
ok "the one for all is updated 200 times: no conversion succeeds" refused_all_along all
start_loader $refuse --all
other_vm ok load $refuse $vm:$vms
other_vm ok load $refuse $vm:$vms
vm ok expect EPERM
ok "one of the VM's own over the one for all, and away again, 200 times" other_vm ok cycles 200
ok "no conversion succeeds" vm ok expected
ok "the one for all is back" state 'policy: refuse' 'scope: all' 'exit_kind: unreg'
vm ok expect EPERM
ok "with an update in between, 100 times" other_vm ok replacements 100
ok "no conversion succeeds" vm ok expected
read -r refused </sys/kernel/debug/kvm/$vm-$vms/memattr_refused
echo "# $refused conversions refused"
ok "there were enough of them" test $refused -gt 700
stop_loader
# It takes a moment until the policy for all VMs learns that it lost the VM; it may be back before that.
start_loader $count --all
ok "one of the VM's own over one that counts, and away again, 200 times" other_vm ok cycles 200
ok "the one for all is back" state 'policy: count' 'scope: all'
vm ok private 0x1100 1
stop_loader
ok "and was told of each loss before it got the VM again" counts \
	'length == 1 and (.[0] | .attached >= 1 and .attached == .detached and .strays == 0)'
end_vm
end_other_vm
rm /sys/fs/bpf/count_vms
ok "nothing is left" nothing_left

# --- why a policy left ---
start_vm
start_loader template --pid $vm
kill -KILL $loader
end_loader 137 2>/dev/null
ok "its loader is killed" state 'policy: none' 'exit_policy: template' 'exit_kind: unreg' \
	'exit_code: 0' 'exit_text: nobody holds its link any more'
start_loader template --pid $vm
run 0 $policy detach --pid $vm
end_loader 0
ok "it is detached" state 'exit_kind: detach' 'exit_code: 0' \
	'exit_text: detached by process [0-9]* (memattr-policy)'
start_loader $count --pid $vm
end_vm
end_loader 11
ok "the VM dies: the policy is told so" counts \
	'length == 1 and (.[0] | .attached == 1 and .detached == 1 and .exit_kind == 3)'
rm /sys/fs/bpf/count_vms
start_vm
run 0 $policy load $fault --all --pin attach_ret=-13
ok "the one for all refuses a VM that was there" state 'policy: none' 'exit_policy: fault' \
	'exit_kind: refused' 'exit_code: -13' 'exit_text: could not be attached, error -13'
start_other_vm
ok "and one that comes" state_of $other 'policy: none' 'exit_kind: refused' 'exit_code: -13'
ok "both convert" vm ok private 0x1100 1
ok "as they like" other_vm ok private 0x1100 1
end_other_vm
start_loader template --pid $vm
ok "such a VM takes one of its own" state 'policy: template' 'scope: vm'
run 0 $policy detach --pid $vm
end_loader 0
ok "when that leaves, the one for all is not asked again" state 'policy: none' \
	'exit_policy: template' 'exit_kind: detach'
run 0 $policy detach --all
start_loader template --pid $vm
run 0 $policy load $fault --all --pin attach_ret=-13
ok "the one for all is not asked while the VM has its own" state 'policy: template' \
	'exit_policy: template'
run 0 $policy detach --pid $vm
end_loader 10
ok "it refuses when that leaves, and writes the record" state 'policy: none' 'exit_policy: fault' \
	'exit_kind: refused'
ok "which the loader does not take for its own" \
	grep -q "template: no longer attached to VM .*, and fault, the policy for all VMs, refused that VM" $err
run 0 $policy detach --all
ok "vm_attach exceeds its budget: the policy does not come in" fails 1 \
	'fault: its vm_attach took longer than its budget of 100 us' 'larger --budget-us' \
	$policy load $fault --pid $vm --budget-us 100 attach_turns=8M
ok "the VM has none" state 'policy: none'
start_loader $fault --pid $vm --budget-us 20000 turns=8M convert_ret=-16
ok "convert refuses, and exceeds its budget: the conversion is refused" vm EBUSY private 0x1101 1
ok "the policy is ejected" end_loader 10
ok "for its budget" state 'policy: none' 'exit_policy: fault' 'exit_kind: budget' \
	'exit_code: [1-9]*' 'exit_text: convert() took [1-9]* ns, the budget is 20000 us'
ok "and the next conversion is not refused" vm ok private 0x1101 1
end_vm
ok "nothing is left" nothing_left

# --- what a policy has no say in ---
start_vm
start_loader $refuse --pid $vm
vm EPERM private 0x1100 1
ok "a VM whose policy refuses everything releases pages" vm ok release 0x1100 1
ok "and deletes its memslot" vm ok delete-slot
ok "which was there: a second time there is none" vm EINVAL delete-slot
ok "the policy is still asked" vm EPERM private 0x1100 1
end_vm
ok "and the VM ends" end_loader 11
ok "nothing is left" nothing_left

# --- who may put a policy where ---
# Everything is loaded in advance: libbpf, and thus memattr-policy, cannot load without CAP_SYS_ADMIN, as
# the type belongs to the kvm module.
start_vm
vm ok load $refuse vm
vm ok drop-admin
start_loader template --all
ok "the VM's owner, over the one for all: takes CAP_SYS_ADMIN" vm EPERM again
ok "the one for all stays" state 'policy: template' 'scope: all'
stop_loader
ok "where there is none: does not" vm ok again
ok "it is in force" state 'policy: refuse' 'scope: vm'
start_loader template --all
ok "it stays when one for all comes" state 'policy: refuse' 'scope: vm'
ok "the owner takes it away" vm ok detach
ok "then the VM is under the one for all" state 'policy: template' 'scope: all' 'exit_kind: unreg'
stop_loader
end_vm
start_vm
vm ok load $refuse all
vm ok drop-admin
ok "one for all takes CAP_SYS_ADMIN" vm EPERM again
end_vm
start_vm
vm ok attach $refuse all
vm ok load $fault all
vm ok drop-admin
ok "and so does its update, for whom has the link" vm EPERM update
ok "the old one stays" state 'policy: refuse' 'scope: all'
end_vm
start_vm
start_other_vm
vm ok load $refuse $other:$other_fd
vm ok drop-admin
ok "the VM of another process takes CAP_SYS_ADMIN" vm EPERM again
ok "it stays without a policy" state_of $other 'policy: none'
end_other_vm
end_vm
ok "nothing is left" nothing_left

# --- asleep in convert ---
# The loader has been killed and must be stuck in the kernel, waiting for convert's calls
# (kvm_memattr_drain). If the kernel did not wait for them, the loader would be a zombie by now, and
# vm_detach would have been called while convert still runs.
loader_waits()
{
	while read -r _ _ process_state _ </proc/$loader/stat && [ $process_state != D ] &&
		[ $process_state != Z ]; do
		:
	done
	sleep 1
	read -r _ _ process_state _ </proc/$loader/stat
	[ $process_state = D ] || { echo "the loader's state is $process_state"; return 1; }
}
others_go_on()
{
	start_other_vm &&
		run 0 $policy load $refuse --pid $other --pin && other_vm EPERM private 0x1100 1 &&
		run 0 $policy update $fault --pid $other && other_vm ok private 0x1100 1 &&
		run 0 $policy detach --pid $other && end_other_vm
}
# start_stalled TARGET: starts a conversion that sleeps in convert, under a policy for TARGET.
start_stalled()
{
	ask stall
	start_loader $stall "$@" address=$answer stall_gfn=0x1100 eject_gfn=0x1200
	vm ok stalled 0x1100 1
}
start_vm
ok "convert sleeps" start_stalled --pid $vm
ok "another conversion does not wait for it" vm ok private 0x1108 1
kill -KILL $loader
ok "the killed loader waits for convert" loader_waits
ok "the VM is without a policy at once" state 'policy: none' 'exit_policy: stall' 'exit_kind: unreg'
ok "and converts" vm ok shared 0x1108 1
ok "a VM is created, gets a policy, another one, none, and dies" others_go_on
ok "all that while the loader waited" loader_waits
ok "convert comes back with the right answer" vm EPERM resume
end_loader 137 2>/dev/null
ok "the loader has ended" test ! -e /proc/$loader
ok "which is counted" state 'refused: 1'
ok "nobody refuses any more" vm ok private 0x1100 1
end_vm
ok "nothing is left" nothing_left
start_vm
start_other_vm
ok "convert sleeps, under a policy for all" start_stalled --all
ok "another VM ejects it" other_vm ok private 0x1200 1
ok "it is gone from there" state_of $other 'policy: none' 'exit_kind: bad-return'
ok "that VM dies without waiting" end_other_vm
kill -KILL $loader
ok "the killed loader waits for convert" loader_waits
ok "others go on" others_go_on
ok "another policy for all comes" run 0 $policy load template --all --pin
ok "the VM is under it" state 'policy: template' 'scope: all' 'exit_policy: stall'
ok "convert comes back with the right answer" vm EPERM resume
end_loader 137 2>/dev/null
ok "the new one is asked" vm ok private 0x1100 1
run 0 $policy detach --all
end_vm
ok "nothing is left" nothing_left
rm -rf /sys/fs/bpf/memattr

# A VM's own policy that is ejected while it sleeps does not keep the policy for all VMs away.
run 0 $policy load $refuse --all --pin
start_vm
ok "convert sleeps, under a policy of the VM's own" start_stalled --pid $vm
vm ok private 0x1200 1
ok "which is ejected: the VM comes under the one for all, without waiting" \
	soon state 'policy: refuse' 'scope: all' 'exit_policy: stall'
ok "that decides" vm EPERM private 0x1108 1
ok "the loader waits" kill -0 $loader
ok "convert comes back with the right answer" vm EPERM resume
ok "and the loader ends" end_loader 10
ok "the VM is still under the one for all" state 'policy: refuse' 'exit_kind: bad-return'
end_vm
run 0 $policy detach --all
ok "nothing is left" nothing_left
rm -rf /sys/fs/bpf/memattr

# --- many VMs, many policies ---
start_vm 200
start_loader $count --all generation=0
vm ok expect ok
update_ten_times()
{
	for generation in 1 2 3 4 5 6 7 8 9 10; do
		run 0 $policy update $count --all generation=$generation || return 1
	done
}
ok "200 VMs, whose policy is updated ten times while one converts" update_ten_times
ok "all conversions went through" vm ok expected
ok "each has the last one" counts \
	'map(select(.generation == 10)) | length == 200 and all(.attached == 1 and .detached == 0)'
stop_loader
ok "each VM was attached to each policy once, and detached once" counts \
	'length == 2200 and all(.attached == 1 and .detached == 1)'
ok "and asked by none in between" counts 'all(.strays == 0)'
ok "ten were replaced, the last was detached" counts \
	'all(.exit_kind == if .generation < 10 then 4 else 2 end)'
end_vm
rm /sys/fs/bpf/count_vms
ok "nothing is left" nothing_left

# --- what is counted ---
start_vm
ok "an invalid request is not counted" vm EINVAL private 0x1100 0
start_loader $fault --pid $vm zap_start_add=-16 zap_end_add=32
vm ok private 0x1100 16
vm ok private 0x1100 16		# nothing to do
vm ok private 0x1108 16		# half of it
vm ok private 0x1380 64
vm ok private 0x1300 256	# two ranges of it, too far apart for their zaps to meet
vm ok shared 0x1100 4
stop_loader
start_loader $fault --pid $vm convert_ret=-1
vm EPERM shared 0x1100 8
stop_loader
start_loader $fault --pid $vm convert_ret=1
vm ok shared 0x1104 1		# ejected before it is asked about the zap
end_loader 10
vm ok private 0x1104 1
ok "counters: exactly what happened" state 'requests_private: 6' 'requests_shared: 3' 'refused: 1' \
	'noops: 1' 'pages_private: 281' 'pages_shared: 5' 'zapped_pages: 574' 'widened_pages: 288' \
	'policy_calls: 14' 'policy_ns: [1-9]*' 'ejections: 1'
counters=0
for file in /sys/kernel/debug/kvm/$vm-$vms/memattr_*; do
	name=${file##*/}
	case $name in
	memattr_policy | memattr_ranges) continue ;;
	esac
	counters=$((counters + 1))
	read -r value <$file
	ok "$name: $value in the binary statistics, too" vm $value stat $name
done
ok "that was all of them" test $counters -eq 14
ok "there is no counter by another name" vm ENOENT stat memattr_nosuch
end_vm
finish
