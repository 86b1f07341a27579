#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Policies that behave: memattr-policy with VMs by hand, bpftool beside it, ratelimit with a guest.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh

# --- foreground ---
start_vm
start_loader template --pid $vm
ok "load says what it did" expr "$attached" : \
	"template: attached to VM $vm-$vms (vmsh), link [0-9]*$"
link=${attached##* }
number=$(sed -n 's/^kvm_vm_id:	//p' /proc/$vm/fdinfo/$vms)
ok "the VM converts" vm ok private 0x1000 16
ok "and back" vm ok shared 0x1004 1
ok "the kernel's account of it" state 'policy: template' 'scope: vm' "link_id: $link" 'policy_calls: 4' \
	'refused: 0' 'widened_pages: 0'
shown()
{
	run 0 $policy show --json --pid $vm &&
		json_is ".[0] | .policy == \"template\" and .scope == \"vm\" and .link_id == $link and
			.calls == 4 and .refused == 0 and .widened_pages == 0 and .exit == null" $out
}
ok "show --json tells the same" shown
ok "show, as text" sh -c "$policy show | grep -q 'policy   template, the VM.s own, link $link'"

counts()
{
	run 0 $bpftool -j map dump name template_vms &&
		json_is 'length == 1 and (.[0].formatted.value |
			.to_private == 1 and .to_shared == 1 and .zaps == 2)' $out
}
ok "the policy's map has its counts" counts

