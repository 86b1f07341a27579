# SPDX-License-Identifier: GPL-2.0
# Functions for tests of policies. A test sources test.sh first.
# shellcheck shell=sh

policy=build/bin/memattr-policy
policies=build/selftests/policy
vmsh=${vmsh:-$policies/vmsh}
bpftool=$(sed -n 's/^BPFTOOL *:*= *//p' build/deps.mk)
out=$tmp/out
err=$tmp/err
shows="$out $err"
: >$out
: >$err

# run STATUS COMMAND...: checks that COMMAND ends with this exit status, and keeps its output.
run()
{
	expected=$1
	shift
	"$@" >$out 2>$err
	status=$?
	[ $status -eq $expected ] || { echo "exit status $status, not $expected"; return 1; }
}

# fails STATUS CAUSE NEXT COMMAND...: like run, and checks that it reports the cause and the next command.
fails()
{
	cause=$2 next=$3
	expected=$1
	shift 3
	run $expected "$@" && grep -q "$cause" $err && grep -q "$next" $err
}

mkfifo $tmp/vm-6 $tmp/vm-7 $tmp/vm-8 $tmp/vm-9 $tmp/loader-out $tmp/guest-in $tmp/guest-ready

# start_guest NAME ARGUMENT...: memattr-guest with a VM, which waits for go_guest. Its process is $guest,
# its VM's descriptor $guest_fd, and its summary will be in $tmp/NAME.json.
start_guest()
{
	guest_name=$1
	shift
	build/bin/memattr-guest --name $guest_name --json --wait "$@" <$tmp/guest-in >$tmp/$guest_name.json \
		2>$tmp/guest-ready 3<&- 4>&- 6>&- 7<&- 8>&- 9<&- &
	guest=$!
	exec 4>$tmp/guest-in 3<$tmp/guest-ready
	read -r _ _ guest_fd <&3
	guest_fd=${guest_fd#vmfd=}
}

go_guest()
{
	echo >&4
	exec 4>&-
}

# start_by_hand IN OUT PROGRAM [ARGUMENT...]: a VM by hand, whose input and output become these
# descriptors. Its process is $started, and its VMs' descriptors are $fds.
start_by_hand()
{
	in=$1 from=$2
	shift 2
	"$@" <$tmp/vm-$in >$tmp/vm-$from 3<&- 4>&- 6>&- 7<&- 8>&- 9<&- &
	started=$!
	eval "exec $in>$tmp/vm-$in $from<$tmp/vm-$from"
	eval "read -r _ fds <&$from"
}

# With its descriptors in $vms. Its input is 8 and its output 9.
start_vm()
{
	start_by_hand 8 9 $vmsh "$@"
	vm=$started vms=$fds
}

end_vm()
{
	exec 8>&- 9<&-
	wait $vm
}

# vm ANSWER COMMAND...: checks the VM's answer to a command.
vm()
{
	expected=$1
	shift
	echo "$*" >&8
	read -r answer <&9
	[ "$answer" = "$expected" ] || { echo "$*: $answer, not $expected"; return 1; }
}

# vm_at_once ANSWERS COMMAND...: checks the answers, in this order, to commands of several words each, which the VM gets
# all at once: hardly any time passes between them, whatever this machine does meanwhile.
vm_at_once()
{
	expected=$1 answers=
	shift
	printf '%s\n' "$@" >&8
	for _ in "$@"; do
		read -r answer <&9
		answers="$answers${answers:+ }$answer"
	done
	[ "$answers" = "$expected" ] || { echo "$*: $answers, not $expected"; return 1; }
}

# ask COMMAND...: puts the VM's answer into $answer.
ask()
{
	echo "$*" >&8
	read -r answer <&9
}

# Starts a second VM, with its descriptor in $other_fd, its input as 6 and its output as 7.
start_other_vm()
{
	start_by_hand 6 7 $policies/vmsh
	other=$started other_fd=$fds
}

# Instead of it a process that only has policies.
start_other_loader()
{
	start_by_hand 6 7 $policies/vmsh 0
	other=$started
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

# Instead of it a task that maps the VM's memory, as $gmem: hostsh, or another PROGRAM. Its process is $host.
start_host()
{
	start_by_hand 6 7 ${1:-$policies/hostsh} $vm $gmem 16
	host=$started
}

end_host()
{
	exec 6>&- 7<&-
	wait $host
}

host()
{
	other_vm "$@"
}

# Starts a loader in the background: "memattr-policy load", or $load, with these arguments. Returns
# when it has attached or failed. It must not hold the VMs' pipes open, or a VM would not notice the end
# of its input.
start_loader()
{
	${load:-$policy load} "$@" >$tmp/loader-out 2>$err 3<&- 4>&- 6>&- 7<&- 8>&- 9<&- &
	loader=$!
	exec 5<$tmp/loader-out
	read -r attached <&5
}

# end_loader STATUS: waits for the loader's end, checks its exit status, and keeps the rest of its output.
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
	kill -TERM $loader
	end_loader 0
}

# state_of PID|PID-FD LINE...: checks that the VM's memattr_policy file and statistics ("refused: 1") have
# these lines, which are patterns as in case. Starts no other program, because that takes long under
# emulation.
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

# Checks that BPF's own lists, which are "[]" if they are empty, have no policy. The kernel frees maps and programs a grace period after the
# last reference is gone: wait for that.
nothing_left()
{
	run 0 $bpftool -j link && lacks struct_ops $out || return 1
	run 0 $bpftool -j map
	while grep -q struct_ops $out; do
		run 0 $bpftool -j map
	done
	lacks struct_ops $out
}

# Live objects by kmalloc cache, and memory per CPU in kB. Shrinking takes what is free out of caches
# per CPU and out of the quarantine of KASAN.
kernel_memory()
{
	for file in /sys/kernel/slab/*/shrink; do
		echo 1 >$file
	done
	awk '/^kmalloc-/ { print $1, $2 }' /proc/slabinfo
	awk '/^Percpu:/ { print "percpu-kB", $2 }' /proc/meminfo
}

# no_memory_grew LIMIT BEFORE AFTER: by more than that, as two files of kernel_memory tell.
no_memory_grew()
{
	[ -s $2 ] && [ -s $3 ] && awk -v limit=$1 'NR == FNR { before[$1] = $2; next }
		$2 - before[$1] > limit { print $1, before[$1], "->", $2, "limit", limit; more = 1 }
		END { exit more }' $2 $3
}
