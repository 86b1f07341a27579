#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The modules for Debian's own kernel: what they are like, and what is refused, and why.
. "$(dirname "$0")/lib/test.sh"
dir=$(kernel-patches/kernel path debian) || exit 1
release=$(modinfo -F vermagic "$dir/modules/kvm.ko" | cut -d ' ' -f 1)
export DEBIAN_KERNEL=$release

# --- what they are like ---
is_for_image()
{
	strings -n 20 "$dir/bzImage" | grep -qF "$release "
}
ok "the image is that of the modules" is_for_image
for module in kvm kvm-amd kvm-intel; do
	ok "$module has types, of the kernel's that it is for" objdump -h -j .BTF "$dir/modules/$module.ko"
	ok "$module says that it is not from the kernel's tree" \
		[ -z "$(modinfo -F intree "$dir/modules/$module.ko")" ]
done
# KVM could not use its own types for policies if they came with a base of their own.
has_no_base()
{
	objdump -h "$dir/modules/kvm.ko" >"$tmp/sections" && grep -F .BTF "$tmp/sections" && lacks '\.BTF\.base' "$tmp/sections"
}
ok "their types need no other base" has_no_base
names_no_folder()
{
	strings "$dir/modules/kvm.ko" >"$tmp/strings" && lacks '\(^\| \)/.*/\(virt\|x86\)/kvm/' "$tmp/strings"
}
ok "they do not say where they were built" names_no_folder

# --- what is refused ---
# refuses TEXT COMMAND...: the command fails, and says why.
refuses()
{
	local text=$1

	shift
	! "$@" || return
	grep -qF -- "$text" "$tmp/said"
}
ok "a cloud kernel" refuses 'not its cloud and real-time kernels' \
	kernel-patches/kernel modules 6.12.117+deb12-cloud-amd64
ok "another kind of kernel" refuses "only Debian's kernels for amd64" kernel-patches/kernel modules 6.12.90-custom
ok "a value that is none" refuses 'must be y or n' env KVM_SW_PROTECTED_VM=1 kernel-patches/kernel modules

# A copy of the series, to be spoilt.
mkdir "$tmp/top" "$tmp/out"
cp -r kernel-patches "$tmp/top"
series=$tmp/top/kernel-patches/linux-6.12
cat >"$series/9999-other.patch" <<'END'
diff --git a/mm/memory.c b/mm/memory.c
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -1,2 +1,2 @@
-// SPDX-License-Identifier: GPL-2.0-only
+// SPDX-License-Identifier: GPL-2.0
 /*
END
ok "a series that is not about KVM alone; and it is said which kernels take the series" \
	refuses "9999-other.patch does not apply to KVM of $release; Debian's kernels that take the series are 6.12." \
	"$tmp/top/kernel-patches/kernel" module-sources "$tmp/out"
rm "$series/9999-other.patch"
ok "without it, sources are made" "$tmp/top/kernel-patches/kernel" module-sources "$tmp/out"
ok "of which KVM's are patched" test -s "$tmp/out/virt/kvm/memattr.c"
finish
