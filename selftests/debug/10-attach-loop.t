#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A policy is attached and detached a thousand times while two vCPUs convert memory, on a kernel
# with KASAN, lockdep and kmemleak. The runner fails if the kernel reports anything.
cd "$(dirname "$0")/../.." || exit 1

# shellcheck disable=SC2016
exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-debug}" --timeout 1500 -- bash -c '
	cycles=1000
	tests=0
	ok() { tests=$((tests + 1)); if eval "$2"; then echo "ok $tests - $1"; else echo "not ok $tests - $1"; fi; }
	bpftool=$(sed -n "s/^BPFTOOL *:*= *//p" build/deps.mk)
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

	build/selftests/bpf/attach-loop build/bpf/template.bpf.o template $pid $vmfd $cycles >/tmp/loop 2>&1
	ok "$cycles times attached and detached" "[ \"$(cat /tmp/loop)\" = \"$cycles cycles\" ]"
	sed "s/^/# /" /tmp/loop
	calls=$(sed -n "s/^calls: //p" $state)
	ok "the policy was asked in between ($calls calls)" "[ ${calls:-0} -gt 0 ]"
	ok "it is gone" "grep -qx \"policy: none\" $state"
	ok "and left by being detached" "grep -qx \"exit_kind: unreg\" $state"
	kill -INT $guest
	wait $guest
	ok "the guest found all its data" "[ $? -eq 0 ] && jq -e \".conversions > 0\" /tmp/summary >/dev/null"
	jq -c "{conversions, refused_eagain, guest_verified_pages, host_verified_pages}" /tmp/summary | sed "s/^/# /"
	after=$(objects)
	ok "no BPF program, map or link is left" "[ \"$before\" = \"$after\" ]"
	if [ -e /sys/kernel/debug/kmemleak ]; then
		# The second scan reports what the first one found and nobody took.
		echo scan >/sys/kernel/debug/kmemleak
		echo scan >/sys/kernel/debug/kmemleak
		grep -A 12 -E "^unreferenced" /sys/kernel/debug/kmemleak | grep -E "kvm|bpf" | sed "s/^/# /" >/tmp/leaks
		cat /tmp/leaks
		ok "kmemleak finds nothing of KVM or BPF" "[ ! -s /tmp/leaks ]"
	else
		ok "kmemleak is there" false
	fi
	echo 1..$tests'
