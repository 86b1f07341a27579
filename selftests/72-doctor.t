#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# memattr-policy doctor and what it reads of the host: each host here lacks something, and the doctor names the next
# command. No VM is needed: files of /proc, /sys and /lib/modules are covered by others.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/policy.sh
. selftests/lib/doctor.sh
namespaces=-rm

# --- the process and the machine ---
ok "a container's PID namespace" diagnosed pid-namespace lacks 'PID namespace of its own' 'on the host' \
	unshare -r --pid --fork --mount-proc $json
ok "an old kernel" diagnosed kernel lacks 'from Linux 6.8 on' 'apt-get install linux-image-amd64' \
	setarch --uname-2.6 $json
# Some modules of others make KVM work without it.
no_kvm='[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm'
ok "no hardware virtualization" diagnosed cpu lacks 'neither svm nor vmx' 'firmware' \
	isolated "$(cover /proc/cpuinfo 'flags : fpu sse2 svmx'); $no_kvm"
ok "hardware virtualization" diagnosed cpu ok 'VMX' '' isolated "$(cover /proc/cpuinfo 'flags : fpu vmx sse2')"
ok "the JIT compiler is off" diagnosed jit lacks 'switched off' 'sysctl net.core.bpf_jit_enable=1' \
	isolated "$(cover /proc/sys/net/core/bpf_jit_enable 0)"

# --- kernels and their modules ---
ok "a kernel is installed for which there are no modules" diagnosed next-boot note '1 installed *stock KVM only: 6.12.9' \
	'apt-get install memattr-kvm-modules-' isolated "$(kernels 6.12.8 $own: 6.12.9 $stock:)"
ok "no such kernel" diagnosed next-boot ok '2 installed *none has stock' '' \
	isolated "$(kernels 6.12.8 $own: 6.12.9 $own:)"

# --- parameters of KVM ---
# parameter LINE: what KVM was loaded with for hugepages.
parameter()
{
	echo "mount -t tmpfs none /sys/module; mkdir -p /sys/module/kvm/parameters"
	echo "echo $1 >/sys/module/kvm/parameters/gmem_huge_pages"
}
ok "hugepages: a KVM that has none" diagnosed hugepages ok 'this KVM has none' '' isolated 'mount -t tmpfs none /sys/module'
ok "hugepages: never" diagnosed hugepages ok 'never *kvm.gmem_huge_pages=policy or =always' '' isolated "$(parameter never)"
ok "hugepages: policy" diagnosed hugepages ok 'policy: those that a VM*policy wants' '' isolated "$(parameter policy)"
ok "hugepages: always" diagnosed hugepages ok 'always: KVM allocates' '' isolated "$(parameter always)"

# --- lockdown and Secure Boot ---
# lockdown LINE: the file of securityfs.
lockdown()
{
	echo "mkdir -p $tmp/kernel/security; echo '$1' >$tmp/kernel/security/lockdown"
	echo "mount --rbind $tmp/kernel /sys/kernel"
}
# The EFI variable is 1, after four bytes of attributes.
secure_boot()
{
	echo 'mount -t tmpfs none /sys/firmware; mkdir -p /sys/firmware/efi/efivars'
	printf '%s\n' "printf '\\6\\0\\0\\0\\1' >/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
}
# module [SIGNATURE]: a module of the package's, signed or not.
module()
{
	kernels $release $own:
	echo "cd /usr/lib/modules/$release; mkdir -p updates/memattr; exec 3>$own; printf code >&3"
	[ $# = 0 ] || printf '%s\n' "printf '%s12345678\\0\\0\\0\\$(printf %o ${#1})' '$1' >&3" \
		"echo '~Module signature appended~' >&3"
}
keys=$(cover /proc/keys '1234 I------ 1 perm 1f030000 0 0 asymmetri Shop: modules of Shop: 0a1b: X509.rsa 1b2c []')

ok "lockdown: none" diagnosed lockdown ok none '' isolated "$(lockdown '[none] integrity confidentiality')"
ok "lockdown: integrity" diagnosed lockdown note 'modules must be signed' '' \
	isolated "$(lockdown 'none [integrity] confidentiality')"
ok "lockdown: confidentiality" diagnosed lockdown lacks 'cannot read kernel memory' 'lockdown=integrity' \
	isolated "$(lockdown 'none integrity [confidentiality]')"
ok "lockdown without Secure Boot, modules without a signature" diagnosed secure-boot lacks \
	'the kernel is locked down, *not signed' 'build the package with a key' \
	isolated "$(lockdown 'none [integrity] confidentiality'; module)"
ok "Secure Boot, modules without a signature" diagnosed secure-boot lacks \
	"refuses /lib/modules/$release/$own, which is not signed" 'build the package with a key' \
	isolated "$(secure_boot; module)"
ok "Secure Boot, a key that is not enrolled" diagnosed secure-boot lacks 'is not enrolled' 'mokutil --import' \
	isolated "$(secure_boot; module 'by another shop'; echo "$keys")"
ok "Secure Boot, a key that is" diagnosed secure-boot ok "signed by 'modules of Shop', which is enrolled" '' \
	isolated "$(secure_boot; module 'by modules of Shop'; echo "$keys")"
ok "Secure Boot, the kernel's own modules" diagnosed secure-boot ok "the kernel's own modules are signed" '' \
	isolated "$(secure_boot; kernels $release $stock:)"

# The signature that packaging/sign-module makes is where the doctor looks for it, and has the key's name.
openssl req -new -x509 -newkey rsa:2048 -nodes -subj '/CN=modules of Shop' -keyout $tmp/key.pem -out $tmp/cert.pem 2>$err
echo code >$tmp/kvm.ko
ok "a module is signed" packaging/sign-module $tmp/key.pem $tmp/cert.pem $tmp/kvm.ko
ok "but only once" sh -c "! packaging/sign-module $tmp/key.pem $tmp/cert.pem $tmp/kvm.ko"
ok "its key is enrolled" diagnosed secure-boot ok "signed by 'modules of Shop', which is enrolled" '' \
	isolated "$(secure_boot; module; echo "cp $tmp/kvm.ko $own"; echo "$keys")"

# --- what is installed ---
ok "no policies are installed" diagnosed installed note 'no policies in' 'install' $json
# rules CONTENT: a file of policies.d.
rules()
{
	have /etc memattr/policies.d
	echo "mount -t tmpfs none /etc/memattr/policies.d; printf '$1' >/etc/memattr/policies.d/10-all.conf"
}
ok "a file of policies.d is wrong" diagnosed policies.d note '1 files in * are wrong' 'memattr-policy apply' \
	isolated "$(rules '[policy]\nfile = template\n')"
ok "a file of policies.d is right" diagnosed policies.d ok '1 files in' '' \
	isolated "$(rules '[policy]\nfile = template\nvms = all\n')"
finish
