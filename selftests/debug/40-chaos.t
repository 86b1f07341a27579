#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Policies that misbehave at random come to guests that convert memory and check it, are updated,
# detached and killed, and so are the guests: ../policy/chaos.c, ../policy/chaos.bpf.c. On a kernel with
# KASAN and lockdep; the runner fails if it reports anything.
#
#	MEMATTR_CHAOS_SECONDS	how long (180)
#	MEMATTR_CHAOS_SEED	for what is at random, so far as it does not depend on time (1)
. "$(dirname "$0")/../lib/test.sh"
patched=${MEMATTR_KERNEL:-debug}
seconds=${MEMATTR_CHAOS_SECONDS:-180} seed=${MEMATTR_CHAOS_SEED:-1}
in_vm --append kvm.gmem_huge_pages=policy --timeout $((2 * seconds + 900)) -- env MEMATTR_CHAOS_SECONDS="$seconds" MEMATTR_CHAOS_SEED="$seed"
. selftests/lib/policy.sh
# Enough for every cache to have what it keeps.
warm_up_s=30
chaos=$policies/chaos

# How often something happened, by the driver's report.
happened()
{
	count=$(sed -n "s/^$1 //p" $tmp/report)
	echo "${count:-0}"
}

# some WHAT...: checks that each of these happened, and says how often.
some()
{
	missing=
	for what in "$@"; do
		[ "$(happened $what)" -gt 0 ] || missing="$missing $what"
	done
	[ -z "$missing" ] || { echo "this never happened:$missing"; return 1; }
}

none()
{
	for what in "$@"; do
		[ "$(sed -n "s/^$what //p" $tmp/report)" = 0 ] || { echo "$what: $(happened $what)"; return 1; }
	done
}

show()
{
	line="#"
	for what in "$@"; do
		line="$line $what $(happened $what)"
	done
	echo "$line"
}

right()
{
	lacks '^wrong: ' $tmp/warm-up && lacks '^wrong: ' $tmp/report && [ $warm_up_status -eq 0 ] && [ $chaos_status -eq 0 ]
}

# Allow one object for every four VMs that came under a policy.
no_growth()
{
	limit=$(($(happened vm_attach) / 4))
	[ -s $tmp/memory-before ] && [ $limit -gt 0 ] || return 1
	no_memory_grew $limit $tmp/memory-before $tmp/memory-after
}

# Checks that a new guest runs as if there had been no policies.
stock_like()
{
	start_guest after --scenario churn --vcpus 2 --count 200
	state_of $guest 'policy: none' 'policy_calls: 0' 'refused: 0' 'ejections: 0' || return 1
	lacks exit_ /sys/kernel/debug/kvm/$guest-*/memattr_policy || return 1
	go_guest
	wait $guest || return 1
	json_is '.conversions >= 200 and .denied == 0 and .refused_eagain == 0 and
		.guest_verified_pages > 0' $tmp/after.json
}

$chaos $warm_up_s $((seed + 1)) >$tmp/warm-up
warm_up_status=$?
ok "nothing is left of the warm-up" nothing_left
kernel_memory >$tmp/memory-before
echo "# $seconds s, MEMATTR_CHAOS_SEED=$seed"
$chaos $seconds $seed >$tmp/report
chaos_status=$?
kernel_memory >$tmp/memory-after

ok "nothing went wrong" right
ok "all guests that were left alone ended with their data right" \
	some guests_verified guest_verified_pages host_verified_pages conversions
show guests_started guests_verified guests_killed
show guest_verified_pages host_verified_pages conversions retries denied gave_up
ok "policies were attached, updated and let go" some attaches updates again_refused closes detaches \
	links_detached
show loads attaches attach_failures updates update_failures again_refused again_attached
show closes detaches links_detached
ok "loaders and VMs were killed, also at once" some loaders_killed guests_killed both_killed
show loaders_started loaders_killed guests_killed both_killed
ok "policies refused, widened, looped, slept, recursed and asked" some convert zap vm_attach_refused \
	convert_refused zap_widened prefault windows gmem_block blocks_wanted loops sleeps recursions tail_calls kfuncs iterator_ranges eject_requests
show vm_attach vm_attach_refused vm_detach convert convert_refused zap zap_widened
show prefault windows gmem_block blocks_wanted
show loops sleeps sleep_errors recursions tail_calls kfuncs iterator_ranges eject_requests
for kind in bad-return bad-field budget request; do
	ok "ejected: $kind, $(happened exit:$kind) times" some exit:$kind
done
ok "policies left for every other reason" some exit:unreg exit:detach exit:vm-death exit:replaced \
	exit:refused
show exit:unreg exit:detach exit:vm-death exit:replaced exit:refused
ok "each time with a reason" none no_reason
ok "debugfs was read meanwhile" some reads records
show reads records
ok "ejections counted are those traced" some vms_accounted ejections_accounted
show vms_accounted ejections_accounted
ok "vm_attach and vm_detach took turns" none attached_twice not_attached
ok "nothing is left" nothing_left
ok "no cache grows" no_growth
ok "a new VM is as if there were no policies" stock_like
finish
