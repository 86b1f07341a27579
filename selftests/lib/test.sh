# SPDX-License-Identifier: GPL-2.0
# Tests in sh and bash source this file first. They go on in the top folder of the checkout, with TAP and
# a folder $tmp. in_vm starts them once more, in a VM.
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

# in_vm [OPTION...] [-- env NAME=VALUE...]: all that follows runs in a VM only. The options are vm/run's.
# The VM gets no variables but these.
in_vm()
{
	[ -z "$inside" ] || return 0
	rm -rf "$tmp"
	exec selftests/vm/run --kernel "$patched" "$@" "$script" in-vm
}
