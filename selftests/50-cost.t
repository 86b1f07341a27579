#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a one-page conversion and a stage-2 fault cost in instructions, which is the same at every run.
# The budgets are the series' promise: next to nothing without a policy, little for being asked.
. "$(dirname "$0")/lib/test.sh"

# Instructions that the series may add to KVM_SET_MEMORY_ATTRIBUTES of one page.
WITHOUT_POLICY=30
WITH_POLICY=350
# Instructions that the series may add to the fault of a page.
FAULT_WITHOUT_POLICY=10
FAULT_WITH_POLICY=20
# Instructions that prefault-trace may add to it; its manual says 520.
FAULT_WITH_TRACE=560

count()
{
	selftests/vm/run --icount --timeout 300 --kernel "$1" --with build/bench/trivial.bpf.o -- "${@:2}"
}

cost()
{
	count "$1" build/bench/conversion-cost "${@:2}"
}

# Prints the instructions for each page that the guest touches for the first time.
fault_cost()
{
	count "$1" build/bench/prefault-cost "${2:-none}" walk-64m | cut -d " " -f 2
}

# The same while prefault-trace counts faults.
traced_fault_cost()
{
	# shellcheck disable=SC2016
	selftests/vm/run --icount --timeout 300 --kernel "$patched" --with build/bin/prefault-trace \
		--with build/bench/prefault-cost -- sh -c '
			bb=/.vm/busybox
			build/bin/prefault-trace -b -d 600 >/dev/null 2>/tmp/hooks &
			while ! $bb grep -q "use: " /tmp/hooks; do $bb sleep 0.2; done
			build/bench/prefault-cost none walk-64m' | cut -d " " -f 2
}

# within NAME INSTRUCTIONS LIMIT: so many more than $stock, at most.
within()
{
	local more=$(($2 - stock))
	ok "$1: $more instructions more than '$stock', at most $3" [ -n "$2" -a -n "$stock" -a $more -le "$3" ]
}

read -r stock stock_again < <(cost stock)
read -r none none_again < <(cost "$patched")
read -r convert _ < <(cost "$patched" build/bench/trivial.bpf.o convert)
within "a page that changes, no policy" "$none" $WITHOUT_POLICY
within "a page that changes, a policy that agrees" "$convert" $WITH_POLICY
read -r elsewhere _ < <(cost "$patched" build/bench/trivial.bpf.o elsewhere)
stock=$elsewhere
# Tests the static key: if the host has no policy at all, nobody looks for one.
within "a page that changes, no policy, compared to one on another VM" "$none" -10
stock=$stock_again
within "a page that changes nothing, no policy" "$none_again" $WITHOUT_POLICY
stock=$(fault_cost stock)
within "a fault, no policy" "$(fault_cost "$patched")" $FAULT_WITHOUT_POLICY
within "a fault, a policy without prefault" "$(fault_cost "$patched" build/bench/trivial.bpf.o)" \
	$FAULT_WITH_POLICY
stock=$(fault_cost "$patched")
within "a fault, counted by prefault-trace" "$(traced_fault_cost)" $FAULT_WITH_TRACE
finish
