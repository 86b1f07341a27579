# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The series: applied to a base, made commits of, exported, and checked.

readonly series_dir=$here/linux-$SERIES_VERSION
# What Debian's versions of the kernel need beside the series.
readonly debian_dir=$here/debian
readonly linux_tree=${KERNEL_TREE:-$top/linux}
# The cover letter: what git makes of COVER_TEXT and of the patches.
readonly COVER_LETTER=0000-cover-letter.patch COVER_TEXT=cover-letter.txt
# Sign-offs and MAINTAINERS entries are for whoever submits the series.  The commits that
# "Fixes:" names are in Linux' history, which a tree from a tarball does not have.
readonly CHECKPATCH_IGNORE=MISSING_SIGN_OFF,FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID

# Prints all files that an export makes.
series_files() { find "$series_dir" -maxdepth 1 -name '*.patch' 2>/dev/null | sort; }

series_patches() { series_files | grep -v "/$COVER_LETTER\$" || :; }

# Prints all that sources are changed by.
series_text() { { series_patches; find "$debian_dir" -name '*.patch' | sort; } | xargs -r -d '\n' cat; }

# Adaptations change sources in the index before the series. Which sources one is for shows in whether it applies.
# Prints those that must follow the series in consequence.
apply_adaptations()
{
	local patch

	for patch in "$debian_dir"/*.patch; do
		[[ $patch != *.after.patch ]] || continue
		if repo_git apply --cached --check "$patch" 2>/dev/null; then
			repo_git apply --cached "$patch"
			[ ! -e "${patch%.patch}.after.patch" ] || echo "${patch%.patch}.after.patch"
		fi
	done
}

# Applies the series to the index, which holds the sources NAME, with what they need beside it. Prints a line
# "tree patch" for each patch.
apply_to_index()	# NAME [OPTION]...
{
	local name=$1 after patches patch

	shift
	after=$(apply_adaptations)
	mapfile -t patches < <(series_patches; printf '%s' "$after")
	for patch in "${patches[@]}"; do
		repo_git apply --cached --whitespace=nowarn "$@" "$patch" >&2 ||
			die "${patch##*/} does not apply to $name; Debian's kernels that take the series are" \
			    "$(taken_releases)"
		echo "$(repo_git write-tree) ${patch##*/}"
	done
}

apply_series()	# BASE
(
	local new

	need git
	new=$(scratch)
	# shellcheck disable=SC2030,SC2031 # for git in this subshell only
	export GIT_INDEX_FILE=$new/index
	repo_git read-tree "$1"
	apply_to_index "$(name_of "$1")"
)

# Applies the series without a work tree.  Prints the name of a file with a
# line "tree patch" for each patch.
series_steps()	# BASE
{
	local steps new

	steps=$cache/series/$({ echo "$RECIPE $1"; series_text; } | hash_of)
	if [ ! -f "$steps" ]; then
		new=$(scratch)/steps
		apply_series "$1" >"$new"
		mv "$new" "$steps"
	fi
	echo "$steps"
}

# Prints the tree that the whole series makes of BASE.
patched_tree()	# BASE
{
	local steps

	steps=$(series_steps "$1")
	awk -v tree="$1" '{ tree = $1 } END { print tree }' "$steps"
}

# Exports the commits of TREE; the same bytes whoever does it, wherever.
format_series()	# TREE BASE DESTINATION
{
	local options=(--zero-commit --no-signature --numbered --full-index --no-renames --diff-algorithm=myers)
	local config=(-c core.abbrev=40) branch date

	if [ -e "$series_dir/$COVER_TEXT" ]; then
		branch=$(git -C "$1" symbolic-ref --short HEAD) ||
			die "HEAD of $1 is not a branch; make it one: git -C $1 checkout -B memattr"
		config+=(-c "branch.$branch.description=$(cat "$series_dir/$COVER_TEXT")")
		options+=(--cover-letter --cover-from-description=subject)
	fi
	# The cover letter is as old as the last patch.
	date=$(git -C "$1" log -1 --format=%aI)
	COMMITTER_DATE=$date plain_git -C "$1" "${config[@]}" format-patch -q "${options[@]}" -o "$3" "$2..HEAD"
}

