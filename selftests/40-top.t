#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# memattr-top: its figures against the guest's own, what it shows where something is missing, and the live
# view, driven by real keys in a real terminal (tmux).
cd "$(dirname "$0")/.." || exit 1
self=selftests/40-top.t
top=build/bin/memattr-top
guest=build/bin/memattr-guest
policy=build/bin/memattr-policy
out=/tmp/out
err=/tmp/err

# Longer than anything here takes on a loaded machine; only a failure waits that long.
PATIENCE_S=20

# ok NAME COMMAND...: COMMAND succeeds. Tests have no numbers: parts of them run in different machines.
ok()
{
	local name=$1

	shift
	if "$@" >/tmp/ok.log 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		tail -n 60 /tmp/ok.log $out $err 2>/dev/null | sed 's/^/# /'
	fi
}

# run STATUS COMMAND...: it ends with this exit status; its output is kept.
run()
{
	local expected=$1 status

	shift
	"$@" >$out 2>$err
	status=$?
	[ $status -eq "$expected" ] || { echo "exit status $status: $*"; return 1; }
}

fails_with()
{
	local status=$1 text=$2

	shift 2
	run "$status" "$@" && grep -q -e "$text" $err
}

wait_for()
{
	local end=$((SECONDS + PATIENCE_S))

	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "never: $*"; return 1; }
		sleep 0.05
	done
}

# --- a machine without KVM events: arguments ---

arguments()
{
	ok "--help" run 0 $top --help
	ok "--help names the exit codes" grep -q "Exit status: 0" $out
	ok "--version" eval 'run 0 $top --version && grep -qx "memattr-top [0-9.]*" $out'
	for wrong in "-d 0" "-d -1" "-d x" "-d 1x" "-d nan" "-d 9999" "-n 0" "-n x" "-p 0" "-p -3" \
		     "-p x" "--nonsense" "word"; do
		ok "$wrong: refused" fails_with 2 "memattr-top: " $top -b $wrong
	done
	ok "a screen without a terminal: says to use -b" fails_with 2 "try: memattr-top -b" $top
	ok "no such process" fails_with 4 "no process 4000000" $top -b -n 1 -p 4000000
}

# --- batch ---

# start_top ARGUMENT...: comes back when counting has begun.
start_top()
{
	rm -f /tmp/top.fifo
	mkfifo /tmp/top.fifo
	$top -b "$@" >/tmp/top.fifo 2>$err &
	top_pid=$!
	exec 8</tmp/top.fifo
	read -r heading <&8
}

# stop_top SIGNAL: keeps what it printed in $out.
stop_top()
{
	kill -"$1" $top_pid
	{ echo "$heading"; cat <&8; } >$out
	exec 8<&-
	wait $top_pid
}

# field COLUMN NAME: of the line about this VM in $out.
field()
{
	awk -v column="$1" -v name="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["NAME"] == name { print $at[column] }' $out
}

has_field()
{
	local value

	value=$(field "$2" "$1")
	[ "$value" = "$3" ] || { echo "$1 $2: $value, not $3"; return 1; }
}

# start_guest NAME ARGUMENT...: comes back when its VM exists; its guest does not run yet.
start_guest()
{
	local name=$1 line

	shift
	rm -f /tmp/"$name".go /tmp/"$name".ready
	mkfifo /tmp/"$name".go /tmp/"$name".ready
	$guest --name "$name" --wait --json "$@" </tmp/"$name".go >/tmp/"$name".json \
		2>/tmp/"$name".ready &
	guest_pid=$!
	exec 9>/tmp/"$name".go
	read -r line </tmp/"$name".ready
	[ "$line" ] || echo "# the guest $name did not start"
}

go_guest()
{
	echo go >&9
	exec 9>&-
}

finish_guest()
{
	go_guest
	wait $guest_pid
}

of_guest()
{
	jq "$2" /tmp/"$1".json
}

