#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A policy is attached, replaced by an update and detached a thousand times, or MEMATTR_CYCLES times,
# while two vCPUs convert memory, on a kernel with KASAN and lockdep. The runner fails if the kernel
# reports anything.
cd "$(dirname "$0")/../.." || exit 1

cycles=${MEMATTR_CYCLES:-1000}
# shellcheck disable=SC2016
exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" --timeout $((1000 + cycles)) -- bash -c '
	cycles=$1
	tests=0
	ok() { tests=$((tests + 1)); if eval "$2"; then echo "ok $tests - $1"; else echo "not ok $tests - $1"; fi; }
	bpftool=$(sed -n "s/^BPFTOOL *:*= *//p" build/deps.mk)
	# Live objects by kmalloc cache. Shrinking takes what is free out of caches per CPU and out of
	# the quarantine of KASAN.
	slabs() { for f in /sys/kernel/slab/*/shrink; do echo 1 >$f; done; grep "^kmalloc-" /proc/slabinfo; }
	objects() { $bpftool -j prog list | jq length; $bpftool -j map list | jq length; $bpftool -j link list | jq length; }

	before=$(objects)
	mkfifo /tmp/start
	build/bin/memattr-guest --scenario churn --vcpus 2 --duration 3600 --json --wait \
		</tmp/start >/tmp/summary 2>/tmp/ready &
	guest=$!
	exec 7>/tmp/start
	ready=
	while [ -z "$ready" ] && kill -0 $guest; do ready=$(grep "^ready" /tmp/ready); done
	pid=${ready#*pid=} pid=${pid%% *} vmfd=${ready#*vmfd=} vmfd=${vmfd%% *}
	echo go >&7
	state=/sys/kernel/debug/kvm/$pid-$vmfd/memattr_policy

	loop() { build/selftests/policy/attach-loop build/bpf/template.bpf.o $pid $vmfd $1 replace 2>&1; }
	# Whatever is allocated once has been allocated after these.
	loop 100 >/tmp/loop
	slabs >/tmp/slabs-before
	loop $cycles >/tmp/loop
	slabs >/tmp/slabs-after
	ok "$cycles times attached, replaced and detached" "[ \"$(cat /tmp/loop)\" = \"$cycles cycles\" ]"
	sed "s/^/# /" /tmp/loop
	calls=$(cat ${state%policy}policy_calls)
	ok "the policy was asked in between ($calls calls)" "[ ${calls:-0} -gt 0 ]"
	ok "it is gone" "grep -qx \"policy: none\" $state"
	ok "and left by being detached" "grep -qx \"exit_kind: unreg\" $state"
	kill -INT $guest
	wait $guest
	ok "the guest found all its data" "[ $? -eq 0 ] && jq -e \".conversions > 0\" /tmp/summary >/dev/null"
	jq -c "{conversions, refused_eagain, guest_verified_pages, host_verified_pages}" /tmp/summary | sed "s/^/# /"
	after=$(objects)
	ok "no BPF program, map or link is left" "[ \"$before\" = \"$after\" ]"
	# A leak is one object for each cycle. What the guest converts has some hundreds come and go.
	awk -v limit=$((cycles / 2 + 300)) "NR == FNR { before[\$1] = \$2; next }
		\$2 - before[\$1] > limit { print \$1, before[\$1], \$2 }" \
		/tmp/slabs-before /tmp/slabs-after >/tmp/leaks
	sed "s/^/# /" /tmp/leaks
	ok "no kmalloc cache has an object more for each cycle" \
		"[ -s /tmp/slabs-before ] && [ ! -s /tmp/leaks ]"
	echo 1..$tests' sh "$cycles"