bpf_link()
{
	run 0 $bpftool -j link &&
		map=$(jq ".[] | select(.id == $link and .type == \"struct_ops\").map_id" $out) &&
		[ "$($bpftool -j map show id $map | jq -r .name)" = template ]
}
ok "bpftool link and map show it" bpf_link
listed()
{
	run 0 $policy list --json && json_is "length == 1 and (.[0] | .policy == \"template\" and
		.link_id == $link and .map_id == $map and .scope == \"vm\" and .pinned == null and
		(.vms | length) == 1 and (.vms[0] | .pid == $vm and .vm_fd == $vms and
			.name == \"vmsh\" and .vm_id == $number))" $out
}
ok "list shows it" listed

# --- bpftool and a module's struct_ops ---
struct_ops_show()
{
	run 0 $bpftool struct_ops show "$@" && grep -Eq "^$map: template +kvm_memattr_ops" $out
}
struct_ops_dump_text()
{
	run 0 $bpftool struct_ops dump name template && grep -q template_convert $out
}
struct_ops_dump()
{
	run 0 $bpftool -j struct_ops dump id $map && json_is \
		'.[0].bpf_map_info.name == "template" and
		 (.[1].bpf_struct_ops_kvm_memattr_ops.data |
			(.convert | test("template_convert/prog_id")) and .budget_us == 0)' $out
}
# map_value FILTER COMMAND...: the policy, as this command of bpftool map tells it, passes the filter.
map_value()
{
	filter=$1
	shift
	run 0 $bpftool -j map "$@" &&
		json_is "$filter.formatted.value.data | .name == \"template\" and .vm_fd >= 0" $out
}
map_text()
{
	run 0 $bpftool map "$@" && grep -q '"name": "template"' $out
}
ok "bpftool struct_ops show" struct_ops_show
ok "bpftool struct_ops show by name" struct_ops_show name template
ok "bpftool struct_ops dump" struct_ops_dump
ok "bpftool struct_ops dump, as text" struct_ops_dump_text
ok "bpftool map dump of the policy" map_value '.[0]' dump id $map
ok "bpftool map lookup" map_value '' lookup id $map key 0 0 0 0
ok "bpftool map dump, as text" map_text dump id $map
ok "bpftool map lookup, as text" map_text lookup id $map key 0 0 0 0
ok "bpftool struct_ops unregister leaves links alone, and says so" fails 255 \
	"can't unload kvm_memattr_ops template id $map: Operation not supported" '' \
	$bpftool struct_ops unregister id $map
ok "the policy is still there" state 'policy: template'

# --- ends ---
stop_loader
# A shell ignores SIGINT for what it runs in the background, and the loader would, too.
load="env --default-signal=INT $policy load"
start_loader template --pid $vm
unset load
kill -INT $loader
ok "SIGINT detaches" end_loader 0
ok "and says so" grep -q "^template: detached from VM $vm-$vms" $out
ok "it is gone" state 'policy: none' 'exit_policy: template' 'exit_kind: detach' \
	'exit_text: detached by process [0-9]* (memattr-policy)'
ok "show tells why" sh -c "$policy show | grep -q 'left     template: detach 0: '"
ok "nothing is left" nothing_left
start_loader template --pid $vm
kill -TERM $loader
ok "SIGTERM detaches" end_loader 0
start_loader template --pid $vm
kill -KILL $loader
end_loader 137 2>/dev/null
ok "SIGKILL of the loader: the policy is gone" state 'policy: none' 'exit_kind: unreg'
ok "the VM goes on" vm ok private 0x1000 1
ok "nothing is left" nothing_left
start_loader template --pid $vm
ok "detach takes it from a loader" run 0 $policy detach --pid $vm
ok "which then ends with status 0" end_loader 0
ok "and says so" grep -q 'VM .*: detached by process [0-9]* (memattr-policy)' $out
start_loader template --pid $vm
end_vm
ok "the VM ends: so does the loader, with status 11" end_loader 11
ok "and says so" grep -q "^template: VM $vm-$vms (vmsh) ended" $out
ok "nothing is left" nothing_left

# --- pinned ---
start_vm
number=$(sed -n 's/^kvm_vm_id:	//p' /proc/$vm/fdinfo/$vms)
ok "load --pin ends" run 0 $policy load template --pid $vm --pin
ok "the policy stays" state 'policy: template'
pinned()
{
	run 0 $policy list --json &&
		json_is ".[0].pinned == \"/sys/fs/bpf/memattr/vm-$number\"" $out
}
ok "list shows the pin" pinned
ok "detach removes policy and pin" run 0 $policy detach --pid $vm
ok "the policy is gone" state 'policy: none'
ok "the pin is gone" test -d /sys/fs/bpf/memattr -a ! -e /sys/fs/bpf/memattr/$vm-$vms
ok "nothing is left" nothing_left
ok "load --pin again" run 0 $policy load template --pid $vm --pin
end_vm
ok "the VM ends: its policy is no longer attached" sh -c "$policy list | grep -q 'no policies'"
start_vm
ok "load --pin clears away what is pinned in vain" run 0 $policy load template --pid $vm --pin
number=$(sed -n 's/^kvm_vm_id:	//p' /proc/$vm/fdinfo/$vms)
ok "only the new one is pinned" test "$(ls /sys/fs/bpf/memattr)" = "vm-$number"
end_vm
rm -r /sys/fs/bpf/memattr
ok "nothing is left" nothing_left

# --- all VMs ---
start_vm
start_loader template --all
ok "load --all says what it did" expr "$attached" : 'template: attached to all VMs, link [0-9]*$'
start_other_vm
ok "--all: a VM that was there" state 'policy: template' 'scope: all'
ok "--all: a VM that came later" state_of $other 'policy: template' 'scope: all'
ok "the later VM is governed" other_vm ok private 0x1000 1
ok "and that is counted for it" state_of $other 'policy_calls: 2'
ok "only for it" state 'policy_calls: 0'
lists_both()
{
	run 0 $policy list --json && json_is ".[0].scope == \"all\" and
		([.[0].vms[].pid] | sort) == ([$vm, $other] | sort)" $out
}
ok "list names both" lists_both
ok "a VM's own policy beats it" run 0 $policy load ratelimit --pid $vm --pin
ok "it is the one in force" state 'policy: ratelimit' 'scope: vm' 'exit_policy: template' \
	'exit_kind: replaced'
ok "the other VM keeps the one for all" state_of $other 'policy: template'
ok "detach: the VM's own" run 0 $policy detach --pid $vm
ok "the one for all is back" state 'policy: template' 'scope: all'
end_other_vm
end_vm
ok "list: still there without VMs" sh -c "$policy list | grep -q '^template .* for all VMs'"
ok "detach --all without VMs" run 0 $policy detach --all
ok "its loader ends with status 0" end_loader 0
ok "nothing is left" nothing_left

# --- two VMs in a process ---
start_vm 2
first=${vms% *} second=${vms#* }
ok "--vm chooses" run 0 $policy load template --pid $vm --vm $second --pin
of_second()
{
	run 0 $policy show --json &&
		json_is "[.[] | select(.policy == \"template\").vm_fd] == [$second]" $out
}
ok "it is that one" of_second
ok "detach --vm" run 0 $policy detach --pid $vm --vm $second
end_vm

# --- bpftool register: for all VMs, as the file says ---
start_vm
register="$bpftool struct_ops register build/bpf/template.bpf.o /sys/fs/bpf/by-bpftool"
bpftool_register()
{
	run 0 $register && grep -q 'Registered kvm_memattr_ops template map id' $err
}
case $(uname -r) in
*+deb*)
	ok "bpftool does not take KVM's types from the module: struct_ops register" \
		fails 255 'failed to resolve CO-RE relocation .* struct kvm.id' '' $register
	;;
*)
	ok "bpftool struct_ops register" bpftool_register
	ok "it is in force" state 'policy: template' 'scope: all'
	ok "list shows it" sh -c "$policy list | grep -q '^template .* for all VMs'"
	rm -r /sys/fs/bpf/by-bpftool
	;;
