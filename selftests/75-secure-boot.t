#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host with Secure Boot, on Debian's kernel: modules that are signed with a key of the firmware's are loaded and take
# policies, others are not, and the doctor says why. The key is one that Debian's firmware for VMs comes with, for tests.
. "$(dirname "$0")/lib/test.sh"
key=/usr/share/ovmf/PkKek-1-snakeoil
firmware_key=firmware.pem

# sign KEY CERTIFICATE NAME: a signed copy of KVM's modules in the folder NAME.
sign() { cp -r $tmp/unsigned $tmp/$3 && packaging/sign-module $1 $2 $tmp/$3/*.ko; }
make_kernel()
{
	kernel=$(kernel-patches/kernel path debian) &&
	openssl rsa -in $key.key -passin pass:snakeoil -out $tmp/$firmware_key &&
	cp -r "$kernel" $tmp/kernel && mkdir $tmp/unsigned && mv $tmp/kernel/modules/kvm*.ko $tmp/unsigned &&
	sign $tmp/$firmware_key $key.pem firmware && cp $tmp/firmware/*.ko $tmp/kernel/modules &&
	sbsign --key $tmp/$firmware_key --cert $key.pem --output $tmp/kernel/bzImage "$kernel/bzImage"
}
make_foreign()
{
	openssl req -new -x509 -newkey rsa:2048 -nodes -subj '/CN=modules of another host/' \
		-keyout $tmp/key.pem -out $tmp/certificate.pem && sign $tmp/key.pem $tmp/certificate.pem foreign
}
if [ ! "$inside" ]; then
	ok "Debian's kernel and KVM's modules are signed with a key of the firmware's" make_kernel
	ok "and modules with another key" make_foreign
	subtest "with Secure Boot" selftests/vm/run --kernel $tmp/kernel --secure-boot --with $tmp -- "$script" in-vm $tmp
	finish
	exit
fi

modules=$2
. selftests/lib/policy.sh
. selftests/lib/doctor.sh
mount -t securityfs securityfs /sys/kernel/security
tree=/lib/modules/$release
sh -ec "$(have /usr/lib modules)"
mount -t tmpfs none /usr/lib/modules

# install_modules NAME: beside modules that could be loaded, as the package does.
install_modules()
{
	rm -rf $tree
	mkdir -p $tree/kernel/arch/x86/kvm $tree/updates/memattr
	cp $modules/firmware/*.ko $tree/kernel/arch/x86/kvm
	cp $modules/$1/*.ko $tree/updates/memattr
	cp $modules/kernel/modules/{ccp,irqbypass}.ko $tree/kernel
	depmod && modinfo -n kvm | grep -F $tree/updates/memattr/kvm.ko
}
# refused REASON: so are the modules in updates/, and no others are loaded instead.
refused()
{
	! modprobe kvm_amd || return
	dmesg | grep "Loading of $1 is rejected" && [ ! -e /sys/module/kvm ]
}
is_patched() { grep kvm_memattr_ops /sys/kernel/btf/kvm; }
# Unsigned modules would be another bit.
taint_is_foreign() { [ "$(cat /proc/sys/kernel/tainted)" = $((1 << 12)) ]; }
changes_module()
{
	install_modules firmware && printf x | dd of=$tree/updates/memattr/kvm.ko bs=1 seek=100000 conv=notrunc &&
		! modprobe kvm_amd 2>$err && grep 'rejected' $err && [ ! -e /sys/module/kvm ]
}

ok "the kernel knows of Secure Boot" sh -c 'dmesg | grep "Secure boot enabled"'
ok "it has locked itself down" grep -F '[integrity]' /sys/kernel/security/lockdown
ok "patched KVM is loaded" is_patched
ok "the kernel knows who signed it" taint_is_foreign
ok "which goes" sh -c "busybox rmmod kvm_amd && busybox rmmod kvm"

ok "modules without a signature" install_modules unsigned
ok "are refused" refused 'unsigned module'
ok "the doctor says so" diagnosed secure-boot lacks 'the kernel refuses */updates/memattr/kvm.ko, which is not signed' \
	'build the package with a key' $json
ok "modules that are signed with another key" install_modules foreign
ok "are refused" refused 'module with unavailable key'
ok "the doctor says so" diagnosed secure-boot lacks 'the key that signed it is not enrolled' 'mokutil --import' $json
ok "a module that was changed after it was signed is refused" changes_module
ok "modules that are signed with the firmware's key" install_modules firmware
ok "are loaded" modprobe kvm_amd
ok "patched ones" is_patched
ok "the kernel still knows who signed all that is loaded" taint_is_foreign
ok "the doctor says so" diagnosed secure-boot ok "signed by 'SnakeOil', which is enrolled" '' $json

start_vm
start_loader seal --pid $vm
ok "a policy governs a VM" vm EPERM shared 0x1000 1
stop_loader
end_vm
finish
