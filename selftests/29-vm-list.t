#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every VM is listed once, and as whose it is, however it is held: see identity/list.sh and identity/held.c.
. "$(dirname "$0")/lib/test.sh"
list=selftests/identity/list.sh

subtest "on the stock kernel" selftests/vm/run --kernel stock --timeout 1200 -- $list
numbered=${output##*number: }
numbered=${numbered%%[!0-9a-z]*}
ok "which has no numbers" [ "$numbered" = no ]
subtest "on the $patched kernel" selftests/vm/run --kernel "$patched" --timeout 1200 -- $list
numbered=${output##*number: }
numbered=${numbered%%[!0-9a-z]*}

ok "which has" [ "${numbered:-0}" -gt 0 ]
finish
