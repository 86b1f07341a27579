#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a policy can ask KVM, from convert and from zap, on a known layout; and its own ejection.
# policy/kfuncs.bpf.c asks, and says what each answer is about. Programs that must not ask are in
# 31-bad-policy.t.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
kfuncs=$policies/kfuncs.bpf.o

# The slot is gfns 0x1000 to 0x2000. Of what is asked about, private are 16 pages, a huge page, and
# half of 8192 pages outside of the slot, in turns.
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
# answers FILTER...: in convert and in zap.
answers()
{
	for callback in in_convert in_zap; do
		jq -e ".$callback | $1" $tmp/answers ||
			{ jq -c .$callback $tmp/answers; return 1; }
	done
}
end=$((1 << 52))
einval=-22
ok "asked once in each" answers '.asked == 1'
ok "counters of the VM" answers '.refused == 1 and .requests_private == 4100'
# attributes NAME VALUE
attributes()
{
	ok "kvm_bpf_gfn_attributes: $1" answers ".attributes_$1 == $2"
}
attributes before 0
attributes first 8
attributes last 8
attributes behind 0
attributes top 0
attributes beyond 0
attributes max 0
# run_is NAME START END ATTRIBUTES
run_is()
{
	ok "kvm_bpf_gfn_run: $1" answers \
		".run_$1 == {ret: 0, start: $(($2)), end: $(($3)), attributes: $4}"
}
run_is first 0x1100 0x1110 8
run_is inside 0x1100 0x1110 8
run_is behind 0x1110 0x1400 0
run_is zero 0 0x1100 0
run_is last 0x101fff $end 0
run_is top 0x101fff $end 0
for name in beyond max; do
	ok "kvm_bpf_gfn_run: $name: -EINVAL, and nothing is written" answers \
		".run_$name == {ret: $einval, start: 1, end: 2, attributes: 3}"
done
# huge NAME STATE, 1: in a slot, 2: uniform
huge()
{
	ok "kvm_bpf_hugepage_state: $1" answers ".huge_$1 == $2"
}
huge mixed 1
huge private 3
huge shared 3
huge below_slot 2
huge behind_slot 2
huge mixed_1g 0
huge behind_1g 2
huge top 2
huge top_1g 2
huge beyond $einval
for order in 0 8 10 27 max; do
	huge order_$order $einval
done
ok "kvm_run: five runs" answers ".runs | .ret == 0 and .count == 5 and .private_count == 2 and
	.gaps == 0 and .start == $((0x1000)) and .end == $((0x1800))"
ok "the third of them" answers ".runs | .third_start == $((0x1110)) and .third_end == $((0x1400)) and
	.third_attributes == 0"
ok "kvm_run: inside of a run" answers ".runs_inside | .ret == 0 and .count == 1 and
	.private_count == 1 and .start == $((0x1102)) and .end == $((0x1104))"
ok "kvm_run: the last page of all" answers ".runs_top | .ret == 0 and .count == 1 and
	.start == $((end - 1)) and .end == $end"
ok "kvm_run: ends after 4096 runs" answers ".runs_capped | .ret == 0 and .count == 4096 and
	.private_count == 2048 and .gaps == 0 and .start == $((0x100000)) and .end == $((0x101000))"
for range in empty turned beyond max all_beyond; do
	ok "kvm_run: $range: -EINVAL, and no run" answers \
		".runs_$range | .ret == $einval and .count == 0 and .gaps == 0"
done
stop_loader
ok "nothing is left" nothing_left

# --- kvm_bpf_eject ---
start_loader $kfuncs --pid $vm eject=1 eject_ret=-16
vm ok private 0x1f03 1
ok "it stays until it asks for it" state 'policy: kfuncs'
ok "kvm_bpf_eject in convert: what that returns counts" vm EBUSY private 0x1f02 1
ok "the loader ends" end_loader 10
ok "the text has no control characters" state 'policy: none' 'exit_policy: kfuncs' \
	'exit_kind: request' 'exit_code: -42' \
	'exit_text: Wants[?]to leave[?][?][[]31m[?], says convert'
ok "which the loader prints" grep -qF 'request -42: Wants?to leave??[31m?, says convert' $err
ok "an ejection, no more" state 'ejections: 1' 'refused: 2'
start_loader $kfuncs --pid $vm eject=1
ok "kvm_bpf_eject in convert, which allows" vm ok private 0x1f02 1
end_loader 10
ok "it is ejected" state 'policy: none' 'exit_kind: request' 'ejections: 2'
start_loader $kfuncs --pid $vm eject=2
ok "kvm_bpf_eject in zap" vm ok shared 0x1f02 1
ok "the loader ends" end_loader 10
ok "code and text are as they were" state 'policy: none' 'exit_kind: request' \
	"exit_code: $((1 << 40))" 'exit_text:' 'ejections: 3'
start_loader $kfuncs --pid $vm eject=3
ok "kvm_bpf_eject in vm_attach: no effect" state 'policy: kfuncs' 'ejections: 3'
stop_loader
start_loader $kfuncs --pid $vm eject=4
stop_loader
ok "kvm_bpf_eject in vm_detach: no effect" state 'policy: none' 'exit_kind: detach' 'ejections: 3'
end_vm
ok "nothing is left" nothing_left
finish
