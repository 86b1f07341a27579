#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# thp_recover: huge pages that conversions have broken come back although the guest uses only the
# pages around the converted ones. What is done is in policy/huge.c.
. "$(dirname "$0")/lib/test.sh"
in_vm
. selftests/lib/policy.sh

# huge_is NAME BLOCKS POINT: checks how many of the 32 blocks are mapped by huge pages at this point.
huge_is()
{
	ok "$1" grep -q "^$3: $2 huge" $out
}

ok "the guest runs without a policy" run 0 build/selftests/policy/huge
sed 's/^/# /' $out
huge_is "all is mapped by huge pages" 32 'mapped'
huge_is "a page of each turns private: none is left" 0 'converted'
huge_is "and back: none comes back as long as the pages around are used" 0 'back, pages around used'
huge_is "each comes back when the page itself is used" 32 'converted pages used'

start_loader thp_recover --all
ok "thp_recover is loaded" expr "$attached" : 'thp_recover: attached to all VMs'
ok "the guest runs with it" run 0 build/selftests/policy/huge
sed 's/^/# /' $out
huge_is "a page of each turns private: none is left, as without" 0 'converted'
huge_is "and back: all come back when the pages around are used" 32 'back, pages around used'
ok "at the price of a fault for each" grep -q '^back, pages around used: .* 32 faults' $out
ok "the loader ends" stop_loader

# One conversion changes two ranges. The block of the first one stays private for the most part, so that
# only the 8 pages that change are zapped there. The block of the second one gets uniform.
start_vm
vm ok private 0x1200 $((512 + 16))
vm ok shared 0x13f8 8
start_loader thp_recover --pid $vm
vm ok shared 0x13f0 32
ok "a block that gets uniform is zapped, and of another one what changes" \
	state "zapped_pages: $((512 + 16 + 8 + 8 + 512))" "widened_pages: $((512 - 16))" 'policy: thp_recover'
ok "the loader ends" stop_loader
end_vm
ok "nothing is left" nothing_left
finish
