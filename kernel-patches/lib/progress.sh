# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Running make with its output in a log, and telling how far it has come.
#
# A step is a line of kbuild's output, or a compiler's command.  How many there
# will be is not known before; the last finished build of the same KIND is the best guess, and
# lib/expected-steps stands in for it before there was one.

# What this many percent of the steps have taken says more about the time that
# is left than what the last build took.
readonly TRUST_PERCENT=5

count_steps()	# LOG FIRST_BYTE
{
	tail -c "+$2" "$1" | grep -cE '^( +[A-Z]{2,}|gcc) ' || :
}

# Prints the steps and the seconds to expect.
expected_steps()	# KIND
{
	{
		cat "$cache/steps/$1" 2>/dev/null || :
		awk -v kind="$1" '$1 == kind { print $2, $3 }' "$here/lib/expected-steps"
	} | head -n 1
}

remember_steps()	# KIND STEPS SECONDS
{
	local new

	[ "$2" -gt 0 ] || return 0
	mkdir -p "$cache/steps"
	new=$(scratch)/steps
	echo "$2 $3" >"$new"
	mv "$new" "$cache/steps/$1"
}

duration()	# SECONDS
{
	if [ "$1" -lt 100 ]; then
		echo "$1 s"
	elif [ "$1" -lt 6000 ]; then
		echo "$((($1 + 30) / 60)) min"
	else
		echo "$((($1 + 1800) / 3600)) h"
	fi
}

# What to say of a build: it has not ended, so it is never at 100 %.
progress_text()	# STEPS SECONDS EXPECTED_STEPS EXPECTED_SECONDS
{
	local steps=$1 seconds=$2 of=$3 total_seconds=$4 percent left

	if [ "$steps" -ge "$of" ]; then
		echo "99 %, more than the $of steps expected, after $(duration "$seconds")"
		return
	fi
	percent=$((steps * 100 / of))
	left=$((total_seconds - seconds))
	[ "$percent" -lt "$TRUST_PERCENT" ] || left=$((seconds * (of - steps) / steps + 1))
	if [ "$left" -le 0 ]; then
		echo "$percent % of about $of steps, after $(duration "$seconds"), which is longer than expected"
		return
	fi
	echo "$percent % of about $of steps, after $(duration "$seconds"), about $(duration "$left") left"
}

# Shows progress every second (terminal) or half minute, until it is killed.
monitor()	# LABEL LOG FIRST_BYTE EXPECTED_STEPS EXPECTED_SECONDS
{
	local label=$1 log=$2 first=$3 start=$SECONDS every=30 tick text

	[ ! -t 2 ] || every=1
	# Nobody writes to it: reading is a sleep that needs no process, which would outlive this one.
	exec {tick}<> <(:)
	while :; do
		read -rt "$every" -u "$tick" || :
		# $$ is the script itself, which may have been killed.
		kill -0 $$ 2>/dev/null || exit 0
		text="$label: $(progress_text "$(count_steps "$log" "$first")" $((SECONDS - start)) "$4" "$5")"
		if [ -t 2 ]; then
			printf '\r\033[Kkernel: %s' "$text" >&2
		else
			say "$text"
		fi
	done
}

# Runs COMMAND with its output in LOG.  A subshell, so that the monitor ends
# with it in each case.
run_logged()	# KIND LABEL LOG COMMAND...
(
	local kind=$1 label=$2 log=$3 start=$SECONDS rc=0 first steps total_seconds monitor_pid
	shift 3

	echo "+ $*" >>"$log"
	first=$(($(stat -c %s "$log") + 1))
	read -r steps total_seconds < <(expected_steps "$kind")
	monitor "$label" "$log" "$first" "$steps" "$total_seconds" 8>&- &
	monitor_pid=$!
	trap 'kill $monitor_pid 2>/dev/null' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	"$@" >>"$log" 2>&1 </dev/null || rc=$?
	kill "$monitor_pid"
	wait "$monitor_pid" 2>/dev/null || :
	trap - EXIT
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ "$rc" != 0 ]; then
		tail -n 30 "$log" >&2
		die "$label failed; the whole log: $log"
	fi
	remember_steps "$kind" "$(count_steps "$log" "$first")" $((SECONDS - start))
)
