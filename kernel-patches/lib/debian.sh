# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian's own kernels: which there are, and the packages of one of them. They are unpacked into the cache,
# not installed: an installed kernel would come with an initramfs and much else.
#
# A kernel goes by its RELEASE, which is what uname -r says there, such as 6.12.117+deb12-amd64.

readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Package lists of another release of Debian than this machine's are read again after this time.
readonly LISTS_MAX_AGE_DAYS=1

this_suite() { awk -F= '$1 == "VERSION_CODENAME" { print $2 }' /etc/os-release; }

suite_of()	# RELEASE
{
	case $1 in
	*+deb12-amd64|*+deb12.*-amd64) echo bookworm ;;
	*+deb13-amd64|*+deb13.*-amd64) echo trixie ;;
	*) die "$1: only Debian's kernels for amd64 are supported, such as $SERIES_VERSION.117+deb12-amd64; not its" \
	       "cloud and real-time kernels" ;;
	esac
}

# The sources of packages for SUITE are this machine's, with the name of the suite exchanged.
write_apt_sources()	# SUITE DIRECTORY
{
	local this

	this=$(this_suite)
	mkdir -p "$2"/{lists/partial,cache/archives/partial}
	# shellcheck disable=SC2016 # these are names for apt
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(LABEL)' 'Created-By: Packages' |
		awk -v this="$this" -v suite="$1" -v keys="$DEBIAN_KEYRING" '
			$4 ~ /^Debian/ && sub(this, suite, $2) { print "deb [signed-by=" keys "]", $1, $2, $3 }' |
		sort -u >"$2/sources.list"
	[ -s "$2/sources.list" ] || die "apt knows no source of Debian's packages: add one, then run 'apt-get update'"
}

# Runs apt-get or apt-cache with the package lists of SUITE.
suite_apt()	# SUITE COMMAND ARGUMENT...
{
	local dir=$cache/apt-$1 command=$2 options=()

	if [ "$1" != "$(this_suite)" ]; then
		options=(-o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
			 -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::State::status=/dev/null
			 -o APT::Sandbox::User=root)
	fi
	shift 2
	"$command" "${options[@]}" "$@"
}

update_lists()	# SUITE
{
	say "reading Debian's package lists ($1)"
	if [ "$1" != "$(this_suite)" ]; then
		write_apt_sources "$1" "$cache/apt-$1"
	elif [ "$(id -u)" != 0 ]; then
		die "the package lists are missing or old; as root run: apt-get update"
	fi
	suite_apt "$1" apt-get update -q >&2
	[ "$1" = "$(this_suite)" ] || touch "$cache/apt-$1/sources.list"
}

# Prints the releases of SUITE's kernels that apt knows, the oldest first.
known_releases()	# SUITE
{
	suite_apt "$1" apt-cache pkgnames "linux-headers-$SERIES_VERSION." |
		sed -nE 's/^linux-headers-([0-9.]+\+deb[0-9.]+-amd64)$/\1/p' | sort -V
}

# The same, from lists that are there and up to date.
offered_releases()	# SUITE
{
	local lists=$cache/apt-$1/sources.list

	if [ "$1" = "$(this_suite)" ]; then
		[ -n "$(known_releases "$1")" ] || update_lists "$1"
	elif [ -z "$(find "$lists" -mtime "-$LISTS_MAX_AGE_DAYS" 2>/dev/null)" ]; then
		update_lists "$1"
	fi
	known_releases "$1"
}

# The kernel that is meant: DEBIAN_KERNEL, or the newest of this machine's Debian. With "known" no package lists are
# read for it: then it may be none.
debian_release()	# [known]
{
	local suite release=${DEBIAN_KERNEL:-}

	if [ -z "$release" ]; then
		suite=$(this_suite)
		release=$("${1:-offered}_releases" "$suite" | tail -n 1)
		if [ -z "$release" ]; then
			[ "${1:-}" != known ] || return 0
			die "the package sources of this system offer no Linux $SERIES_VERSION for amd64;" \
			    "set DEBIAN_KERNEL= to the release of one of Debian's kernels"
		fi
	fi
	suite_of "$release" >/dev/null
	echo "$release"
}

