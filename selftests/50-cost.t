#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a one-page conversion and a stage-2 fault cost in instructions, which is the same at every run.
# The budgets are the series' promise: next to nothing without a policy, little for being asked.
cd "$(dirname "$0")/.." || exit 1

# Instructions that the series may add to KVM_SET_MEMORY_ATTRIBUTES of one page.
WITHOUT_POLICY=30
WITH_POLICY=350
# And to the fault of a page.
FAULT_WITHOUT_POLICY=10
FAULT_WITH_POLICY=20

cost()
{
	local kernel=$1
	shift
	selftests/vm/run --icount --timeout 300 --kernel "$kernel" \
		--with build/bench/trivial.bpf.o -- build/bench/conversion-cost "$@"
}

within()
{
	tests=$((tests + 1))
	if [ -n "$2" ] && [ $(($2 - stock)) -le "$3" ]; then
		echo "ok $tests - $1: $(($2 - stock)) instructions more than $stock, at most $3"
	else
		echo "not ok $tests - $1: '$2' instructions, at most $3 more than '$stock'"
	fi
}

echo 1..6
tests=0
patched=${MEMATTR_KERNEL:-patched}
read -r stock stock_again stock_fault < <(cost stock)
read -r none none_again none_fault < <(cost "$patched")
read -r convert _ convert_fault < <(cost "$patched" build/bench/trivial.bpf.o convert)
within "a page that changes, no policy" "$none" $WITHOUT_POLICY
within "a page that changes, a policy that agrees" "$convert" $WITH_POLICY
read -r elsewhere _ < <(cost "$patched" build/bench/trivial.bpf.o elsewhere)
stock=$elsewhere
# The static key: if there is no policy at all, nobody looks for one.
within "a page that changes, no policy, compared to one on another VM" "$none" -10
stock=$stock_again
within "a page that changes nothing, no policy" "$none_again" $WITHOUT_POLICY
stock=$stock_fault
within "a fault, no policy" "$none_fault" $FAULT_WITHOUT_POLICY
within "a fault, a policy for conversions" "$convert_fault" $FAULT_WITH_POLICY
