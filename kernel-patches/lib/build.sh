# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernels for the test VM, and libbpf and bpftool.  A finished build is moved
# into the cache in one step, under a name made of all its inputs.

# Finished builds of one kind that are kept, however old.
readonly KEEP_BUILDS=3
readonly KVM_SELFTESTS="private_mem_conversions_test private_mem_kvm_exits_test guest_memfd_test
	set_memory_region_test pre_fault_memory_test memory_attributes_test"
# What libbpf and bpftool are made of, of the whole kernel tree.
readonly TOOLS_PATHS=(tools/bpf/bpftool tools/lib tools/include tools/arch/x86/include tools/build tools/scripts
	tools/perf/check-headers.sh kernel/bpf/disasm.c kernel/bpf/disasm.h scripts/bpf_doc.py)

fragments_of()	# KIND
{
	case $1 in
	debug) cat "$here"/config/{release,debug}.config ;;
	*) cat "$here/config/release.config" ;;
	esac
}

toolchain()
{
	local tool

	for tool in gcc ld pahole; do
		"$tool" --version 2>/dev/null | head -n 1 || :
	done
}

known_kind()	# KIND
{
	case $1 in
	stock|patched|debug) ;;
	*) die "which kernel: stock, patched, debug or debian?" ;;
	esac
}

tree_of()	# KIND BASE
{
	if [ "$1" = stock ]; then
		echo "$2"
	else
		patched_tree "$2"
	fi
}

artifacts_of()	# KIND TREE
{
	echo "$cache/kernel/$1-$({ echo "$RECIPE $2"; fragments_of "$1"; toolchain; } | hash_of)"
}

# After a kill the newest outputs may be halves.  Kbuild trusts an output that
# is newer than its inputs, if the command recorded beside it is unchanged.
distrust_interrupted()	# BUILD_DIR
{
	local newest cmd output

	[ -e "$1/.interrupted" ] || return 0
	say "an earlier build was interrupted, checking what it left"
	newest=$(find "$1" -name '.*.cmd' -printf '%T@\n' | sort -n | tail -n 1)
	[ -n "$newest" ] || return 0
	find "$1" -name '.*.cmd' -newermt "@$(awk -v t="$newest" 'BEGIN { printf "%.0f", t - 5 }')" -delete
	find "$1" -name '.*.cmd' -printf '%h/%f\n' | while IFS= read -r cmd; do
		output=${cmd%/*}/${cmd##*/.}
		output=${output%.cmd}
		[ ! "$output" -nt "$cmd" ] || rm -f "$output"
	done
}

# Runs COMMAND, which builds in BUILD_DIR.  If it does not get to its end, the
# next one knows that not all it finds there is complete.
guarded_build()	# BUILD_DIR -- COMMAND...
{
	local dir=$1

	shift 2
	mkdir -p "$dir"
	distrust_interrupted "$dir"
	: >"$dir/.interrupted"
	"$@"
	rm "$dir/.interrupted"
}

