# SPDX-License-Identifier: GPL-2.0
# What the tests of policies share. They source it from the top of the checkout, most inside the VM.

tmp=${tmp:-/tmp}
policy=build/bin/memattr-policy
policies=build/selftests/bpf
bpftool=$(sed -n 's/^BPFTOOL *:*= *//p' build/deps.mk)
out=$tmp/out
err=$tmp/err
tests=0

# ok NAME COMMAND...: COMMAND succeeds, or what was said last is shown.
ok()
{
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" >$tmp/ok 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		cat $tmp/ok $out $err | sed 's/^/# /'
	fi
}

# run STATUS COMMAND...: COMMAND ends with this exit status; its output is kept.
run()
{
	expected=$1
	shift
	"$@" >$out 2>$err
	status=$?
	[ $status -eq $expected ] || { echo "exit status $status, not $expected"; return 1; }
}

# fails STATUS CAUSE NEXT COMMAND...: as run, and it says the cause and the next command.
fails()
{
	cause=$2 next=$3
	expected=$1
	shift 3
	run $expected "$@" && grep -q "$cause" $err && grep -q "$next" $err
}

# A VM by hand, with its descriptors in $vms. Its input is 8 and its output 9.
start_vm()
{
	mkfifo $tmp/vm-in $tmp/vm-out
	$policies/vmsh "$@" <$tmp/vm-in >$tmp/vm-out &
	vm=$!
	exec 8>$tmp/vm-in 9<$tmp/vm-out
	rm $tmp/vm-in $tmp/vm-out
	read -r _ vms <&9
}

end_vm()
{
	exec 8>&- 9<&-
	wait $vm
}

# vm ANSWER COMMAND...: the VM answers so.
vm()
{
	expected=$1
	shift
	echo "$*" >&8
	read -r answer <&9
	[ "$answer" = "$expected" ] || { echo "$*: $answer, not $expected"; return 1; }
}

# One more VM, with its input as 6 and its output as 7.
start_other_vm()
{
	mkfifo $tmp/vm-in $tmp/vm-out
	$policies/vmsh <$tmp/vm-in >$tmp/vm-out 8>&- 9<&- &
	other=$!
	exec 6>$tmp/vm-in 7<$tmp/vm-out
	rm $tmp/vm-in $tmp/vm-out
	read -r _ _ <&7
}

end_other_vm()
{
	exec 6>&- 7<&-
	wait $other
}

other_vm()
{
	vm "$@" 8>&6 9<&7
}

# Starts a loader in the background, "memattr-policy load" with these arguments or $load; returns when
# it has attached, or has failed. It must not hold the VMs' pipes: their end would go unnoticed.
start_loader()
{
	mkfifo $tmp/loader-out
	${load:-$policy load} "$@" >$tmp/loader-out 2>$err 6>&- 7<&- 8>&- 9<&- &
	loader=$!
	exec 5<$tmp/loader-out
	rm $tmp/loader-out
	read -r attached <&5
}

# end_loader STATUS: it ends, if it has not yet, with this status. The rest of what it says is kept.
end_loader()
{
	cat <&5 >$out
	exec 5<&-
	wait $loader
	status=$?
	[ $status -eq $1 ] || { echo "the loader's exit status is $status"; return 1; }
}

stop_loader()
{
	kill -INT $loader
	end_loader 0
}

# state_of PID LINE...: the kernel's own account of the VM's policy has these lines, which are
# regular expressions.
state_of()
{
	cat /sys/kernel/debug/kvm/$1-*/memattr_policy >$out || return 1
	shift
	for line in "$@"; do
		grep -Eqx "$line" $out || { echo "no '$line'"; return 1; }
	done
}

state()
{
	state_of $vm "$@"
}

# By BPF's own lists there is no policy. The kernel frees maps and programs a grace period after the
# last reference is gone: wait for that.
nothing_left()
{
	run 0 $bpftool link && ! grep struct_ops $out || return 1
	run 0 $bpftool map
	while grep -q struct_ops $out; do
		run 0 $bpftool map
	done
}

finish()
{
	echo "1..$tests"
}
