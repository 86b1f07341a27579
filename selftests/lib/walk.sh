# SPDX-License-Identifier: GPL-2.0
# Functions for tests of memory that is mapped ahead: those of policy.sh, and policy/walk.c as the VM by
# hand. A test sources test.sh first.
# shellcheck shell=sh
vmsh=build/selftests/policy/walk
. selftests/lib/policy.sh

# go COMMAND...: the guest's $faults, $mapped and $touched.
go()
{
	ask "$@"
	echo "# $*: $answer"
	case $answer in
	*' '*' '*) ;;
	*) return 1 ;;
	esac
	# shellcheck disable=SC2034
	faults=${answer%% *} touched=${answer##* }
	mapped=${answer#* } mapped=${mapped% *}
}

# A fresh VM, of PAGES if said, with all of its memory private.
start_private()
{
	start_vm "$@"
	vm ok private 0 ${1:-262144}
}
