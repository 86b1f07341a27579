#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# memattr-policy on a kernel without policies: it says so, and does no harm.
. "$(dirname "$0")/lib/test.sh"
in_vm --kernel stock
. selftests/lib/policy.sh

start_vm
for command in "load template --pid $vm" "load template --all" show "show --pid $vm" list \
	"detach --pid $vm"; do
	ok "$command: no policies here" fails 3 "KVM has no memory attribute policies" \
		'memattr-policy doctor' $policy $command
done
ok "audit: no tracepoints here" fails 3 'no tracepoints kvm_memattr_convert and kvm_memattr_exit' \
	'memattr-policy doctor' $policy audit
ok "why: no tracepoint here" fails 3 'no tracepoint kvm_gmem_held' 'memattr-policy doctor' $policy why --pid $vm
ok "the VM converts" vm ok private 0x1000 16
end_vm
ok "nothing is left" nothing_left
finish