# same_counts NAME COLUMN=FILTER...: the line has what the guest itself counted.
same_counts()
{
	local name=$1

	shift
	for pair in "$@"; do
		has_field "$name" "${pair%%=*}" "$(of_guest "$name" "${pair#*=}")" || return 1
	done
}

# In KVM a conversion takes no longer than the VMM waited for it; both histograms are off by some percent.
plausible_latency()
{
	local p50 p99

	p50=$(field P50_us "$1")
	p99=$(field P99_us "$1")
	awk -v p50="$p50" -v p99="$p99" -v guest50="$(of_guest "$1" .convert_ns_p50)" \
		-v guest99="$(of_guest "$1" .convert_ns_p99)" '
		BEGIN { exit !(p50 > 0 && p50 <= p99 && p50 * 1000 <= guest50 * 1.15 &&
			       p99 * 1000 <= guest99 * 1.15) }' ||
		{ echo "p50 $p50 p99 $p99 us"; of_guest "$1" .; return 1; }
}

exact_counts()
{
	start_guest exact --scenario churn --count 300 --vcpus 2
	start_top --totals -d 600
	finish_guest
	ok "SIGINT: prints what it has and ends with 0" stop_top INT
	ok "one line per VM" eval '[ $(wc -l <$out) -eq 2 ]'
	ok "exits and conversions: the guest's own figures" same_counts exact EXITS=.exits \
		TO_PRIV=.to_private TO_SHARED=.to_shared EFF_PG=.converted_pages ZAP_PG=.converted_pages
	ok "nothing lost, own cost told" grep -q "lost: 0 events; own cost: [1-9]" $err
}

no_vm()
{
	ok "no VM: an empty table, and it says so" fails_with 0 "no VM is running" $top -b -n 1 -d 0.1
	ok "the heading is there" eval '[ $(wc -l <$out) -eq 1 ] && grep -q "^TIME *PID *NAME" $out'
	ok "a process without a VM" fails_with 0 "process $$ has no VM" $top -b -n 1 -d 0.1 -p $$
}

# --- live ---

tmux_()
{
	tmux -L memattr-top -f /dev/null "$@"
}

screen()
{
	tmux_ capture-pane -p "$@"
}

shows()
{
	screen | grep -q -e "$1"
}

shows_not()
{
	! shows "$1"
}

# What is awaited on the screen does come.
see()
{
	wait_for shows "$1" || { screen; return 1; }
}

see_gone()
{
	wait_for shows_not "$1" || { screen; return 1; }
}

keys()
{
	tmux_ send-keys "$@"
}

# start_live WIDTH HEIGHT [VARIABLE=VALUE...] [ARGUMENT...]: afterwards the shell compares the terminal's
# settings with those of before.
start_live()
{
	local width=$1 height=$2

	shift 2
	cat >/tmp/live.sh <<-END
		before=\$(stty -g)
		env $* </dev/tty
		status=\$?
		[ "\$(stty -g)" = "\$before" ] && sane=sane
		echo "ended \$status \$sane"
		exec sleep 1000
	END
	tmux_ kill-server 2>/dev/null
	tmux_ new-session -d -x "$width" -y "$height" bash /tmp/live.sh
	see "EXITS"
}

ended_well()
{
	see "ended 0 sane" &&
		[ "$(tmux_ display -p '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}

# Every line fits, and the heading is not cut.
heading_is()
{
	screen | grep -qx -e "$1" || { screen; return 1; }
}

first_row()
{
	[ "$(screen | awk '/ PID NAME/ { getline; print $2; exit }')" = "$1" ] || { screen; return 1; }
}

live_keys()
{
	local wide=" *PID NAME *EXITS/s *>PRIV/s *>SHRD/s *EFFPG/s *REQPG/s *ZAPPG/s *DENY/s *P50 *P99 POLICY"
	local narrow="    PID NAME      EXITS >PRIV >SHRD EFFPG REQPG ZAPPG  DENY   P50   P99 POLICY"

	# aaa has more exits, bbb comes later in the alphabet.
	$guest --name bbb --scenario sparse --rate 20 --duration 1000 >/dev/null 2>&1 &
	local bbb=$!
	$guest --name aaa --scenario churn --rate 200 --duration 1000 >/dev/null 2>&1 &
	local aaa=$!

	start_live 80 24 $top -d 0.2
	ok "live: both VMs" eval 'see "2 VMs" && see " aaa " && see " bbb "'
	ok "80 columns: all headings" heading_is "$narrow"
	ok "the hook of each metric, what was lost, the own cost" eval \
		'see "exits tp_btf:kvm_exit" && see "conversions [a-z_]*:kvm" && see "zaps [a-z_]*:kvm" &&
		 see "lost 0" && see "BPF cost [0-9.]*% of a CPU, [1-9][0-9]* ns/event"'
	ok "sorted by exits" eval 'wait_for first_row aaa'
	keys R
	ok "R: the other way round" eval 'wait_for first_row bbb'
	keys R '<'
	ok "<: by name" eval 'wait_for first_row aaa'
	keys R
	ok "by name, from the end" eval 'wait_for first_row bbb'
	keys R '>'
	ok ">: by exits again" eval 'wait_for first_row aaa'
	keys F6
	ok "F6: a menu" eval 'see "Sort by" && see "^ DENY"'
	keys Up R
	keys Escape
	ok "Esc: leaves it, and R in it did nothing" eval 'see_gone "Sort by" && first_row aaa'
	keys F6 Up Enter
	keys R
	ok "Enter: sorts by what was chosen" eval 'see_gone "Sort by" && wait_for first_row bbb'
	keys R F6 Down Enter

	keys h
	ok "h: help" eval 'see "REQPG  pages asked for" && see "VM end *[a-z]*:kvm_"'
	keys x
	ok "any key: back" see "^ *PID NAME"
	keys '?'
	ok "?: help as well" see "REQPG  pages asked for"
	keys q
	ok "q there: back" see "^ *PID NAME"

	keys +
	ok "+: a longer delay" see "every 0.5 s"
	keys - -
	ok "-: a shorter one" see "every 0.1 s"
	keys -
	ok "not below the limit" see "every 0.1 s"
	keys d 0 . 4 5 BSpace Enter
	ok "d: asks for it" see "every 0.4 s"
	keys s 0 Enter
	ok "s: one that is out of range is refused" eval 'see "out of range" && see "every 0.4 s"'
	keys s 7 Escape
	ok "Esc: keeps it" eval 'see_gone "Delay in" && see "every 0.4 s"'

	keys t
	ok "t: totals" see "  totals"
	# Conversions in totals: no rate of this guest comes near it.
	ok "they go up" see " aaa  *[0-9.]*k "
	keys Space
	ok "space: paused" see PAUSED
	local frozen
	frozen=$(screen)
	kill $bbb
	wait $bbb
	keys Down
	keys Up
	ok "what happens meanwhile is not shown" [ "$(screen)" = "$frozen" ]
	keys Space
	ok "space: on; a VM that ended is dropped" eval 'see_gone PAUSED && see_gone " bbb " && see "1 VM "'
	keys t

	tmux_ resize-window -x 120 -y 30
	ok "120x30: wide headings" eval 'see "EXITS/s" && heading_is "$wide"'
	tmux_ resize-window -x 40 -y 8
	ok "40x8: what fits" eval 'see_gone EXITS/s && see "^ *PID NAME *EXITS .*EFFPG$" && see " aaa "'
	keys Right Right Right
	ok "right: further columns" eval 'see "^ *PID NAME *EFFPG"'
	keys Left Left Left
	tmux_ resize-window -x 12 -y 2
	ok "12x2: the heading and a VM" eval 'see "^ *PID NAME" && see "^ *[0-9]* aaa"'
	tmux_ resize-window -x 1 -y 1
	tmux_ resize-window -x 80 -y 24
	ok "1x1 and back" eval 'see "^ *PID NAME.*POLICY" && heading_is "$narrow"'
	keys q
	ok "q: ends with 0, the terminal as before" ended_well

	start_live 80 24 $top
	keys C-c
	ok "Ctrl-C: the same" ended_well
	start_live 80 24 $top
	pkill -TERM -x memattr-top
	ok "SIGTERM: the same" ended_well
	start_live 80 24 $top -n 1 -d 0.1
	ok "-n: ends by itself" ended_well
	start_live 80 24 $top -p $aaa
	ok "-p: of one process" see "1 VM of one process"
	kill $aaa
	wait $aaa
	ok "it is gone: says so" see "process $aaa has no VM"
	keys q
	ended_well
	start_live 80 24 $top
	ok "no VM: says so" see "no VM is running"
	tmux_ kill-server
	ok "a terminal of unknown type: says so" eval \
		'script -qec "TERM=nonsense $top" /dev/null </dev/null >$err; grep -q "another TERM" $err'
}

# --- on the patched kernel ---

denied()
{
	start_guest limited --scenario ping-pong --count 200
	$policy load build/bpf/ratelimit.bpf.o --pid $guest_pid rate=100 burst=10 >/tmp/load 2>&1 &
	local loader=$!

	ok "a policy is attached" wait_for grep -q attached /tmp/load
	start_top --totals -d 600
	finish_guest
	stop_top INT
	wait $loader
	ok "the guest was refused some" eval '[ $(of_guest limited ".refused_eagain + .denied") -gt 0 ]'
	ok "denied: as often as the guest was" same_counts limited TO_PRIV=.to_private \
		TO_SHARED=.to_shared EFF_PG=.converted_pages REQ_PG=".requested_pages" \
		DENIED=".refused_eagain + .denied"
	ok "the policy's name" has_field limited POLICY ratelimit
}

# A VM that ends is in one more interval, and no VM is in another's line.
intervals()
{
	start_guest one --scenario churn --count 100
	local one=$guest_pid lines

	exec 7>&9
	start_guest two --scenario churn --count 200
	start_top --totals -d 0.1
	ok "idle VMs are listed, with zeros" eval 'read -r line <&8; read -r line2 <&8;
		echo "$line/$line2" | grep -q " one  *0  *0 .*none */.* two  *0  *0 .*none"'
	finish_guest
	echo go >&7
	exec 7>&-
	wait $one
	# Two lines of the next interval at the latest are without them.
	wait_for grep -q "no VM is running" $err
	stop_top TERM
	cp $out /tmp/all
	for name in one two; do
		{ head -n 1 /tmp/all; grep " $name " /tmp/all | tail -n 1; } >$out
		ok "$name: the last line has all of it" same_counts $name EXITS=.exits \
			TO_PRIV=.to_private TO_SHARED=.to_shared
	done

	start_guest one --count 10
	local one=$guest_pid

	exec 7>&9
	start_guest two --count 10
	ok "-p: only that process" eval 'run 0 $top -b -n 1 -d 0.1 -p $one && grep -q " one " $out &&
		! grep -q " two " $out'
	exec 7>&- 9>&-
	wait
}

latency()
{
	start_guest slow --scenario churn --count 300
	start_top --totals -d 600
	finish_guest
	stop_top INT
	ok "percentiles of the latency" plausible_latency slow
}

# DENY in yellow is the one thing here that has a colour.
no_color()
{
	start_guest limited --scenario ping-pong --rate 500 --duration 1000
	$policy load build/bpf/ratelimit.bpf.o --pid $guest_pid rate=10 burst=1 >/tmp/load 2>&1 &
	local loader=$!

	wait_for grep -q attached /tmp/load
	go_guest
	start_live 80 24 $top -d 0.2
	ok "the policy and its refusals are on the screen" see "limited .* [1-9][0-9.]* .* ratelimi$"
	ok "with colour" eval 'screen -e | grep -q "$(printf "\033")\[[0-9;]*3[0-7]"'
	start_live 80 24 NO_COLOR=1 $top -d 0.2
	see "limited .* [1-9][0-9.]* .* ratelimi$"
	ok "NO_COLOR: without" eval '! screen -e | grep -q "$(printf "\033")\[[0-9;]*[34][0-7]"'
	tmux_ kill-server
	kill $guest_pid
	wait $guest_pid $loader
}

# Runs last: taking so many VMs down takes half a minute, which the machine's end spares.
many()
{
	start_top --totals -d 0.1
	sleep 0 | build/selftests/top/many-vms 40 >/dev/null
	wait_for grep -q "no VM is running" $err
	rm -f /tmp/many.fifo /tmp/many.out
	mkfifo /tmp/many.fifo /tmp/many.out
	build/selftests/top/many-vms 1100 </tmp/many.fifo >/tmp/many.out &
	exec 7>/tmp/many.fifo
	read -r line </tmp/many.out
	stop_top INT
	# 40 of the 1,024 slots had been used before; they are free again.
	ok "VMs beyond the limit: lost events are counted" grep -q "lost: 76 events" $err
	ok "all are listed" eval '[ $(tail -n 1100 $out | awk "{ print \$3 }" | sort -u | wc -l) -eq 1100 ]'
	start_live 80 24 $top
	keys End
	ok "a screen of them, at its end" eval 'see "1100 VMs" && see "many-vms"'
}

# --- where something is missing ---

missing()
{
	ok "no rights: cause and next command" fails_with 3 "CAP_BPF and CAP_PERFMON.*uid 65534" \
		setpriv --reuid=65534 --regid=65534 --clear-groups $top -b -n 1
	ok "the command" grep -q "try: run it as root" $err
	ok "no BTF" fails_with 3 "CONFIG_DEBUG_INFO_BTF=y" \
		unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $top -b -n 1"
	ok "no debugfs: no policy, idle VMs not listed" fails_with 0 "without debugfs" \
		unshare -m sh -c "umount /sys/kernel/debug && exec $top -b -n 1 -d 0.1"
	rmmod kvm_amd 2>/dev/null || rmmod kvm_intel
	rmmod kvm
	ok "KVM is not loaded" fails_with 3 "try: modprobe kvm" $top -b -n 1
}

live_stock()
{
	start_guest stock --count 10
	start_live 80 24 $top
	ok "stock: n/a on the screen as well" eval \
		'see " stock  *0  *0  *0  *0  *n/a  *0  *n/a  *n/a  *n/a n/a$" && see "memory_attributes(\*)"'
	keys h
	ok "stock: help tells why" see "(\*) counts once per memslot"
	tmux_ kill-server
	finish_guest
}

stock_columns()
{
	for column in REQ_PG DENIED P50_us P99_us POLICY; do
		ok "stock: $column is n/a" has_field exact $column n/a
	done
	ok "stock: says what it counts with" eval 'grep -q "fentry:kvm_arch_post_set" $err &&
		grep -q "upper bound" $err'
}

# Without fentry nobody tells of a VM's end, nor on a stock kernel of conversions.
no_fentry()
{
	sysctl -q kernel.ftrace_enabled=0
	start_guest exact --count 20
	start_top --totals -d 0.1
	finish_guest
	ok "no fentry: a VM that ended is dropped all the same" wait_for grep -q "no VM is running" $err
	stop_top INT
	{ head -n 1 $out; grep " exact " $out | tail -n 1; } >$out.last
	mv $out.last $out
	for column in TO_PRIV TO_SHARED EFF_PG ZAP_PG; do
		ok "no fentry: $column is n/a" has_field exact $column n/a
	done
	ok "exits are counted" same_counts exact EXITS=.exits
	ok "the cause" grep -q "conversions: n/a (sysctl kernel.ftrace_enabled is 0)" $err
	sysctl -q kernel.ftrace_enabled=1
}

case $1 in
in-patched-vm)
	no_vm
	exact_counts
	ok "requested pages" same_counts exact REQ_PG=.requested_pages DENIED=0
	ok "no policy" has_field exact POLICY none
	latency
	intervals
	denied
	no_color
	live_keys
	many
	exit 0
	;;
in-stock-vm)
	no_vm
	exact_counts
	stock_columns
	no_fentry
	live_stock
	missing
	exit 0
	;;
esac

{
	ok "the parts that need no kernel" build/selftests/top/top-unit
	arguments
	selftests/vm/run --kernel stock --timeout 120 -- $self in-stock-vm
	ok "the part on the stock kernel came to its end" [ $? -eq 0 ]
	selftests/vm/run --kernel "${MEMATTR_KERNEL:-patched}" --timeout 180 -- $self in-patched-vm
	ok "the part on the patched kernel came to its end" [ $? -eq 0 ]
} | awk '{ print; fflush() } /^(not )?ok / { tests++ } END { print "1.." tests }'
