#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the tools call VMs, and whose process numbers are whose. Needs no VM.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/policy.sh

ok "names and processes" build/selftests/tools/vm-unit

# In a PID namespace of its own a tool says so, and takes no name from a process whose number means another one.
if unshare -pf --mount-proc true 2>/dev/null; then
	said()
	{
		unshare -pf --mount-proc build/selftests/tools/list-vms >$out 2>$err &&
			grep -q "not the host's PID namespace" $err
	}
	ok "in a PID namespace: that is said" said
	outside()
	{
		build/selftests/tools/list-vms >$out 2>$err && [ "$(readlink /proc/self/ns/pid)" != 'pid:[4026531836]' ] ||
			[ "$(grep -c namespace $err)" = 0 ]
	}
	ok "in the host's it is not" outside
else
	ok "in a PID namespace # SKIP this user or kernel makes none" true
fi
finish
