# SPDX-License-Identifier: GPL-2.0
# What tests in sh and bash begin with, by its place beside them: they go on from the top of the
# checkout, with TAP and a folder $tmp. in_vm makes them begin again in a VM.
# shellcheck shell=sh
script=$(realpath "$0")
cd "${script%/selftests/*}" || exit 1
# shellcheck disable=SC2034
patched=${MEMATTR_KERNEL:-patched}
if [ "$1" = in-vm ]; then
	inside=1 tmp=/tmp
else
	inside='' tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
fi
. selftests/lib/tap.sh

# in_vm [OPTION...] [-- env NAME=VALUE...]: what follows runs in a VM only, with these options of
# vm/run's and variables. No others get there.
in_vm()
{
	[ -z "$inside" ] || return 0
	rm -rf "$tmp"
	exec selftests/vm/run --kernel "$patched" "$@" "$script" in-vm
}
