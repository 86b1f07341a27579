#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a tool says if it cannot load its programs: the cause, not the nearest one.
. "$(dirname "$0")/lib/test.sh"
work=build/selftests/diag
if [ -z "$inside" ]; then
	# A kvm module whose types are none: the kernel does not take it.
	kernel=$(kernel-patches/kernel path "$patched") || exit 1
	rm -rf $work
	mkdir -p $work
	cp "$(find "$kernel/modules" -name kvm.ko)" $work/kvm.ko
	objcopy --dump-section .BTF=$work/btf $work/kvm.ko &&
		head -c "$(stat -c %s $work/btf)" /dev/zero >$work/zeroes &&
		objcopy --update-section .BTF=$work/zeroes $work/kvm.ko || exit 1
fi
in_vm
. selftests/lib/policy.sh
top=build/bin/memattr-top

ok "what files of other machines tell" build/selftests/tools/diag-unit

# small BYTES COMMAND...: runs the command with that much memory.
small()
{
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/vmms/small
	echo +memory >/sys/fs/cgroup/vmms/cgroup.subtree_control
	echo $1 >/sys/fs/cgroup/vmms/memory.max
	shift
	# shellcheck disable=SC2016
	sh -c 'echo $$ >/sys/fs/cgroup/vmms/small/cgroup.procs && exec "$@"' - "$@"
}
# The tool itself fits in, but not a GiB of series.
ok "a memory cgroup is too small: which, and how small" fails 3 \
	'the memory cgroup /vmms is limited to 134217728 bytes' 'memory.max' \
	small 134217728 build/bin/prefault-trace -b -n 1 --series 262144

for module in kvm_amd kvm_intel kvm; do
	[ ! -e /sys/module/$module ] || while ! busybox rmmod $module 2>/dev/null; do sleep 1; done
done
ok "KVM is not loaded" fails 3 'KVM is not loaded: there is no' 'modprobe kvm' $top -b -n 1
busybox insmod $work/kvm.ko 2>/dev/null
ok "the kernel did not take the module's types" fails 3 'refused the types (BTF) of the kvm module' \
	'dmesg | grep BTF' $top -b -n 1
finish
