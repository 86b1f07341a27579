#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A policy governs, and is shown and detached from, the VM that was meant, however the VM is held; identity/held.c
# holds it.
. "$(dirname "$0")/lib/test.sh"
in_vm --timeout 1800
. selftests/lib/policy.sh
vmsh=build/selftests/identity/held
refuse=$policies/refuse.bpf.o
fault=$policies/fault.bpf.o

# start MODE: the VM's descriptor is $fd, what else there is of it $extra, and its number $number.
start()
{
	start_vm $1
	fd=${vms% *} extra=${vms#* }
	number=$(sed -n 's/^kvm_vm_id:	//p' /proc/$vm/fdinfo/$fd)
}

# shows JQ: of "show" with the options in $target, for the one VM that is meant.
shows()
{
	run 0 $policy show --json $target && jq -es "length == 1 and (.[0] | length) == 1 and (.[0][0] | $1)" $out
}

# governed MODE: load, show, list and detach with the options in $target are about the VM.
governed()
{
	ok "$1: load" run 0 $policy load $refuse $target --pin
	ok "$1: it is in force" vm EPERM private 0x1000 1
	ok "$1: show" shows ".vm_id == $number and .pid == $vm and .vm_fd == $fd and .policy == \"refuse\""
	ok "$1: a second policy" fails 5 "VM $vm-$fd (held) has a policy already: refuse, link" \
		"memattr-policy detach --pid $vm --vm $fd" $policy load $fault $target
	ok "$1: detach" run 0 $policy detach $target
	ok "$1: it is gone" vm ok private 0x1000 1
	ok "$1: show, then" shows ".vm_id == $number and .policy == null and .exit.policy == \"refuse\" and
		.exit.kind == \"detach\""
	vm ok shared 0x1000 1
}

# ejected MODE: a loader in the foreground knows what became of its policy.
ejected()
{
	start_loader $fault $target convert_ret=7
	vm ok private 0x1000 1
	ok "$1: the kernel ejects it" end_loader 10
	ok "$1: the loader says why" grep -q \
		"fault: the kernel ejected it from VM $vm-$fd (held): bad-return 7: convert() returned 7" $err
}

start plain
target="--pid $vm"
governed plain
target="--id $number"
governed "plain, by its number"
end_vm
start dup
target="--pid $vm --vm $extra"
governed "dup, by a duplicate"
end_vm
start fork
target="--pid $extra"
governed "fork, by the child"
end_vm
start thread
target="--pid $vm"
governed thread
ejected thread
vm ok child-as $extra
ok "thread, whose number another process has" shows ".vm_id == $number and .pid == $vm and .name == \"held\""
ok "thread: that process has no VM" fails 4 "process $extra has no VM" 'memattr-policy show' \
	$policy show --pid $extra
end_vm
start reuse
target="--pid $vm --vm $fd"
governed reuse
ejected reuse
ok "reuse: show tells what it cannot know" shows '.calls == null and .refused == null'
ok "reuse: without --vm, load takes the VM that can be governed" run 0 $policy load $refuse --pid $vm --pin
ok "reuse: it is that one" vm EPERM private 0x1000 1
both()
{
	run 0 $policy show --json --pid $vm && jq -es "length == 1 and (.[0] | length == 2 and
		(map(select(.policy == \"refuse\")) | length == 1 and .[0].vm_id == $number) and
		(map(select(.vm_fd == $extra)) | length == 1 and (.[0].held | test(\"vCPU\"))))" $out
}
ok "reuse: show has both" both
ok "reuse: detach takes the one with a policy" run 0 $policy detach --pid $vm
ok "reuse: it is gone" vm ok private 0x1000 1
ok "reuse: the older one has no descriptor to load by" fails 1 'no more than a vCPU' 'policy for all VMs' \
	$policy load $refuse --pid $vm --vm $extra
end_vm

# --- it outlives its VMM ---
for kind in vm vcpu stats gmem; do
	start keep-$kind
	run 0 $policy load $refuse --pid $vm --pin
	end_vm
	target="--id $number"
	ok "keep-$kind: show" shows ".vm_id == $number and .pid == $extra and .policy == \"refuse\" and
		.name == \"keeper (VMM gone)\" and (.held | test(\"outlives its VMM: process $extra has\"))"
	target="--pid $extra"
	ok "keep-$kind: by its holder" shows ".vm_id == $number"
	link=$($policy list --json | jq ".[] | select(.vms[0].vm_id == $number) | .link_id")
	if [ $kind = vm ]; then
		ok "keep-$kind: detach by the link" run 0 $policy detach --link $link
	else
		ok "keep-$kind: detach" run 0 $policy detach $target
	fi
	ok "keep-$kind: it is gone" shows '.policy == null'
	kill -KILL $extra
done
ok "detach: no such link" fails 1 'link 999999 holds no policy' 'memattr-policy list' \
	$policy detach --link 999999
ok "show: no such number" fails 4 'no VM with the number 999999999' 'memattr-policy show' \
	$policy show --id 999999999
ok "nothing is left" nothing_left
finish
