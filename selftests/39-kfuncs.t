#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a policy can ask KVM, from convert and from zap, on a known layout.
# policy/kfuncs.bpf.c asks, and says what each answer is about. Programs that must not ask are in
# 31-bad-policy.t.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
kfuncs=$policies/kfuncs.bpf.o

# The slot is gfns 0x1000 to 0x2000. Private are 16 pages, a huge page, and every other one of 8192 pages
# outside the slot.
start_vm
vm ok private 0x1100 16
vm ok private 0x1400 0x200
vm ok stripes 0x100000 8192
start_loader $kfuncs --pid $vm
ok "the policy is attached" state 'policy: kfuncs'
vm EPERM private 0x1f01 1
ok "a conversion that it asks about" vm ok private 0x1f00 1
$bpftool -j map dump name kfuncs.bss |
	jq '.[0].formatted.value[".bss"] | add' >$tmp/answers
# answers FILTER...: checks the answers in convert and in zap.
answers()
{
	for callback in in_convert in_zap; do
		json_is ".$callback | $1" $tmp/answers ||
			{ jq -c .$callback $tmp/answers; return 1; }
	done
}
end=$((1 << 52))
einval=-22
ok "asked once in each" answers '.asked == 1'
ok "counters of the VM" answers '.refused == 1 and .requests_private == 4100'
# attributes NAME VALUE: checks the attributes of a single page.
attributes()
{
	ok "kvm_attr_range: a single page: $1" answers ".attributes_$1 == $2"
}
attributes before 0
attributes first 8
attributes last 8
attributes past 0
attributes top 0
ok "kvm_attr_range: five ranges" answers ".ranges | .ret == 0 and .count == 5 and .private_count == 2 and
	.gaps == 0 and .start == $((0x1000)) and .end == $((0x1800))"
ok "the third of them" answers ".ranges | .third_start == $((0x1110)) and .third_end == $((0x1400)) and
	.third_attributes == 0"
ok "kvm_attr_range: inside of a range" answers ".ranges_inside | .ret == 0 and .count == 1 and
	.private_count == 1 and .start == $((0x1102)) and .end == $((0x1104))"
ok "kvm_attr_range: the last page of all" answers ".ranges_top | .ret == 0 and .count == 1 and
	.start == $((end - 1)) and .end == $end"
ok "kvm_attr_range: ends after 4096 ranges" answers ".ranges_capped | .ret == 0 and .count == 4096 and
	.private_count == 2048 and .gaps == 0 and .start == $((0x100000)) and .end == $((0x101000))"
for range in empty turned beyond max all_beyond; do
	ok "kvm_attr_range: $range: -EINVAL, and no range" answers \
		".ranges_$range | .ret == $einval and .count == 0 and .gaps == 0"
done
stop_loader
end_vm
ok "nothing is left" nothing_left
finish
