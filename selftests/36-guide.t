#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# docs/policies.md, followed: the policy in it, which selftests.mk takes from the page, is loaded and
# does what the page says.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
object=$policies/sizecap.bpf.o

params_are_shown()
{
	run 0 $policy params $object && grep -q 'max_pages' $out && grep -q '1..1048576' $out
}
ok "its parameter is shown" params_are_shown
start_vm
vm ok private 0x1000 64
start_loader $object --pid $vm max_pages=8
ok "it is attached" expr "$attached" : "sizecap: attached to VM $vm-$vms"
ok "eight pages turn shared" vm ok shared 0x1000 8
ok "nine do not" vm EPERM shared 0x1008 9
ok "to private all do" vm ok private 0x1000 64
ok "show tells that it refused once" state 'policy: sizecap' 'policy_calls: 3' 'refused: 1'
stop_loader
end_vm
ok "nothing is left" nothing_left
finish
