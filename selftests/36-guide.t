#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# docs/policies.md, followed: the policies in it are taken from the page, built as it says, loaded, and
# do what the page says.
. "$(dirname "$0")/lib/test.sh"
guide=build/selftests/guide
# What the guide says is not there, or is: NAME, how the callback begins, what must come before, the call.
TASK_STORAGE='struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int); __type(value, u64); } map SEC(".maps");'
ARENA='struct { __uint(type, BPF_MAP_TYPE_ARENA); __uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4); } map SEC(".maps");
	extern void *bpf_arena_alloc_pages(void *map, void *addr, u32 count, int node, u64 flags) __ksym __weak;'
PERF='struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); }
	map SEC(".maps");'
RINGBUF='struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } map SEC(".maps");'
USER_STR='extern int bpf_copy_from_user_str(void *to, u32 to__sz, const void *from__ign, u64 flags) __ksym __weak;'
# write_call NAME SLEEPABLE DECLARATIONS CALL: a policy that makes this call.
write_call()
{
	cat >$guide/$1.bpf.c <<END
#include "memattr.bpf.h"
$3
int MEMATTR_CALLBACK$2($1_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	char text[16];
	u64 number = 1;

	return ($4) ? number + text[0] : 0;
}
MEMATTR_OPS($1, convert);
END
}
calls='task_storage copy_user arena comm perf stack signal'
calls_there='arena_sleeps user_str ringbuf probe_user'
if [ -z "$inside" ]; then
	rm -rf $guide
	mkdir -p $guide
	awk -v dir=$guide '
		/^Save this as `bpf\/.*`:$/ { split($0, part, /[\/`]/); file = dir "/" part[3] }
		/^```$/ { if (inside) close(file); inside = 0 }
		inside { print >file }
		/^```c$/ { inside = 1 }' docs/policies.md
	write_call task_storage '' "$TASK_STORAGE" 'bpf_task_storage_get(&map, bpf_get_current_task_btf(), 0, 1)'
	write_call copy_user _SLEEPABLE '' 'bpf_copy_from_user(&number, 8, (void *)request->attributes)'
	write_call arena '' "$ARENA" 'bpf_arena_alloc_pages(&map, NULL, 1, -1, 0)'
	write_call comm '' '' 'bpf_get_current_comm(text, sizeof(text))'
	write_call perf '' "$PERF" 'bpf_perf_event_output((void *)request, &map, 0, &number, 8)'
	write_call stack '' '' 'bpf_get_stack((void *)request, text, sizeof(text), 0)'
	write_call signal '' '' 'bpf_send_signal(10)'
	write_call arena_sleeps _SLEEPABLE "$ARENA" 'bpf_arena_alloc_pages(&map, NULL, 1, -1, 0)'
	write_call user_str _SLEEPABLE "$USER_STR" 'bpf_copy_from_user_str(text, 8, (void *)request->attributes, 0)'
	write_call ringbuf '' "$RINGBUF" 'bpf_ringbuf_output(&map, &number, 8, 0)'
	write_call probe_user '' '' 'bpf_probe_read_user(&number, 8, (void *)request->attributes)'
	objects=
	for name in sizecap sharecap $calls $calls_there; do
		objects="$objects $guide/$name.bpf.o"
	done
	# shellcheck disable=SC2086
	make -s $objects || exit 1
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

# What the guide types in the shell.
guest_is_refused()
{
	run 0 $policy load $guide/sizecap.bpf.o --all --pin max_pages=8 &&
		run 0 build/bin/memattr-guest --scenario churn --chunk 64K --count 20 && grep '^denied *20, 20 EPERM$' $out &&
		run 0 $policy detach --all
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

start_vm
for name in $calls; do
	ok "$name: is not there" fails 6 "verifier refuses the program" '' $policy load $guide/$name.bpf.o --pid $vm
done
for name in $calls_there; do
	start_loader $guide/$name.bpf.o --pid $vm
	ok "$name: is there" expr "$attached" : "$name: attached to VM"
	stop_loader
done
# bpffs reserves dots in names.
pinned_as()
{
	start_loader $guide/sizecap.bpf.o --pid $vm
	run ${2:-0} $bpftool link pin id ${attached##* } /sys/fs/bpf/$1
	pinned=$?
	rm -f /sys/fs/bpf/$1
	stop_loader
	return $pinned
}
ok "a pin without dots" pinned_as sizecap
ok "a pin with a dot is refused" pinned_as sizecap.bpf 255
# On Debian's kernel bpftool finds no member that the series adds: this policy reads none.
ok "bpftool registers a policy without a folder for its link" \
	run 0 $bpftool struct_ops register build/selftests/policy/refuse.bpf.o
ok "and it is gone" state 'policy: none'
end_vm
ok "nothing is left" nothing_left
finish
