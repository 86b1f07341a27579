#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-policy audit: each event is recorded or counted as lost, and nothing else is recorded.
. "$(dirname "$0")/lib/test.sh"
in_vm -- env AUDIT_ATTEMPTS="$AUDIT_ATTEMPTS"
. selftests/lib/policy.sh
attempts=${AUDIT_ATTEMPTS:-20000}
fault=$policies/fault.bpf.o
record=$tmp/record
summary=$tmp/summary

# Starts an audit with these arguments. Returns when it records or has failed.
start_audit()
{
	: >$record
	$policy audit "$@" >$record 2>$summary 6>&- 7<&- 8>&- 9<&- &
	audit=$!
	while ! [ -s $record ] && kill -0 $audit 2>/dev/null; do
		sleep 0.1
	done
	[ -s $record ]
}

# end_audit [SIGNAL]: checks that the audit ends with status 0.
end_audit()
{
	kill -${1:-TERM} $audit || return 1
	wait $audit
	status=$?
	[ $status -eq 0 ] || { echo "the audit's exit status is $status"; cat $summary; return 1; }
}

# appears PATTERN: checks that the record of the running audit soon has such a line.
appears()
{
	soon grep -q "$1" $record && return
	echo "no '$1' in the record:"
	cat $record
	return 1
}

# has COUNT FILTER: checks that jq's FILTER is true of this many objects in the record.
has()
{
	[ -s $record ] && count=$(jq -s "map(select($2)) | length" $record) && [ "$count" = $1 ] && return
	echo "$count, not $1, are like $2:"
	tail -n 20 $record
	return 1
}

# last_is FILTER: checks that jq's FILTER is true of the last object in the record.
last_is()
{
	tail -n 1 $record >$tmp/last
	json_is "$1" $tmp/last
}

# --- what is recorded, of all VMs ---
# The name would clear the screen, also by a control character of two bytes, and is not valid UTF-8.
start_vm 1 -name "$(printf 'a\033[2Jb\302\2332Jc\377d')"
start_other_vm
who=".pid == $vm and .vm_fd == $vms"
# Clocks are read one after the other: allow a second.
before=$(date -u -d '1 second ago' +%FT%T.%6NZ)
ok "it starts without a policy" start_audit --json min_pages=16
vm ok private 0x1000 16
ok "a pipe sees a large conversion at once" appears '"converted"'
vm ok shared 0x1000 15
vm ok private 0x1000 16
vm ok private 0x1000 16
start_loader $fault --pid $vm convert_ret=-16
vm EBUSY shared 0x1004 3
stop_loader
start_loader $fault --pid $vm convert_ret=7
vm ok shared 0x1000 1
end_loader 10
start_loader seal --all
other_vm EPERM shared 0x1000 1
stop_loader
start_loader template --pid $vm
end_vm
end_loader 11
ok "SIGTERM ends it with status 0" end_audit
after=$(date -u -d '1 second' +%FT%T.%6NZ)
ok "every line is an object of JSON" test "$(jq -c 'objects' $record | wc -l)" -eq "$(wc -l <$record)" -a -s $record
ok "the first says that it started, the last that it ended" \
	jq -es '.[0].event == "start" and .[-1].event == "end"' $record
ok "one conversion was large enough: VM, address, size, direction" has 1 ".event == \"converted\" and
	$who and .gpa == $((0x1000000)) and .bytes == $((0x10000)) and .pages == 16 and
	.effective_pages == 16 and .direction == \"private\" and .result == \"ok\" and .policy == null"
ok "none that was smaller, or changed less" has 1 '.event == "converted"'
ok "a refusal: VM, address, size, direction, errno, by whom" has 1 ".event == \"refused\" and
	$who and .gpa == $((0x1004000)) and .bytes == $((0x3000)) and .pages == 3 and .effective_pages == 0 and
	.direction == \"shared\" and .result == \"EBUSY\" and .policy == \"fault\""
ok "one in another VM, which is named" has 1 ".event == \"refused\" and .pid == $other and
	.name == \"vmsh\" and .result == \"EPERM\" and .policy == \"seal\""
