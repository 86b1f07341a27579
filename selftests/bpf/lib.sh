# SPDX-License-Identifier: GPL-2.0
# What the tests of policies share. They source it from the top of the checkout, most inside the VM.

tmp=${tmp:-/tmp}
policy=build/bin/memattr-policy
policies=build/selftests/bpf
vmsh=${vmsh:-$policies/vmsh}
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

mkfifo $tmp/vm-in $tmp/vm-out $tmp/other-in $tmp/other-out $tmp/loader-out

# A VM by hand, with its descriptors in $vms. Its input is 8 and its output 9.
start_vm()
{
	$vmsh "$@" <$tmp/vm-in >$tmp/vm-out &
	vm=$!
	exec 8>$tmp/vm-in 9<$tmp/vm-out
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

# ask COMMAND...: the VM's $answer.
ask()
{
	echo "$*" >&8
	read -r answer <&9
}

# One more VM, with its descriptor as $other_fd, its input as 6 and its output as 7.
start_other_vm()
{
	$policies/vmsh <$tmp/other-in >$tmp/other-out 8>&- 9<&- &
	other=$!
	exec 6>$tmp/other-in 7<$tmp/other-out
	read -r _ other_fd <&7
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

# Starts a loader in the background, "memattr-policy load" with these arguments, or $load. Returns
# when it has attached, or has failed. It must not hold the VMs' pipes, whose end would go unnoticed
# then.
start_loader()
{
	${load:-$policy load} "$@" >$tmp/loader-out 2>$err 6>&- 7<&- 8>&- 9<&- &
	loader=$!
	exec 5<$tmp/loader-out
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

# state_of PID|PID-FD LINE...: the kernel's own account of the VM's policy has these lines, which are
# patterns as in case, and so have the VM's statistics, "refused: 1". Without other programs: each takes its time to start under emulation.
state_of()
{
	case $1 in
	*-*) folder=$1 ;;
	*) folder=$1-* ;;
	esac
	account=
	for file in /sys/kernel/debug/kvm/$folder/memattr_policy; do
		while read -r line; do
			account="$account<$line>"
		done <$file
	done
	for file in /sys/kernel/debug/kvm/$folder/memattr_*; do
		case $file in
		*_policy | *_ranges) continue ;;
		esac
		read -r line <$file
		account="$account<${file##*/memattr_}: $line>"
	done
	shift
	for line in "$@"; do
		# shellcheck disable=SC2027 # $line is a pattern
		case $account in
		*"<"$line">"*) ;;
		*) echo "no '$line' in $account"; return 1 ;;
		esac
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
