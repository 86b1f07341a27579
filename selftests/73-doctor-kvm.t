#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# memattr-policy doctor and KVM: on a host that has all, on hosts where something is unmounted, unloaded, stock or
# ejected, and without rights. The rest is in 72-doctor.t.
. "$(dirname "$0")/lib/test.sh"

if [ -z "$inside" ]; then
	# The TAP of both VMs has one plan.
	for kernel in "$patched" stock; do
		selftests/vm/run --kernel "$kernel" --timeout 1200 -- "$script" in-vm "$kernel" "$tests" >"$tmp/tap"
		status=$?
		grep -v '^1\.\.' "$tmp/tap"
		tests=$(sed -n 's/^1\.\.//p' "$tmp/tap")
		[ $status = 0 ] && [ "$tests" ] || exit 1
	done
	finish
	exit
fi
kernel=$2 tests=$3
. selftests/lib/policy.sh
. selftests/lib/doctor.sh
vendor=kvm-amd loaded=kvm_amd
[ -d /sys/module/kvm_amd ] || vendor=kvm-intel loaded=kvm_intel

if [ "$kernel" = stock ]; then
	ok "stock KVM, no modules for it" diagnosed patched lacks 'no memory attribute policies' \
		"apt-get install memattr-kvm-modules-$release*make deb" isolated "$(kernels $release $stock:)"
	ok "stock KVM is loaded, patched modules are on disk" diagnosed patched lacks 'no memory attribute policies' \
		"stop all VMs, then: modprobe -r $vendor kvm; modprobe $vendor" isolated "$(kernels $release $own:)"
	finish
	exit
fi

# --- a host that has all ---
ok "a host that has all: status 0" run 0 $doctor
ok "no check lacks anything" lacks '^lacks' $out
cp $out $tmp/text
ok "as JSON" run 0 $json
has_state()
{
	echo "$1 $2" | grep -Fx -f - $tmp/states
}
jq -r '.[] | .state + " " + .name' $out >$tmp/states
ok "the same checks with the same states in the same order" sh -c \
	"sed -nE 's/^(ok|note|lacks) +([^ ]+) .*/\\1 \\2/p' $tmp/text | diff - $tmp/states"
for check in rights kvm vendor-module patched btf bpffs debugfs jit cpu vm-types in-place hugepages types; do
	ok "$check is ok" has_state ok $check
done

# --- broken hosts ---
ok "no rights" diagnosed rights lacks 'CAP_BPF and CAP_PERFMON' 'run it as root' \
	setpriv --reuid=65534 --regid=65534 --clear-groups $json
ok "no CAP_SYS_PTRACE" diagnosed rights lacks 'CAP_SYS_PTRACE' 'run it as root' \
	setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace sh -c "$json"
ok "no BTF" diagnosed btf lacks 'no BTF' 'CONFIG_DEBUG_INFO_BTF=y' isolated 'mount -t tmpfs none /sys/kernel/btf'
ok "no BTF of module kvm" diagnosed btf lacks 'the kvm module has no BTF' 'CONFIG_DEBUG_INFO_BTF_MODULES=y' isolated \
	"mkdir $tmp/btf; cp /sys/kernel/btf/vmlinux $tmp/btf; mount --bind $tmp/btf /sys/kernel/btf"
ok "bpffs is not mounted" diagnosed bpffs lacks 'not mounted' 'mount -t bpf bpf /sys/fs/bpf' \
	isolated 'umount /sys/fs/bpf'
ok "debugfs is not mounted" diagnosed debugfs lacks 'not mounted' 'mount -t debugfs debugfs /sys/kernel/debug' \
	isolated 'umount /sys/kernel/debug'

# --- VMs and policies ---
start_vm
$policy load $policies/fault.bpf.o --pid $vm --pin convert_ret=1 >/dev/null
ok "a VM with a policy" diagnosed vms ok '1 VMs, 1 of them' '' $json
cp $out $tmp/with-vm
ok "its policy" diagnosed policies ok '1 are attached' '' cat $tmp/with-vm
ok "and its pin" diagnosed pins ok '1 in /sys/fs/bpf/memattr, 0 of them' '' cat $tmp/with-vm
ask private 0x1000 1
ok "a policy was ejected" diagnosed policies note "was ejected: convert() returned 1" 'correct the policy' $json
cp $out $tmp/ejected
ok "and its pin is idle" diagnosed pins note '1 of them without a policy' 'memattr-policy apply' cat $tmp/ejected
run 0 $policy apply /none
ok "the next command removes it" diagnosed pins ok '0 in' '' $json
end_vm

# --- KVM ---
# vendor MODULE...: only these modules are there, and the CPU says nothing of virtualization. KVM is as it was.
vendor()
{
	cover /proc/cpuinfo 'flags : fpu sse2'
	echo 'mount -t tmpfs none /sys/module'
	for module; do
		echo "mkdir /sys/module/$module"
	done
}
ok "KVM works by a module of others" diagnosed vendor-module note 'kvm_pvm creates VMs, but' '' \
	isolated "$(vendor kvm kvm_pvm)"
cp $out $tmp/others
ok "and without hardware virtualization" diagnosed cpu note 'this KVM creates VMs without them' '' cat $tmp/others
ok "KVM works, and no module is seen" diagnosed vendor-module note 'a module without a name creates VMs' '' \
	isolated "$(vendor kvm)"
ok "the module of others is there, and KVM creates no VM" diagnosed vendor-module lacks \
	'kvm_pvm is loaded, but KVM cannot create a VM' 'dmesg' \
	isolated "$(vendor kvm kvm_pvm); mount --bind /dev/null /dev/kvm"
ok "there is no /dev/kvm" diagnosed vendor-module lacks "$loaded is loaded, but there is no /dev/kvm" "modprobe $vendor" \
	isolated 'mount -t tmpfs none /dev'
ok "/dev/kvm is for others" diagnosed vendor-module note 'cannot open /dev/kvm: Permission denied' 'run it as root' \
	sh -c "chmod 600 /dev/kvm; setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all $json"

ok "the module for the CPU is unloaded" busybox rmmod $loaded
ok "KVM without its module for the CPU" diagnosed vendor-module lacks 'neither kvm_amd nor kvm_intel' \
	"modprobe $vendor" $json
ok "KVM is unloaded" busybox rmmod kvm
ok "KVM is not loaded" diagnosed kvm lacks "modprobe would load /lib/modules/$release/$own" "modprobe $vendor" \
	isolated "$(kernels $release $own:)"
ok "there is no KVM" diagnosed kvm lacks 'there is no module kvm below' 'memattr-kvm-modules' \
	isolated "$(kernels $release x.ko:)"
finish