ok "no other refusals" has 2 '.event == "refused"'
ok "an ejection, with its reason" has 1 ".event == \"exit\" and $who and .policy == \"fault\" and
	.kind == \"bad-return\" and .code == 7 and .text == \"convert() returned 7, which it must not\""
ok "policies that were detached" has 3 '.event == "exit" and .kind == "detach"'
ok "a policy whose VM ended, which is known still" has 1 ".event == \"exit\" and $who and
	.policy == \"template\" and .kind == \"vm-death\""
ok "no other exits" has 5 '.event == "exit"'
times_are_right()
{
	jq -es --arg before "$before" --arg after "$after" 'map(.time) |
		all(test("^20[0-9-]{8}T[0-9:]{8}[.][0-9]{6}Z$")) and . == sort and
		.[0] >= $before and .[-1] <= $after' $record
}
ok "times are UTC, in order" times_are_right
ok "the VM's name comes without what a terminal would obey" has 6 \
	"$who and .name == \"a?[2Jb?2Jc?d\""
nothing_but_ascii()
{
	[ -s $record ] && [ -z "$(LC_ALL=C tr -d '\n -~' <$record)" ]
}
ok "nothing but ASCII" nothing_but_ascii
ok "the summary tells how many" grep -q '^memattr-policy: audit: 8 events recorded, 0 lost$' $summary
ok "and so does the last line" has 1 '.event == "end" and .recorded == 8 and .lost == 0'

# --- of one VM, as text ---
end_other_vm
start_vm 1 -name "$(printf 'a\033[2Jb\302\2332Jc\377d')"
start_other_vm
ok "it starts for one VM" start_audit --pid $vm
start_loader seal --all
vm EPERM shared 0x1ff0 16
other_vm EPERM shared 0x1000 1
vm ok private 0x1000 0x1000
stop_loader
start_loader template --all
end_vm
stop_loader
ok "SIGHUP ends it with status 0" end_audit HUP
name='(a?\[2Jb?2Jc?d)'
vm_line="^20..-..-..T..:..:..[.]......Z VM $vm-$vms $name"
ok "a refusal is a line, the name in it made safe" grep -q \
	"$vm_line refused shared 0x1ff0000-0x2000000 65536 bytes 16 pages: EPERM by seal$" $record
ok "so is an exit" grep -q "$vm_line left seal: detach 0: detached by process" $record
ok "and one at the VM's end" grep -q "$vm_line left template: vm-death 0: " $record
ok "min_pages=0: no conversion; nothing of the other VM" test $(wc -l <$record) = 5
ok "nothing but ASCII" nothing_but_ascii
end_other_vm
start_vm
ok "refused=no" start_audit --json refused=no
start_loader seal --pid $vm
vm EPERM shared 0x1000 1
stop_loader
end_audit
ok "leaves refusals out" has 0 '.event == "refused"'
ok "and nothing else" has 1 '.event == "exit"'

# A VM that a policy refuses has no descriptor before its creation is over.
start_audit --json
start_loader $fault --all attach_ret=-13
start_other_vm
stop_loader
end_audit
ok "a policy that refuses a new VM" has 1 ".event == \"exit\" and .pid == $other and (.vm_fd == null or .vm_fd == $other_fd) and
	.kind == \"refused\" and .code == -13"
end_other_vm

# --- a flood ---
refused_by_kvm()
{
	read -r refused </sys/kernel/debug/kvm/$vm-$vms/memattr_refused
	echo $refused
}
# flood: makes random attempts under seal. $refused is how many of them KVM refused.
flood()
{
	before=$(refused_by_kvm)
	vm ok share-at-random $attempts 0x1400 0x100
	refused=$(($(refused_by_kvm) - before))
	[ $refused -gt $((attempts / 2)) ]
}
# adds_up: checks that the events $recorded and $lost add up to the conversions that KVM refused.
adds_up()
{
	recorded=$(grep -c '"event":"refused"' $record)
	lost=$(grep '"event":"lost"' $record | jq -s 'map(.events) | add // 0')
	echo "$recorded recorded, $lost lost, $refused refused"
	[ $((recorded + lost)) -eq $refused ] &&
		last_is ".event == \"end\" and .recorded == $recorded and .lost == $lost" &&
		grep -q "audit: $recorded events recorded, $lost lost$" $summary
}
who=".pid == $vm and .vm_fd == $vms"
vm ok private 0x1000 0x1000
$policy load seal --pid $vm --pin window1=0x1400000 window1_size=0x100000 >$out
start_audit --json
kill -STOP $audit
ok "$attempts attempts while the audit stands still" flood
kill -CONT $audit
ok "it ends" end_audit
ok "all refusals are recorded: the ring holds them" adds_up
ok "none is lost" test $lost -eq 0
ok "each is whole" test "$(jq -c "select(.event == \"refused\" and $who and .result == \"EPERM\" and
	.policy == \"seal\" and .direction == \"shared\" and .bytes == .pages * 4096)" $record | wc -l)" \
	= $recorded -a $recorded -gt 0