version_in_lists()	# RELEASE SUITE
{
	suite_apt "$2" apt-cache show --no-all-versions "linux-headers-$1" 2>/dev/null | sed -n 's/^Version: //p' || :
}

# Prints the version of the packages of RELEASE.
offered_version()	# RELEASE SUITE
{
	local version offered

	version=$(version_in_lists "$1" "$2")
	if [ -z "$version" ]; then
		update_lists "$2"
		version=$(version_in_lists "$1" "$2")
	fi
	if [ -z "$version" ]; then
		offered=$(known_releases "$2" | paste -sd ' ')
		die "Debian offers no kernel $1 (any more); these are on offer: $offered"
	fi
	echo "$version"
}

# Downloads packages, NAME or NAME=VERSION, to the current directory.
download_packages()	# SUITE PACKAGE...
{
	local suite=$1
	# As root, apt would rather download as somebody who cannot write here.
	local get=(suite_apt "$suite" apt-get -q -o APT::Sandbox::User=root download)

	shift
	say "downloading $*"
	if ! "${get[@]}" "$@" >&2; then
		update_lists "$suite"
		"${get[@]}" "$@" >&2
	fi
}

unpack_packages()	# SUITE DESTINATION PACKAGE...
(
	local suite=$1 destination=$2 debs deb

	shift 2
	debs=$(scratch)
	cd "$debs" || exit
	download_packages "$suite" "$@"
	for deb in *.deb; do
		dpkg-deb -x "$deb" "$destination"
	done
	rm -r "$debs"
)

# What a build needs. Only one line of it is an absolute path.
fetch_headers()	# RELEASE SUITE VERSION DESTINATION
{
	local abi=${1%-amd64}

	unpack_packages "$2" "$4" "linux-headers-$1=$3" "linux-headers-$abi-common=$3" "linux-kbuild-$abi=$3"
	sed -i "s,/usr/src/,\$(dir \$(lastword \$(MAKEFILE_LIST)))../," "$4/usr/src/linux-headers-$1/Makefile"
}

# What a test VM needs: the kernel, and the modules for a root on 9p, for overlays and for KVM.
fetch_image()	# RELEASE SUITE VERSION DESTINATION
{
	local unpacked module file

	unpacked=$(scratch)
	unpack_packages "$2" "$unpacked" "linux-image-$1=$3"
	mkdir "$4/modules"
	cp "$unpacked/boot/vmlinuz-$1" "$4/bzImage"
	cp "$unpacked/boot/System.map-$1" "$4/System.map"
	cp "$unpacked/boot/config-$1" "$4/config"
	for module in $VM_MODULES kvm kvm-amd kvm-intel; do
		file=$(find "$unpacked" -name "$module.ko.xz")
		[ -n "$file" ] || die "linux-image-$1 has no module $module"
		xz -dc "$file" >"$4/modules/$module.ko"
	done
	rm -r "$unpacked"
}

# Makes DIRECTORY, PART ("headers" or "image") of a kernel.
fetch_part()	# PART RELEASE DIRECTORY
{
	local new suite version

	[ ! -d "$3" ] || return 0
	suite=$(suite_of "$2")
	version=$(offered_version "$2" "$suite")
	new=$(scratch)
	"fetch_$1" "$2" "$suite" "$version" "$new"
	echo "$version" >"$new/version"
	chmod 755 "$new"
	mkdir -p "$(dirname "$3")"
	mv -T "$new" "$3"
}

# Prints the directory with PART of a kernel, which is fetched if it is not there.
debian_part()	# PART RELEASE
{
	local dir=$cache/debian/$2/$1

	if [ ! -d "$dir" ]; then
		need apt-get dpkg-deb xz
		with_lock "$cache/debian/lock" fetch_part "$1" "$2" "$dir"
	fi
	echo "$dir"
}
