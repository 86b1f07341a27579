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
# Enough for a machine that stands still for so many seconds: a full bucket would lose what comes in.
BURST=$((10 * RATE))

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

# sample PID: waits until the policy refuses a conversion, at which moment the bucket is empty, and prints seconds from
# before and after that, how many conversions there were soon afterwards, and seconds from after counting.
sample()
{
	for folder in /sys/kernel/debug/kvm/$1-*; do
		before=0 refused=0
		while [ $refused -eq $before ]; do
			read -r earliest _ </proc/uptime
			read -r before <$folder/memattr_refused
			read -r refused <$folder/memattr_refused
			read -r latest _ </proc/uptime
		done
		read -r to_private <$folder/memattr_pages_private
		read -r to_shared <$folder/memattr_pages_shared
		read -r counted _ </proc/uptime
	done
	echo $earliest $latest $((to_private + to_shared)) $counted
}

# gets_all RATE: from two lines of sample(), checks that the guest got what came into the bucket from the first moment to
# the second one. A clock of 10 ms and parts of conversions make less than two.
gets_all()
{
	awk -v rate=$1 'NR == 1 { earliest = $1; latest = $2; before = $3; counted = $4 }
		NR == 2 {
			least = rate * ($1 - latest - (counted - earliest)) - 2
			most = rate * ($4 - earliest) + 2
			print $3 - before " conversions, " least " to " most
			exit !(least > 0 && least <= $3 - before && $3 - before <= most)
		}' $tmp/samples
}

# They convert without end.
endless="--scenario ping-pong --mem 1 --duration 3600"
start_guest limited $endless
go_guest
limited=$guest
start_guest neighbour $endless
go_guest
neighbour=$guest
start_loader ratelimit --pid $limited rate=$RATE burst=$BURST
# The first burst comes on top of the rate, and is over at the first refusal.
sample $limited >$tmp/samples
sleep $SECONDS_LIMITED
sample $limited >>$tmp/samples
ok "over $SECONDS_LIMITED s a guest gets $RATE conversions/s, not less and not more" gets_all $RATE
note .
stop_loader

# Measure in turns, as the machine's speed varies.
mean() { awk '{ sum += $1 } END { printf "%.0f", sum / NR }' $1; }
for turn in 1 2 3 4 5 6; do
	rate $neighbour 2 >>$tmp/without
	start_loader ratelimit --pid $limited rate=$RATE burst=5
	rate $neighbour 2 >>$tmp/with
	stop_loader
done
without=$(mean $tmp/without) with=$(mean $tmp/with)
pays_nothing() { awk "BEGIN { exit !($with > 0 && $with >= 0.95 * $without) }"; }
ok "its neighbour does $with conversions/s, $without while nobody is limited: within 5 %, or more" pays_nothing

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