am_series()	# TREE
{
	local patches

	mapfile -t patches < <(series_patches)
	[ ${#patches[@]} = 0 ] ||
		plain_git -C "$1" am -q --committer-date-is-author-date --whitespace=nowarn "${patches[@]}" >&2
}

# Does DIRECTORY hold exactly the series?
series_is()	# DIRECTORY
{
	local file files=("$1"/*.patch)

	[ -e "${files[0]}" ] || files=()
	[ "$(series_files | wc -l)" = ${#files[@]} ] || return 1
	for file in "${files[@]}"; do
		cmp -s "$file" "$series_dir/${file##*/}" || return 1
	done
}

# --- ./linux -------------------------------------------------------------

tree_clean()
{
	if [ -e "$linux_tree/.git/rebase-apply" ] || [ -e "$linux_tree/.git/rebase-merge" ]; then
		die "$linux_tree is in the middle of an am or a rebase"
	fi
	[ -z "$(git -C "$linux_tree" status --porcelain)" ] ||
		die "$linux_tree has changes that are not committed"
}

all_exported()
{
	[ "$(git -C "$linux_tree" rev-parse HEAD)" = "$(git -C "$linux_tree" rev-parse refs/memattr/exported)" ]
}

clone_tree()	# BASE
{
	say "cloning $(name_of "$1") to $linux_tree"
	plain_git clone -q --no-checkout --single-branch --no-tags --branch "base-$1" "$repo" "$linux_tree"
	git -C "$linux_tree" remote remove origin
	git -C "$linux_tree" config gc.auto 0
}

# Makes the tree's branch the base, with the series on top.
restart_tree()	# BASE COMMIT
{
	git -C "$linux_tree" checkout -q -B memattr "$2"
	git -C "$linux_tree" config memattr.base "$2"
	git -C "$linux_tree" update-ref refs/memattr/exported HEAD
	am_series "$linux_tree" ||
		die "the series does not apply to $(name_of "$1"); $linux_tree holds what did, git am is waiting there"
	git -C "$linux_tree" update-ref refs/memattr/exported HEAD
}

make_tree()
{
	local base commit old_base exported

	base=$(find_base)
	commit=$(commit_of "$base")
	if [ ! -e "$linux_tree" ]; then
		clone_tree "$base"
	else
		old_base=$(git -C "$linux_tree" config memattr.base) ||
			die "$linux_tree was not made by this command; move it away or set KERNEL_TREE="
		tree_clean
		exported=$(scratch)
		format_series "$linux_tree" "$old_base" "$exported"
		if series_is "$exported"; then
			if [ "$old_base" = "$commit" ]; then
				say "$linux_tree is up to date"
				echo "$linux_tree"
				return
			fi
		elif ! all_exported; then
			die "$linux_tree has commits that are not exported: 'make patches' writes them to" \
			    "kernel-patches/linux-$SERIES_VERSION, or delete $linux_tree"
		fi
		plain_git -C "$linux_tree" fetch -q "$repo" "refs/heads/base-$base"
	fi
	restart_tree "$base" "$commit"
	echo "$linux_tree"
}

export_patches()
{
	local old_base exported file files

	old_base=$(git -C "$linux_tree" config memattr.base 2>/dev/null) ||
		die "there is no tree at $linux_tree: 'make kernel-tree' makes it"
	tree_clean
	git -C "$linux_tree" merge-base --is-ancestor "$old_base" HEAD ||
		die "HEAD of $linux_tree does not descend from Linux $SERIES_VERSION's base $old_base"
	[ -z "$(git -C "$linux_tree" rev-list --merges "$old_base..HEAD")" ] ||
		die "$linux_tree has merges, which cannot be exported as patches"
	exported=$(scratch)
	format_series "$linux_tree" "$old_base" "$exported"
	mkdir -p "$series_dir"
	mapfile -t files < <(series_files)
	for file in "${files[@]}"; do
		if [ ! -e "$exported/${file##*/}" ]; then
			say "removed ${file##*/}"
			rm "$file"
		fi
	done
	for file in "$exported"/*.patch; do
		if [ -e "$file" ] && ! cmp -s "$file" "$series_dir/${file##*/}"; then
			say "wrote ${file##*/}"
			cp "$file" "$series_dir/"
		fi
	done
	git -C "$linux_tree" update-ref refs/memattr/exported HEAD
}

# --- checks --------------------------------------------------------------

# A git tree in DIRECTORY with the files that PATCHES touch, and of others only
# those that tell git how to name functions in a diff.
sparse_tree()	# DIRECTORY COMMIT PATCH...
{
	local dir=$1 commit=$2

	shift 2
	plain_git init -q "$dir"
	echo "$repo/objects" >"$dir/.git/objects/info/alternates"
	plain_git -C "$dir" config core.sparseCheckout true
	sed -n 's,^diff --git a/\(.*\) b/.*,/\1,p' "$@" | sort -u >"$dir/.git/info/sparse-checkout"
	echo .gitattributes >>"$dir/.git/info/sparse-checkout"
	plain_git -C "$dir" checkout -q -B memattr "$commit"
}

# Is the series what git makes of it?
check_round_trip()	# BASE PATCH...
{
	local base=$1 commit patched tmp

	shift
	commit=$(commit_of "$base")
	patched=$(patched_tree "$base")
	tmp=$(scratch)
	sparse_tree "$tmp/linux" "$commit" "$@"
	am_series "$tmp/linux" || die "git am does not take the series"
	[ "$(plain_git -C "$tmp/linux" rev-parse 'HEAD^{tree}')" = "$patched" ] ||
		die "git am and git apply make different trees"
	mkdir "$tmp/export"
	format_series "$tmp/linux" "$commit" "$tmp/export"
	series_is "$tmp/export" ||
		die "the export of the series differs from the series: make kernel-tree patches"
}

check_style()	# BASE PATCH...
{
	local src patch failed=0

	# checkpatch looks things up in a whole tree.
	src=$(source_directory "$1")
	shift
	for patch; do
		if ! (cd "$src" && scripts/checkpatch.pl --strict --quiet --no-summary --show-types \
				--ignore "$CHECKPATCH_IGNORE" "$patch") >&2; then
			say "checkpatch complains about ${patch##*/}"
			failed=1
		fi
	done
	[ $failed = 0 ] || exit 1
}

# Prints the adaptations, the last one first.
adaptations() { find "$debian_dir" -name '*.patch' ! -name '*.after.patch' | sort -r; }

# Takes PATCH back in the index. One for older versions comes before those for the versions between; one for newer
# versions, which has a part that follows the series, stands alone.
take_back()	# PATCH
{
	local patch

	while IFS= read -r patch; do
		if [ "$patch" = "$1" ] || { [ ! -e "${patch%.patch}.after.patch" ] && [ ! -e "${1%.patch}.after.patch" ]; }; then
			repo_git apply --cached --reverse "$patch" 2>/dev/null || return
		fi
		[ "$patch" != "$1" ] || return 0
	done < <(adaptations)
}

# Taking adaptations back makes sources like those of the versions that they are for: the series must apply there, too.
# Where the base does not have what an adaptation changes, only check-versions can tell. Prints how many were checked.
check_adaptations()	# BASE
(
	local new patch patches checked=0

	new=$(scratch)
	# shellcheck disable=SC2030,SC2031 # for git in this subshell only
	export GIT_INDEX_FILE=$new/index
	mapfile -t patches < <(adaptations)
	for patch in "${patches[@]}"; do
		repo_git read-tree "$1"
		take_back "$patch" || continue
		apply_to_index "$(name_of "$1") without ${patch##*/}" >/dev/null
		checked=$((checked + 1))
	done
	echo "$checked"
)

check_series()
{
	local base patches adaptations

	base=$(find_base)
	mapfile -t patches < <(series_patches)
	if [ ${#patches[@]} = 0 ]; then
		say "the series is empty"
		return
	fi
	check_round_trip "$base" "${patches[@]}"
	adaptations=$(check_adaptations "$base")
	check_style "$base" "${patches[@]}"
	say "${#patches[@]} patches: apply, export to the same bytes, pass checkpatch; with $adaptations adaptations they apply" \
	    "to sources that need these"
}

# --- each patch by itself ------------------------------------------------

# Prints what has to be compiled because of the files on stdin.
objects_of()
{
	local file

	echo arch/x86/kvm/
	while read -r file; do
		case $file in
		tools/*|samples/*|scripts/*|Documentation/*|virt/kvm/*|arch/x86/kvm/*) ;;
		*.c) echo "${file%.c}.o" ;;
		esac
	done
}

# VARIANT is KVM and the policies' option, both y, m or n: "m-y".  All of KVM
# is compiled once, then without Intel's part: what the series does there does
# not depend on the variant.
variant_config()	# VARIANT
{
	fragments_of patched
	echo "CONFIG_KVM=${1%-*}"
	echo "CONFIG_KVM_AMD=${1%-*}"
	[ "$1" = m-y ] || echo CONFIG_KVM_INTEL=n
	echo "CONFIG_KVM_MEMATTR_BPF=${1#*-}"
}

make_variant()	# SRC VARIANT LABEL LOG TOUCHED
{
	local src=$1 out=build-$2 objects

	variant_config "$2" | configure "$src" "$out" "$4" partial
	mapfile -t objects < <(objects_of <<<"$5")
	run_logged "each-$2" "$3" "$4" make -C "$src" O="$out" -j"$jobs" W=1 KCFLAGS=-g0 "${objects[@]}"
}

# Is there a warning in LOG about a file on stdin?
has_warnings()	# LOG
{
	local file found=1

	while read -r file; do
		! grep -E "^(\.\./)*${file//./\\.}:[0-9:]+ warning:" "$1" >&2 || found=0
	done
	return "$found"
}

# Compiles all variants of all patches.  Results are remembered, so that only
# what is new costs time.
build_variants()	# BASE WORK STEPS
{
	local base=$1 work=$2 log=$cache/log/build-each.log part=$2/part.log variants=(m-y m-n y-y y-n)
	local steps step old_tree tree patch variant touched result count=0 failed=0

	: >"$log"
	mkdir -p "$work/done"
	mapfile -t steps <"$3"
	for variant in "${variants[@]}"; do
		old_tree=$base
		for step in "${steps[@]}"; do
			read -r tree patch <<<"$step"
			count=$((count + 1))
			result=$work/done/$({ echo "$RECIPE $variant $old_tree $tree"; fragments_of patched; toolchain; } | hash_of)
			touched=$(repo_git diff-tree -r --name-only --diff-filter=d "$old_tree" "$tree")
			old_tree=$tree
			[ ! -e "$result" ] || continue
			checkout "$work" "$tree"
			: >"$part"
			guarded_build "$work/linux/build-$variant" -- make_variant "$work/linux" "$variant" \
				"$count of $((${#steps[@]} * ${#variants[@]})), ${patch%.patch} ($variant)" "$part" "$touched"
			cat "$part" >>"$log"
			if has_warnings "$part" <<<"$touched"; then
				say "$patch ($variant) brings warnings"
				failed=1
			else
				: >"$result"
			fi
		done
	done
	[ "$failed" = 0 ] || exit 1
	say "${#steps[@]} patches: each compiles without warnings (KVM=m and =y, KVM_MEMATTR_BPF on and off)"
}

build_each()
{
	local base steps work

	need make gcc ld bc bison flex
	base=$(find_base)
	steps=$(series_steps "$base")
	work=$cache/each-$base
	with_lock "$work/lock" build_variants "$base" "$work" "$steps"
}