esac
ok "without its pin it is gone" state 'policy: none'
ok "nothing is left" nothing_left
end_vm

# --- parameters ---
start_vm
start_loader ratelimit --pid $vm burst=3 rate=1
ok "parameters reach the policy: three conversions at once, and no fourth" vm_at_once 'ok ok ok EAGAIN' \
	'private 0x1000 1' 'shared 0x1000 1' 'private 0x1000 1' 'shared 0x1000 1'
ok "the refusal is counted" state 'refused: 1'
stop_loader
ok "without a policy it goes through" vm ok shared 0x1000 1
# Microseconds pass between two answers, and each microsecond adds a conversion.
start_loader ratelimit --pid $vm burst=1 rate=1M
refilled()
{
	for i in 1 2 3 4 5; do
		vm ok private 0x1000 1 && vm ok shared 0x1000 1 || return 1
	done
	state 'refused: 1' 'policy_calls: 14'
}
ok "an empty bucket fills at the rate" refilled
stop_loader
start_loader ratelimit --pid $vm burst=1 rate=1 to_private=0
ok "one direction only: to private as often as one likes, to shared what the bucket has" vm_at_once \
	'ok ok ok EAGAIN ok' 'private 0x1000 1' 'private 0x1000 1' 'shared 0x1000 1' 'shared 0x1000 1' 'private 0x1000 1'
stop_loader
vm ok shared 0x1000 1
start_loader ratelimit --pid $vm
forget_vm()
{
	key=$($bpftool -j map dump name ratelimit_vms | jq -r '.[0].key | join(" ")') &&
		run 0 $bpftool map delete name ratelimit_vms key $key
}
ok "somebody deletes the VM's bucket" forget_vm
ok "the VM goes on" vm ok private 0x1000 1
ok "the loader ends" end_loader 10
ok "the policy has ejected itself" state 'policy: none' 'exit_policy: ratelimit' 'exit_kind: request' \
	'exit_text: convert() asked for it'
vm ok shared 0x1000 1
start_other_vm
start_loader ratelimit --all burst=1 rate=1
ok "for all VMs: the first takes what it has, and gets no more" vm_at_once 'ok EAGAIN' \
	'private 0x1000 1' 'shared 0x1000 1'
other_at_once()
{
	vm_at_once "$@" 8>&6 9<&7
}
ok "the other has its own, and gets no more either" other_at_once 'ok EAGAIN' 'private 0x1000 1' 'shared 0x1000 1'
stop_loader
end_other_vm
end_vm

# --- a guest under ratelimit ---
# guest RATE BURST ARGUMENT...: runs a guest under ratelimit; its summary is in $out.
guest()
{
	rate=$1 burst=$2
	shift 2
	start_guest limited "$@"
	start_loader ratelimit --pid $guest rate=$rate burst=$burst
	go_guest
	wait $guest
	guest_status=$?
	end_loader 11 || return 1
	cp $tmp/limited.json $out
	return $guest_status
}
# The bucket can be full at first, and fills at the rate: the guest gets no more than that.
limited='.refused_eagain > 0 and .retries > 0 and .gave_up == 0 and
	.conversions <= $rate * .guest_run_s + $burst'
limit_holds()
{
	guest "$@" && json_is "$limited" $out --argjson rate $1 --argjson burst $2
}
ok "a guest under ratelimit: refused, retries, ends well" limit_holds 50 5 \
	--scenario churn --mem 1 --count 50
ok "two vCPUs at once" limit_holds 50 5 --scenario ping-pong --vcpus 2 --mem 1 --count 50
ok "nothing is left" nothing_left
finish
