#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# docs/policies.md, followed: the policy in it is taken from the page, built, loaded, and does what
# the page says.
cd "$(dirname "$0")/.." || exit 1
object=build/selftests/sizecap.bpf.o
if [ "$1" != in-vm ]; then
	mkdir -p build/selftests
	sed -n '/^```c$/,/^```$/{/^```/!p}' docs/policies.md >build/selftests/sizecap.bpf.c
	libbpf=$(sed -n 's/^LIBBPF_DIR *:*= *//p' build/deps.mk)
	clang-19 -g -O2 -target bpf -mcpu=v3 -Wall -Werror -Ibpf/include -I"$libbpf/include" \
		-idirafter /usr/include/x86_64-linux-gnu -c build/selftests/sizecap.bpf.c -o $object ||
		exit 1
	exec selftests/vm/run --kernel "${MEMATTR_KERNEL:-patched}" -- selftests/36-guide.t in-vm
fi
. selftests/lib/policy.sh

params_are_shown()
{
	run 0 $policy params $object && grep -q 'max_pages' $out && grep -q '1..1048576' $out
}
ok "its parameter is shown" params_are_shown
start_vm
vm ok private 0x1000 64
start_loader $object --pid $vm max_pages=8
ok "it is attached" expr "$attached" : "sizecap: attached to VM $vm-$vms"
ok "eight pages turn shared" vm ok shared 0x1000 8
ok "nine do not" vm EPERM shared 0x1008 9
ok "to private all do" vm ok private 0x1000 64
ok "show tells that it refused once" state 'policy: sizecap' 'policy_calls: 3' 'refused: 1'
stop_loader
end_vm
ok "nothing is left" nothing_left
finish