start_audit --json ring_kib=4
kill -STOP $audit
ok "a small ring, and the audit stands still" flood
kill -CONT $audit
ok "losses are reported while it runs" appears '"event":"lost"'
ok "a refusal after that" vm EPERM shared 0x1000 1
refused=$((refused + 1))
ok "it ends" end_audit
ok "recorded and lost are what was refused" adds_up
ok "the ring held what it holds" test $recorded -gt 16 -a $recorded -lt 64
start_audit --json ring_kib=4
ok "a small ring, and the audit runs" flood
end_audit
ok "recorded and lost are what was refused" adds_up
ok "some was recorded, some lost" test $recorded -gt 64 -a $lost -gt 0
start_audit --json ring_kib=64
attempts=$((attempts * 5))
{ appears '"event":"refused"'; kill -TERM $audit; } >$tmp/killed &
ok "$attempts attempts, and it is ended in the middle" flood
ok "it ends" wait $audit
ends_whole()
{
	recorded=$(grep -c '"event":"refused"' $record)
	last_is ".event == \"end\" and .recorded == $recorded" &&
		[ $recorded -gt 0 ] && [ $recorded -lt $refused ]
}
ok "the record is whole up to its end" ends_whole
$policy detach --pid $vm >$out

# --- what can be wrong or missing ---
nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
ok "not root" fails 3 'takes CAP_BPF and CAP_PERFMON, which this process (uid 65534)' \
	'run it as root' $nobody $policy audit
if [ -e /sys/kernel/btf/kvm ]; then
	ok "no CAP_SYS_ADMIN" fails 3 'takes CAP_SYS_ADMIN' 'run it as root' \
		setpriv --bounding-set -sys_admin --inh-caps -sys_admin $policy audit
else
	ok "no CAP_SYS_ADMIN # SKIP KVM is built in" true
fi
ok "no BTF" fails 3 'the kernel has no BTF' 'CONFIG_DEBUG_INFO_BTF=y' \
	unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $policy audit"
ok "no such process" fails 4 'there is no process 999999' 'memattr-policy show' \
	$policy audit --pid 999999
ok "no such VM" fails 4 "descriptor 0 of process $vm is not a VM" 'memattr-policy show' \
	$policy audit --pid $vm --vm 0
disk_is_full()
{
	$policy audit >/dev/full 2>$err
	status=$?
	[ $status -eq 1 ] && grep -q 'cannot write the audit record: No space left' $err
}
ok "a record that cannot be written ends it with status 1" disk_is_full
without_debugfs()
{
	: >$record
	unshare -m sh -c "umount /sys/kernel/debug && exec $policy audit --json --pid $vm min_pages=1" \
		>$record 2>$summary 8>&- 9<&- &
	audit=$!
	appears start && vm ok shared 0x1000 0x1000 && end_audit && has 1 ".event == \"converted\" and $who"
}
ok "no debugfs mounted: none is needed" without_debugfs
end_vm

# The kernel frees programs a grace period after the last reference is gone.
no_programs_left()
{
	run 0 $bpftool -j prog
	while grep -q -e '"audit_' -e '"list_vm_files' $out; do
		run 0 $bpftool -j prog
	done
	lacks '"audit_' $out && run 0 $bpftool -j link && [ "$(cat $out)" = '[]' ]
}
ok "no program and no link is left" no_programs_left
ok "nothing is left" nothing_left
finish
