#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What becomes of a policy is told, and it does not go away by itself: nohup, ejections from all VMs, and output that
# nobody can read.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 1500
. selftests/lib/policy.sh
fault=$policies/fault.bpf.o

# --- nohup ---
start_vm
load="nohup $policy load"
start_loader seal --pid $vm
load=
nohup $policy audit --json refused=no >$tmp/record 2>$tmp/summary 6>&- 7<&- 8>&- 9<&- &
audit=$!
while ! grep -q start $tmp/record; do
	sleep 0.1
done
kill -HUP $loader $audit
ok "after SIGHUP under nohup, the policy still decides" vm EPERM shared 0x1000 1
ok "and is the VM's" state 'policy: seal'
ok "the loader is there" kill -0 $loader
ok "and the audit" kill -0 $audit
kill -TERM $audit
wait $audit
ok "which SIGTERM ends all the same" test $? -eq 0
stop_loader
start_loader seal --pid $vm
kill -HUP $loader
ok "without nohup SIGHUP detaches" end_loader 0
ok "and it is gone" state 'policy: none'

# --- a policy for all VMs, ejected from one after the other ---
start_other_vm
start_loader $fault --all convert_ret=7
vm ok private 0x1000 1
# says TEXT: the loader soon has said so.
says()
{
	soon grep -q "$1" $err
}
ok "the loader tells of an ejection, from which VM and why" says \
	"^memattr-policy: fault: the kernel ejected it from VM $vm-$vms (vmsh): bad-return 7: convert() returned 7"
ok "it governs the other" lacks 'governs no VM' $err
other_vm ok private 0x1000 1
ok "and of the second" says "ejected it from VM $other-$other_fd (vmsh): bad-return 7"
ok "then it governs none" says 'fault governs no VM any more; only VMs that are created from now on'
ok "and the loader goes on, for VMs to come" kill -0 $loader
ok "until it is told to end" stop_loader
start_loader $fault --all --until-ejected convert_ret=7
vm ok shared 0x1000 1
ok "--until-ejected: one VM is not the last" says "from VM $vm-"
ok "it goes on" kill -0 $loader
end_other_vm
ok "the last VM has ended: status 10" end_loader 10
start_other_vm
run 0 $policy load template --pid $other --pin
start_loader $fault --all --until-ejected convert_ret=7
ok "a VM of its own policy does not count" state_of $other 'policy: template'
vm ok private 0x1000 1
ok "the last VM ejects it: status 10" end_loader 10
ok "which is told" grep -q 'fault governs no VM any more' $err
end_other_vm
start_loader $fault --all convert_ret=7
run 0 $policy update template --all
vm ok shared 0x1000 1
ok "after an update there is nothing to tell" stop_loader
ok "and nothing was told" test ! -s $err
ok "--until-ejected is for all VMs" fails 2 'until-ejected needs --all' 'help' \
	$policy load template --pid $vm --until-ejected
ok "and not for a pin" fails 2 'without --pin' 'help' $policy load template --all --pin --until-ejected
start_loader $fault --all attach_ret=-13
ok "a VM that it refuses is told of" says 'fault: it refused VM .* refused -13: '
stop_loader

# --- nobody reads ---
full()
{
	$policy "$@" >/dev/full 2>$err
	status=$?
	[ $status -eq 1 ] && grep -q 'cannot write to standard output: No space left on device' $err
}
for command in show "show --json" list "list --json" "load template --pid $vm --pin" "detach --pid $vm"; do
	ok "$command: a full disk is an error" full $command
done
ok "detach was done" state 'policy: none'
# The loader's stdout and stderr are a pipe that nobody reads any more.
: >$out
($policy load template --pid $vm 2>&1 & echo $! >$tmp/unread; wait) 8>&- 9<&- | head -n 1 >$out &
while ! grep -q attached $out; do
	sleep 0.1
done
ok "a loader whose reader has gone keeps the policy" state 'policy: template'
kill -TERM $(cat $tmp/unread)
end_vm
ok "nothing is left" nothing_left
finish
