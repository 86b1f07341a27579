# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The series as modules for one of Debian's own kernels: KVM's sources of that very version, patched, and built
# against its headers. Stable updates change KVM and other headers together, so no version's sources do for another.

readonly MODULES=(kvm kvm-amd kvm-intel)
# Modules of Debian's kernel that the test VM loads beside KVM: for a root on 9p and overlays, and what KVM needs.
readonly VM_MODULES='netfs 9pnet 9pnet_virtio 9p overlay ccp irqbypass'
# KVM's part of the kernel's source: the series touches nothing else that is compiled.
readonly KVM_PATHS=(arch/x86/kvm virt/kvm 'arch/x86/include/asm/kvm*.h' 'include/linux/kvm_*.h'
	include/trace/events/kvm.h include/uapi/linux/kvm.h)

sw_protected_vm()
{
	case ${KVM_SW_PROTECTED_VM:-n} in
	y|n) echo "${KVM_SW_PROTECTED_VM:-n}" ;;
	*) die "KVM_SW_PROTECTED_VM must be y or n" ;;
	esac
}

# --- sources -------------------------------------------------------------

# Writes the base with KVM's sources of linux-source VERSION to MEMO.
record_kvm_source()	# RELEASE VERSION MEMO
{
	local new suite base patterns

	[ ! -f "$3" ] || return 0
	suite=$(suite_of "$1")
	new=$(scratch)
	mkdir "$new/debs" "$new/linux"
	(cd "$new/debs" && download_packages "$suite" "linux-source-$SERIES_VERSION=$2")
	patterns=("${KVM_PATHS[@]/#/linux-source-$SERIES_VERSION/}")
	say "unpacking KVM's sources of $2"
	dpkg-deb --fsys-tarfile "$new"/debs/*.deb | tar -xOf - --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -C "$new/linux" --strip-components=1 --no-same-owner -xJf - --wildcards "${patterns[@]}"
	GIT_INDEX_FILE=$new/index repo_git --work-tree="$new/linux" add -A -f .
	base=$(commit_base "$new/index" "${1%-amd64}, KVM only")
	echo "$base" >"$new/memo"
	mv "$new/memo" "$3"
	rm -r "$new"
}

# Prints the base that RELEASE's modules are made of: the installed linux-source if it is of that version.
module_base()	# RELEASE VERSION
{
	local memo=$cache/debian/$1/base

	# The status counts: a removed package may still have a version.
	if [ "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "linux-source-$SERIES_VERSION" 2>/dev/null)" = \
			"installed $2" ]; then
		KERNEL_SRC='' find_base
		return
	fi
	with_lock "$cache/debian/lock" record_kvm_source "$1" "$2" "$memo"
	cat "$memo"
}

# Prints the tree with what an external module is made of.
make_module_tree()	# BASE RELEASE
(
	local new kbuild

	new=$(scratch)
	mkdir "$new/module"
	# shellcheck disable=SC2030,SC2031 # for git in this subshell only
	export GIT_INDEX_FILE=$new/index
	repo_git archive "$1" "${KVM_PATHS[@]}" | tar -C "$new/module" -xf -
	repo_git --work-tree="$new/module" add -A -f .
	# Patches of other sources than KVM's fail.
	apply_to_index "KVM of $2" --allow-empty --exclude='tools/*' --exclude='Documentation/*' >/dev/null
	kbuild=$(repo_git hash-object -w "$debian_dir/Kbuild")
	repo_git update-index --add --cacheinfo "100644,$kbuild,arch/x86/kvm/Kbuild"
	repo_git write-tree
)

module_tree()	# BASE RELEASE
{
	local memo new

	memo=$cache/series/$({ echo "$RECIPE modules $1"; cat "$debian_dir/Kbuild"; series_text; } | hash_of)
	if [ ! -f "$memo" ]; then
		new=$(scratch)/tree
		make_module_tree "$1" "$2" >"$new"
		mv "$new" "$memo"
	fi
	cat "$memo"
}

# The releases for which the modules were built and booted: see check-versions.
taken_releases() { grep -v '^#' "$debian_dir/releases" | paste -sd ' '; }

# --- build ---------------------------------------------------------------

# The compiler that RELEASE was built with, and so its modules.
compiler_of()	# HEADERS
{
	sed -n 's/^CC = .*(CROSS_COMPILE)//p' "$1/.kernelvariables"
}

headers_of() { echo "$cache/debian/$1/headers/usr/src/linux-headers-$1"; }	# RELEASE

# Debian's cloud kernels, for one, have no attributes of memory.
check_headers()	# RELEASE
{
	local option config

	config=$(headers_of "$1")/.config
	for option in KVM=m KVM_GENERIC_MEMORY_ATTRIBUTES=y BPF_JIT=y DEBUG_INFO_BTF_MODULES=y; do
		grep -q "^CONFIG_$option\$" "$config" || die "$1 lacks CONFIG_$option, which the series needs"
	done
}

# Debian 13's pahole would give modules type ids of their own, which struct_ops of a module do not work with.
make_modules()	# HEADERS SRC LOG SW_PROTECTED_VM
{
	run_logged modules "KVM's modules" "$3" make -C "$1" M="$2/arch/x86/kvm" -j"$jobs" \
		CONFIG_KVM_SW_PROTECTED_VM="$4" MODULE_PAHOLE_FLAGS= modules
}

# Prints the directory of the modules for RELEASE, whether they are built or not.
artifacts_of_modules()	# RELEASE SW_PROTECTED_VM
{
	local dir version base tree compiler

	dir=$(debian_part headers "$1")
	version=$(cat "$dir/version")
	base=$(module_base "$1" "$version")
	tree=$(module_tree "$base" "$1")
	compiler=$(compiler_of "$(headers_of "$1")")
	need "$compiler"
	echo "$cache/kernel/modules-$({ echo "$RECIPE $* $version $tree"; "$compiler" --version; toolchain; } | hash_of)"
}

copy_modules()	# SRC DESTINATION
{
	local module

	for module in "${MODULES[@]}"; do
		strip -g -o "$2/$module.ko" "$1/arch/x86/kvm/$module.ko"
	done
}

build_modules_in()	# ARTIFACTS RELEASE SW_PROTECTED_VM
{
	local work=$cache/modules-$2 log base tree stage

	[ ! -d "$1" ] || return 0
	log=$cache/log/$(basename "$1").log
	: >"$log"
	say "building KVM's modules for $2"
	base=$(module_base "$2" "$(cat "$cache/debian/$2/headers/version")")
	tree=$(module_tree "$base" "$2")
	checkout "$work" "$tree"
	guarded_build "$work/linux" -- make_modules "$(headers_of "$2")" "$work/linux" "$log" "$3"
	! grep -E 'warning:|^WARNING' "$log" >&2 || say "the modules were built with warnings"
	stage=$(scratch)
	copy_modules "$work/linux" "$stage"
	chmod 755 "$stage"
	mv -T "$stage" "$1"
	say "built KVM's modules for $2 in $SECONDS s"
}

# Prints the directory with the modules for RELEASE, and nothing else.
build_modules_for()	# RELEASE SW_PROTECTED_VM
{
	local artifacts

	artifacts=$(artifacts_of_modules "$@")
	if [ ! -d "$artifacts" ]; then
		check_headers "$1"
		need make ld pahole strip
		with_lock "$cache/modules-$1/lock" build_modules_in "$artifacts" "$@"
	fi
	touch -c "$artifacts"
	prune_builds modules
	echo "$artifacts"
}

build_modules()	# [RELEASE]
{
	local release sw_protected_vm

	DEBIAN_KERNEL=${1:-${DEBIAN_KERNEL:-}}
	init_cache
	release=$(debian_release)
	sw_protected_vm=$(sw_protected_vm)
	build_modules_for "$release" "$sw_protected_vm"
}

# Writes the sources of the modules into a directory.
export_module_sources()	# DIRECTORY
{
	local release dir version base tree

	[ -d "$1" ] || die "module-sources: which directory?"
	init_cache
	release=$(debian_release)
	dir=$(debian_part headers "$release")
	version=$(cat "$dir/version")
	base=$(module_base "$release" "$version")
	tree=$(module_tree "$base" "$release")
	repo_git archive "$tree" | tar -C "$1" -xf -
}

# --- for the test VM -----------------------------------------------------

assemble_debian()	# ARTIFACTS IMAGE MODULES
{
	local stage

	[ ! -d "$1" ] || return 0
	stage=$(scratch)
	cp -r "$2/." "$stage/"
	cp "$3"/*.ko "$stage/modules/"
	chmod 755 "$stage"
	mv -T "$stage" "$1"
}

# Prints the directory with Debian's kernel and modules for tests.
build_debian()
{
	local release modules image artifacts

	init_cache
	release=$(debian_release)
	modules=$(build_modules_for "$release" y)
	image=$(debian_part image "$release")
	artifacts=$cache/kernel/debian-${modules##*-}
	[ -d "$artifacts" ] || with_lock "$cache/debian/lock" assemble_debian "$artifacts" "$image" "$modules"
	touch -c "$artifacts"
	prune_builds debian
	echo "$artifacts"
}

# The same if it is there. All that it is made of was fetched before the image was.
print_debian_path()
{
	local release modules artifacts

	release=$(debian_release known)
	[ -d "$cache/debian/$release/image" ] || exit 1
	modules=$(artifacts_of_modules "$release" y)
	artifacts=$cache/kernel/debian-${modules##*-}
	[ -d "$artifacts" ] || exit 1
	echo "$artifacts"
}

# --- all versions --------------------------------------------------------

# Prints what is true of RELEASE: it "applies", it "builds", it "boots". What does not work is in the log.
check_release()	# RELEASE LOG
{
	local sources result=''

	export DEBIAN_KERNEL=$1
	sources=$(scratch)
	if "$here/kernel" module-sources "$sources" >>"$2" 2>&1; then
		result=applies
		if ! type "$(compiler_of "$(headers_of "$1")")" >/dev/null 2>&1; then
			result+=" (not built: $(compiler_of "$(headers_of "$1")") is missing)"
		elif "$here/kernel" build debian >>"$2" 2>&1; then
			result+=" builds"
			! "$top/selftests/vm/run" --kernel debian -- test -c /dev/kvm >>"$2" 2>&1 || result+=" boots"
		fi
	fi
	echo "$result"
}

# Tries the kernels that Debian 12 and 13 offer, or those that are named.
check_versions()	# [RELEASE...]
{
	local releases=("$@") suite release result log=$cache/log/check-versions.log failed=0

	init_cache
	: >"$log"
	if [ $# = 0 ]; then
		for suite in bookworm trixie; do
			mapfile -t -O ${#releases[@]} releases < <(offered_releases "$suite")
		done
	fi
	for release in "${releases[@]}"; do
		result=$(check_release "$release" "$log")
		printf '%-28s %s\n' "$release" "${result:-does not apply}"
		case $result in
		'applies builds boots')
			grep -qxF "$release" "$debian_dir/releases" || say "$release is missing in debian/releases" ;;
		*'is missing)') ;;
		*) failed=1 ;;
		esac
	done
	[ $failed = 0 ] || die "what went wrong is in $log"
}
