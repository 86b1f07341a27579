#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# ratelimit over time: a guest that converts as fast as it can gets what is allowed, not less and not
# more, and nobody else pays. Rates are the subject here, hence it waits by the clock.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh
SECONDS_LIMITED=10
RATE=50

# Prints the VM's conversions so far, and the time in ns.
conversions()
{
	cat /sys/kernel/debug/kvm/$1-*/memattr_pages_private /sys/kernel/debug/kvm/$1-*/memattr_pages_shared
	date +%s%N
}

# rate PID SECONDS: prints the conversions per second during SECONDS.
rate()
{
	{ conversions $1; sleep $2; conversions $1; } | awk '{ n[NR] = $1 }
		END { printf "%.2f\n", (n[4] + n[5] - n[1] - n[2]) * 1e9 / (n[6] - n[3]) }'
}

# They convert without end.
endless="--scenario ping-pong --mem 1 --duration 3600"
start_guest limited $endless
go_guest
limited=$guest
start_guest neighbour $endless
go_guest
neighbour=$guest
# A bucket for one conversion would lose what comes in while the guest waits for a CPU.
start_loader ratelimit --pid $limited rate=$RATE burst=5
# The first burst comes on top of the rate: skip it.
rate $limited 1 >/dev/null
# The guest must never get more. It gets less if the machine is busy, so try up to two more times.
for attempt in 1 2 3; do
	rate=$(rate $limited $SECONDS_LIMITED)
	awk "BEGIN { exit !($rate < 0.95 * $RATE) }" || break
	echo "# $rate conversions/s"
done
ok "over $SECONDS_LIMITED s a guest gets $rate conversions/s of $RATE, within 5 %" \
	awk "BEGIN { exit !($rate >= 0.95 * $RATE && $rate <= 1.05 * $RATE) }"
stop_loader

# Measure in turns, as the machine's speed varies.
for turn in 1 2 3; do
	rate $neighbour 2 >>$tmp/without
	start_loader ratelimit --pid $limited rate=$RATE burst=5
	rate $neighbour 2 >>$tmp/with
	stop_loader
done
sum() { awk '{ sum += $1 } END { printf "%.0f", sum / NR }' $1; }
without=$(sum $tmp/without) with=$(sum $tmp/with)
ok "its neighbour does $with conversions/s, $without while nobody is limited: within 5 %, or more" \
	awk "BEGIN { exit !($with > 0 && $with >= 0.95 * $without) }"

for guest in $limited $neighbour; do
	kill -INT $guest
	wait $guest
	ok "a guest ends with its data right" test $? -eq 0
done
ok "the limited one was refused and tried again" \
	json_is '.refused_eagain > 0 and .retries > 0 and .gave_up == 0' $tmp/limited.json
ok "the other was not" json_is '.refused_eagain == 0' $tmp/neighbour.json
ok "nothing is left" nothing_left
finish
