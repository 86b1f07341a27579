#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory at addresses that the CPU has but page tables of four levels do not reach: policies that map
# ahead, and KVM_PRE_FAULT_MEMORY, map nothing of it. prefault/high.c tries.
. "$(dirname "$0")/lib/test.sh"
in_vm --phys-bits 52
. selftests/lib/policy.sh
ok "the CPU's addresses have 52 bits, of which its page tables use 48" \
	grep -q '^address sizes[[:space:]]*: 52 bits physical, 48 bits virtual' /proc/cpuinfo
start_loader $policies/fault.bpf.o --all window_end_add=16 window_flags=1
ok "a policy that maps ahead is loaded" expr "$attached" : 'fault: attached'
subtest "memory out of reach, and next to it" build/selftests/prefault/prefault high
stop_loader
finish