# Every option asked for on stdin must be what came out in CONFIG.  A tree with
# only a part of the series ("partial") does not know all of its options.
check_config()	# SRC CONFIG [partial]
{
	local name want lost=''

	while IFS='=' read -r name want; do
		if [ "${3:-}" ] && ! grep -rqE --include='Kconfig*' \
				"^[[:space:]]*(menu)?config ${name#CONFIG_}\$" "$1"; then
			continue
		fi
		lost+="  $name=$want"$'\n'
	done < <(awk -F= 'FILENAME == "-" { if (/^CONFIG_/) want[$1] = substr($0, length($1) + 2); next }
		/^CONFIG_/ { is[$1] = substr($0, length($1) + 2) }
		END { for (o in want) if ((o in is ? is[o] : "n") != want[o]) print o "=" want[o] }' \
		- "$2" | sort)
	[ -z "$lost" ] || die "these options did not survive kconfig:"$'\n'"$lost" \
		"what they depend on is missing in the fragment"
}

# Configures SRC/OUT from the fragments on stdin.
configure()	# SRC OUT LOG [partial]
{
	local src=$1 out=$2 log=$3 fragments new=$1/$2/.config.new

	fragments=$(cat)
	rm -f "$new"*
	# Not KCONFIG_ALLCONFIG: that applies the options before what they
	# depend on is there and drops some, KPROBE_EVENTS for one.
	run_logged allnoconfig configuration "$log" make -C "$src" O="$out" KCONFIG_CONFIG=.config.new allnoconfig
	echo "$fragments" >>"$new"
	run_logged olddefconfig configuration "$log" make -C "$src" O="$out" KCONFIG_CONFIG=.config.new olddefconfig
	check_config "$src" "$new" "${4:-}" <<<"$fragments"
	if cmp -s "$new" "$src/$out/.config"; then
		rm "$new"
	else
		mv "$new" "$src/$out/.config"
	fi
	rm -f "$new.old"
}

# How much there is to build depends on whether a kernel was built there before.
amount_of()	# KIND BUILD_DIR
{
	if [ -e "$2/vmlinux" ]; then
		echo "$1-kernel-again"
	else
		echo "$1-kernel"
	fi
}

make_kernel()	# KIND SRC OUT LOG [partial]
{
	local kind=$1 src=$2 out=$3 log=$4 amount

	amount=$(amount_of "$kind" "$src/$out")
	fragments_of "$kind" | configure "$src" "$out" "$log" "${5:-}"
	run_logged "$amount" "$kind kernel" "$log" make -C "$src" O="$out" -j"$jobs" bzImage modules
}

make_userspace()	# SRC OUT LOG DESTINATION
{
	local src=$1 out=$2 log=$3 dest=$4 kvm=$1/tools/testing/selftests/kvm tests=() name file

	run_logged headers headers "$log" make -C "$src" O="$out" headers_install INSTALL_HDR_PATH="$dest"
	for name in $KVM_SELFTESTS; do
		for file in "$name" "x86_64/$name"; do
			[ ! -f "$kvm/$file.c" ] || tests+=("$src/$out/kvm-selftests/$file")
		done
	done
	mkdir -p "$src/$out/kvm-selftests" "$dest/selftests/kvm"
	# Static: then they need nothing else inside the VM.
	run_logged kvm-selftests "KVM selftests" "$log" make -C "$kvm" -j"$jobs" ARCH=x86_64 \
		OUTPUT="$src/$out/kvm-selftests" \
		KHDR_INCLUDES="-isystem $src/$out/usr/include" USERLDFLAGS=-static "${tests[@]}"
	cp "${tests[@]}" "$dest/selftests/kvm/"
}

# What userspace needs of the kernel: headers, and KVM's selftests.  Neither
# depends on the kernel's configuration.
build_userspace()	# SRC LOG DESTINATION
{
	local out=$1/build-user

	# The selftests keep no record of their commands by which to tell halves.
	[ ! -e "$out/.interrupted" ] || rm -rf "$out"
	guarded_build "$out" -- make_userspace "$1" build-user "$2" "$3"
}

copy_kernel()	# SRC OUT DESTINATION
{
	local from=$1/$2 module

	mkdir "$3/modules"
	cp "$from"/{vmlinux,System.map,arch/x86/boot/bzImage} "$3/"
	cp "$from/.config" "$3/config"
	for module in virt/lib/irqbypass arch/x86/kvm/{kvm,kvm-amd,kvm-intel}; do
		[ ! -f "$from/$module.ko" ] || strip -g -o "$3/modules/${module##*/}.ko" "$from/$module.ko"
	done
}

build_artifacts()	# KIND BASE TREE ARTIFACTS
{
	local kind=$1 work=$cache/src-$2 src=$cache/src-$2/linux log out='build-release' partial='' stage

	# Somebody else may have built it while this process waited for the lock.
	[ ! -d "$4" ] || return 0
	[ "$kind" != debug ] || out='build-debug'
	[ "$3" != "$2" ] || partial=partial
	log=$cache/log/$(basename "$4").log
	: >"$log"
	say "building the $kind kernel, $(name_of "$2")"
	checkout "$work" "$3"
	guarded_build "$src/$out" -- make_kernel "$kind" "$src" "$out" "$log" "$partial"
	stage=$(scratch)
	copy_kernel "$src" "$out" "$stage"
	[ "$kind" = stock ] || build_userspace "$src" "$log" "$stage"
	chmod 755 "$stage"
	mv -T "$stage" "$4"
	say "built the $kind kernel in $SECONDS s"
}

prune_builds()	# KIND
{
	local old

	# Recently used ones stay, whatever their number.
	find "$cache/kernel" -mindepth 1 -maxdepth 1 -name "$1-*" -printf '%T@ %p\n' | sort -rn | cut -d ' ' -f 2- |
		tail -n +$((KEEP_BUILDS + 1)) | while IFS= read -r old; do
		[ -n "$(find "$old" -maxdepth 0 -mtime -7)" ] || rm -rf "$old"
	done
}

build_kernel()	# KIND
{
	local base tree artifacts

	if [ "$1" = debian ]; then
		build_debian
		return
	fi
	known_kind "$1"
	base=$(find_base)
	tree=$(tree_of "$1" "$base")
	artifacts=$(artifacts_of "$1" "$tree")
	if [ ! -d "$artifacts" ]; then
		need make gcc ld bc bison flex pahole strip cpio perl python3 rsync
		with_lock "$cache/src-$base/lock" build_artifacts "$1" "$base" "$tree" "$artifacts"
	fi
	touch -c "$artifacts"
	prune_builds "$1"
	echo "$artifacts"
}

print_path()	# KIND
{
	local base tree artifacts

	if [ "$1" = debian ]; then
		print_debian_path
		return
	fi
	known_kind "$1"
	base=$(find_base known)
	tree=$(tree_of "$1" "$base")
	artifacts=$(artifacts_of "$1" "$tree")
	[ -d "$artifacts" ] || exit 1
	echo "$artifacts"
}

# --- libbpf, bpftool -----------------------------------------------------

make_libbpf()	# TREE LOG BUILD_DIR
{
	local log=$2 build=$3

	mkdir "$build/src" "$build/libbpf" "$build/bpftool" "$build/out"
	repo_git archive "$1" "${TOOLS_PATHS[@]}" | tar -C "$build/src" -xf -
	run_logged libbpf libbpf "$log" make -C "$build/src/tools/lib/bpf" -j"$jobs" OUTPUT="$build/libbpf/" \
		DESTDIR="$build/out" prefix= libdir=/lib "$build/libbpf/libbpf.a" install_headers
	mkdir -p "$build/out/lib" "$build/out/bin" "$build/out/include/linux"
	cp "$build/libbpf/libbpf.a" "$build/out/lib/"
	# libbpf's headers are about these, not about the host's.
	cp "$build/src/tools/include/uapi/linux"/{bpf,bpf_common,btf}.h "$build/out/include/linux/"
	# No skeletons (profiling, owners of objects): they want a vmlinux.
	run_logged bpftool bpftool "$log" make -C "$build/src/tools/bpf/bpftool" -j"$jobs" OUTPUT="$build/bpftool/" \
		feature-clang-bpf-co-re=0 feature-llvm=0 feature-libbfd=0 feature-libbfd-liberty=0 \
		feature-libbfd-liberty-z=0 feature-libcap=0
	cp "$build/bpftool/bpftool" "$build/out/bin/"
}

build_libbpf_in()	# DIRECTORY BASE TREE
{
	local build log

	[ ! -d "$1" ] || return 0
	say "building libbpf and bpftool of $(name_of "$2")"
	build=$(scratch)
	log=$cache/log/libbpf-$(basename "$1").log
	: >"$log"
	# No guard is needed: nothing of an interrupted build is used again.
	make_libbpf "$3" "$log" "$build"
	chmod 755 "$build/out"
	mv -T "$build/out" "$1"
}

build_libbpf()
{
	local base tree dir

	base=$(find_base)
	tree=$(patched_tree "$base")
	dir=$cache/libbpf/$({ echo "$RECIPE"; repo_git ls-tree "$tree" "${TOOLS_PATHS[@]}"; toolchain; } | hash_of)
	if [ ! -d "$dir" ]; then
		need make gcc ld python3
		with_lock "$cache/libbpf/lock" build_libbpf_in "$dir" "$base" "$tree"
	fi
	echo "$dir"
}

extract_files()	# DIRECTORY PATH...
{
	local dir=$1 base tree

	if [ ! -d "$dir" ] || [ $# -lt 2 ]; then
		die "files: which directory, and which files?"
	fi
	shift
	base=$(find_base)
	tree=$(patched_tree "$base")
	repo_git archive "$tree" "$@" | tar -C "$dir" -xf -
}
