#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# docs/policies.md, followed: the policies in it are taken from the page, built as it says, loaded, and
# do what the page says.
. "$(dirname "$0")/lib/test.sh"
guide=build/selftests/guide
if [ -z "$inside" ]; then
	rm -rf $guide
	mkdir -p $guide
	awk -v dir=$guide '
		/^Save this as `bpf\/.*`:$/ { split($0, part, /[\/`]/); file = dir "/" part[3] }
		/^```$/ { if (inside) close(file); inside = 0 }
		inside { print >file }
		/^```c$/ { inside = 1 }' docs/policies.md
	make -s $guide/sizecap.bpf.o $guide/sharecap.bpf.o || exit 1
fi
in_vm
. selftests/lib/policy.sh

params_are_shown()
{
	run 0 $policy params $guide/sizecap.bpf.o && grep -q 'max_pages' $out && grep -q '1..1048576' $out
}
ok "sizecap: its parameter is shown" params_are_shown
start_vm
vm ok private 0x1000 64
start_loader $guide/sizecap.bpf.o --pid $vm max_pages=8
ok "it is attached" expr "$attached" : "sizecap: attached to VM $vm-$vms"
ok "eight pages turn shared" vm ok shared 0x1000 8
ok "nine do not" vm EPERM shared 0x1008 9
ok "to private all do" vm ok private 0x1000 64
ok "show tells that it refused once" state 'policy: sizecap' 'policy_calls: 3' 'refused: 1'
ok "an update changes the parameter" run 0 $policy update $guide/sizecap.bpf.o --pid $vm max_pages=4
ok "five pages do not turn shared" vm EPERM shared 0x1000 5
ok "four do" vm ok shared 0x1000 4
stop_loader
end_vm

# What the guide types in the shell. The guest waits for a line of input.
guest_is_refused()
{
	build/bin/memattr-guest --scenario churn --chunk 64K --count 20 --wait \
		<$tmp/vm-8 >$tmp/guest 2>$tmp/vm-9 &
	pid=$!
	exec 8>$tmp/vm-8 9<$tmp/vm-9
	read -r _ <&9
	start_loader $guide/sizecap.bpf.o --pid $pid max_pages=8
	echo >&8
	wait $pid
	exec 8>&- 9<&-
	end_loader 11 && grep '^denied *20, 20 EPERM$' $tmp/guest
}
ok "the guide's guest is refused" guest_is_refused

start_vm
vm ok private 0x1000 64
start_loader $guide/sharecap.bpf.o --pid $vm max_pages=8
ok "sharecap: six pages turn shared" vm ok shared 0x1000 6
ok "three more do not" vm EPERM shared 0x1010 3
ok "those that are shared already cost nothing" vm ok shared 0x1000 6
ok "two more turn shared, beside shared ones" vm ok shared 0x1000 8
ok "that was all" vm EPERM shared 0x1010 1
ok "to private all do" vm ok private 0x1000 64
ok "it counts all that turned shared, not what is" vm EPERM shared 0x1000 1
stop_loader
vm ok stripes 0x100000 8194
start_loader $guide/sharecap.bpf.o --pid $vm max_pages=1M
ok "more ranges than the iterator returns are refused" vm EPERM shared 0x100000 8194
ok "as many are not" vm ok shared 0x100000 4096
forget_vm()
{
	key=$($bpftool -j map dump name sharecap_vms | jq -r '.[0].key | join(" ")') &&
		run 0 $bpftool map delete name sharecap_vms key $key
}
ok "somebody deletes the VM's state" forget_vm
ok "the VM goes on" vm ok shared 0x1000 1
ok "the loader ends" end_loader 10
ok "it has ejected itself" state 'policy: none' 'exit_kind: request' 'exit_text: convert() asked for it'
end_vm
ok "nothing is left" nothing_left
finish
