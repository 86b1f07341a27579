# SPDX-License-Identifier: GPL-2.0
# Tests in sh and bash source this file first. They go on in the top folder of the checkout, with TAP and
# a folder $tmp. in_vm starts them once more, in a VM.
# shellcheck shell=sh
script=$(realpath "$0")
cd "${script%/selftests/*}" || exit 1
# These change what programs print.
unset ARGP_HELP_FMT NO_COLOR COLUMNS LINES CMOCKA_MESSAGE_OUTPUT
# shellcheck disable=SC2034
patched=${MEMATTR_KERNEL:-patched}
if [ "$1" = in-vm ]; then
	inside=1 tmp=/tmp
else
	inside='' tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
fi
. selftests/lib/tap.sh

# json_is FILTER FILE [OPTION...]: FILE is one document of JSON, and all that jq's FILTER makes of it is true.
# `jq -e` of jq 1.6 would take an empty file for true.
json_is()
{
	json_filter=$1 json_file=$2
	shift 2
	jq -es "$@" "length == 1 and (.[0] | [$json_filter] | length > 0 and all)" "$json_file"
}

# lacks PATTERN FILE: FILE says something, but no line of it matches. An empty file would lack anything, as would
# one that does not exist.
lacks()
{
	{ read -r first_line || [ "$first_line" ]; } <"$2" && ! grep -e "$1" "$2"
}

# soon COMMAND...: the command succeeds in the end. Only a failure takes a minute or more: what the command waits for is
# about to happen, but a busy machine may stand still.
soon()
{
	for _ in $(seq 300); do
		"$@" >"$tmp/soon" && return
		sleep 0.2
	done
	cat "$tmp/soon"
	return 1
}

# in_vm [OPTION...] [-- env NAME=VALUE...]: all that follows runs in a VM only. The options are vm/run's.
# The VM gets no variables but these.
in_vm()
{
	[ -z "$inside" ] || return 0
	rm -rf "$tmp"
	exec selftests/vm/run --kernel "$patched" "$@" "$script" in-vm
}
