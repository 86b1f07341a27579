#!/bin/sh
# GCC makes no CO-RE relocation for types from the header that bpftool writes for BPF programs.
#
# Version:  gcc-bpf 14.2 (14.2.0-19+2) and bpftool 7.5.0, both of Debian 13.
# Expected: GCC's manual documents the attribute preserve_access_index ("BPF Type Attributes") and
#           -mco-re, and the kernel's Documentation/bpf/libbpf/libbpf_overview.rst makes vmlinux.h
#           with "bpftool btf dump ... format c". That header marks all its types at once. So a
#           program that GCC compiles with vmlinux.h should be relocated to the layout of the kernel
#           that loads it, or the compiler should refuse it.
# Seen:     The header uses "#pragma clang attribute push", which GCC ignores; a warning appears
#           with -Wall only, and the status is 0. The program reads the offset of the build
#           machine's kernel on every other kernel. With the attribute written at
#           the structure itself, the same GCC does make the relocation.
# Effect:   A program that was built this way loads everywhere and reads wrong members. Either
#           refuse to compile without __clang__, or add the attribute to each structure.
#
# "bpftool gen min_core_btf" shows what is relocated: its output holds the needed types only.
# Needs apt-get and dpkg-deb, on amd64. It fetches the index of Debian 13 (10 MB) and 20 MB of packages.
# Exit status: 0 as described, 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

not_tried() {
	echo "not tried: $1" >&2
	exit 2
}

# The packages come from wherever this machine takes Debian's own from.
# shellcheck disable=SC2016 # The names in $( ) are apt's, not the shell's.
archive=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' |
	awk '$2 == "Debian" && $3 !~ /-/ { print $1; exit }')
[ -n "$archive" ] || not_tried "apt knows no archive of Debian; run apt-get update"
mkdir -p apt/lists/partial apt/cache/archives/partial
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" > apt/sources
cat > apt/conf <<-END
	Dir::Etc::SourceList "$work/apt/sources";
	Dir::Etc::SourceParts "-";
	Dir::State::Lists "$work/apt/lists";
	Dir::Cache "$work/apt/cache";
	APT::Sandbox::User "root";
	APT::Architecture "amd64";
END
export APT_CONFIG="$work/apt/conf"
apt-get -qq update || not_tried "the index of Debian 13 cannot be fetched"
apt-get -qq download gcc-bpf=14.2.0-19+2 binutils-bpf=2.44-3+3 'bpftool=7.5.0+6.12.*' \
	'libc6=2.41-12*' 'libelf1t64=0.192-4*' 'libzstd1=1.5.7*' 'zlib1g=1:1.3*' \
	'libgmp10=2:6.3.0*' 'libmpc3=1.3.1*' 'libmpfr6=4.2.2*' 'libcap2=1:2.75*' ||
	not_tried "a package is not offered here"
for deb in *.deb; do
	dpkg-deb -x "$deb" root
done

# The programs run with the C library of their own release.
run() {
	program=$1
	shift
	"$work"/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 \
		--library-path "$work/root/usr/lib/x86_64-linux-gnu" "$work/root/usr/$program" "$@"
}

# It compiles $1.c to $1.o; the further arguments go to the compiler.
compile() {
	name=$1
	shift
	run lib/gcc/bpf/14/cc1 -quiet -O2 -gbtf -mco-re "$@" "$name.c" -o "$name.s" &&
		run bin/bpf-as -mdialect=pseudoc "$name.s" -o "$name.o"
}

# It prints the number of members that the relocations of $1.o need.
relocated_members() {
	run sbin/bpftool gen min_core_btf kernel.o "$1.btf" "$1.o"
	run sbin/bpftool btf dump file "$1.btf" | grep -c "'pages'" || true
}

cat > kernel.c <<'END'
struct vm_memory { unsigned long flags; unsigned long pages; } vm_memory;
END
compile kernel || not_tried "the compiler does not run"
run sbin/bpftool btf dump file kernel.o format c > vmlinux.h

for how in header attribute; do
	echo "#include \"$how.h\"" > "$how.c"
	cat >> "$how.c" <<-'END'
		__attribute__((section("raw_tp/sys_enter"))) long count_pages(void **context)
		{
			struct vm_memory *memory = context[0];

			return memory->pages;
		}
	END
done
cp vmlinux.h header.h
sed 's/^};/} __attribute__((preserve_access_index));/' vmlinux.h > attribute.h

status=0
compile header > warnings 2>&1 || status=$?
compile attribute
with_header=$(relocated_members header)
with_attribute=$(relocated_members attribute)
echo "bpftool's header has:      $(grep 'attribute push' vmlinux.h)"
echo "GCC with that header:      status $status, $(wc -l < warnings) lines of messages," \
	"relocated members: $with_header"
echo "GCC with the attribute:    relocated members: $with_attribute"
[ "$with_attribute" -eq 1 ] || { echo "CHANGED: the attribute makes no relocation either"; exit 1; }
[ "$status" -eq 0 ] || { echo "CHANGED: GCC refuses bpftool's header"; exit 1; }
[ "$with_header" -eq 0 ] || { echo "CHANGED: GCC relocates types of bpftool's header"; exit 1; }
echo "as described: no relocation with bpftool's header, one with the attribute"
