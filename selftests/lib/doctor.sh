# SPDX-License-Identifier: GPL-2.0
# Hosts that lack something, for "memattr-policy doctor". A test sources test.sh and policy.sh first.
# shellcheck shell=sh

doctor="$PWD/$policy doctor"
json="$doctor --json"
release=$(uname -r)
# modules.dep of a kernel with the package's modules begins with the first, that of others with the second.
own=updates/memattr/kvm.ko
stock=kernel/arch/x86/kvm/kvm.ko.xz

# finding NAME: what the doctor said of this check: STATE|TEXT|NEXT.
finding()
{
	jq -r ".[] | select(.name == \"$1\") | .state + \"|\" + .text + \"|\" + (.next // \"\")" $out
}

# diagnosed CHECK STATE TEXT NEXT COMMAND...: the doctor, called by COMMAND..., says so. TEXT and NEXT are patterns.
diagnosed()
{
	check=$1 state=$2 pattern="$2|*$3*|*$4*"
	shift 4
	"$@" >$out 2>$err
	status=$?
	# shellcheck disable=SC2254 # it is a pattern
	case $(finding $check) in
	$pattern) ;;
	*) finding $check; return 1 ;;
	esac
	[ $state != lacks ] || [ $status = 3 ] || { echo "exit status $status"; return 1; }
}

# isolated SCRIPT: runs the doctor in a mount namespace of its own, in which SCRIPT has changed something.
isolated()
{
	unshare ${namespaces:--m} sh -ec "$1; exec $json"
}

# What follows prints such scripts.

# have PARENT FOLDER: the folder is there; the host's root may be read-only.
have()
{
	echo "[ -d $1/$2 ] || { mkdir -p $tmp/layer$1/$2; mount -t overlay -o lowerdir=$tmp/layer$1:$1 none $1; }"
}

# cover FILE CONTENT: a file of /proc or /sys with another content.
cover()
{
	echo "echo '$2' >$tmp/cover; mount --bind $tmp/cover $1"
}

# kernels RELEASE LINE...: another /lib/modules, in which these kernels have these lines of modules.dep.
kernels()
{
	have /usr/lib modules
	echo 'mount -t tmpfs none /usr/lib/modules'
	while [ $# -gt 0 ]; do
		echo "mkdir -p /usr/lib/modules/$1; echo '$2' >/usr/lib/modules/$1/modules.dep"
		shift 2
	done
}
