# SPDX-License-Identifier: GPL-2.0
# The only entry point: `make help` lists the targets.

B := build
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
# CPPFLAGS and LDFLAGS are taken as well. All three are for our own programs, not for libbpf and the kernel.
unexport CFLAGS CPPFLAGS LDFLAGS
CLANG ?= clang-19
PREFIX ?= /usr/local

K := kernel-patches/kernel
KERNEL ?= patched
# Each test VM takes one core.
PROVE ?= prove --timer -j2

.PHONY: help
help: ## show this list
	@echo "memattr: policies in BPF for guest memory that turns private or shared"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo; $(K) help | sed -n 's/^ *\([A-Z_]*=\)/  \1/p'

# --- what to make --------------------------------------------------------

.PHONY: demo check check-debug bench kernel modules kernel-debian shell kernel-tree patches install deps clean

demo: kernel-debian tools policies guest ## show the whole path: a guest converts memory, without and with a policy, then in place
	@selftests/demo

check: kernel kernel-stock kernel-debian tools policies guest tests ## run all tests, on the release kernel
	@$(PROVE) selftests/*.t

# 24 compares instruction counts, which mean nothing on a debug kernel.
check-debug: kernel-debug kernel-stock tools policies guest tests ## run tests with KASAN, lockdep and fault injection
	@MEMATTR_KERNEL=debug $(PROVE) selftests/debug/*.t $(filter-out selftests/24%,$(wildcard selftests/2*.t)) \
		selftests/3[01]*.t selftests/43*.t

# 32 is about the stock kernel.
DEBIAN_TESTS := $(filter-out selftests/32%,$(wildcard $(addprefix selftests/,16*.t 20*.t 27*.t 3*.t 4*.t 8*.t)))

.PHONY: check-debian check-trixie
check-debian: kernel-debian tools policies guest tests ## run the tests of guests, policies and tools on Debian's own kernel
	@MEMATTR_KERNEL=debian $(PROVE) $(DEBIAN_TESTS)

check-trixie: ## run them as on a host with Debian 13: on its kernel, in a root of it
	@.ci/deps debootstrap
	@packaging/on-release trixie $(MAKE) check-debian

.PHONY: check-metrics
check-metrics: kernel tools policies guest tests ## check the metrics, dashboard and alerts with real servers (RELEASES="bookworm trixie sid")
	@$(PROVE) selftests/metrics/check.t

# Without prove, which keeps back what it passes on to a pipe: how far the test is shows at once.
.PHONY: check-conversions
check-conversions: kernel-debug guest tests ## check data during 100,000 random conversions, on the debug kernel; 15 to 30 minutes
	@selftests/inplace/check.t

.PHONY: lint
lint: tools guest tests bench-tests ## check the code with shellcheck, perl, clang-tidy and checkpatch
	@.ci/deps $(LINT_PACKAGES)
	@.ci/lint

bench: kernel kernel-stock tools policies guest bench-tests ## count instructions, stock against patched (BENCH=attributes runs only that benchmark)
	@bench/run $(BENCH)

kernel: deps ## build the patched kernel for the test VM
	@$(K) build patched >/dev/null

.PHONY: kernel-stock kernel-debug
kernel-stock kernel-debug: kernel-%: deps
	@$(K) build $* >/dev/null

modules: deps ## build KVM's modules for Debian's own kernel (the newest, or DEBIAN_KERNEL=6.12.y+debN-amd64), print where
	@$(K) modules

kernel-debian: deps
	@$(K) build debian >/dev/null

shell: kernel tools policies guest ## open a root shell in the test VM (KERNEL=stock or KERNEL=debug selects another kernel)
	@selftests/vm/run -i --kernel $(KERNEL) -- bash

.PHONY: deb check-deb check-deb-vm
deb: deps ## build Debian packages of modules, tools and policies in build/packages: see docs/install.md
	@.ci/deps $(PACKAGING_PACKAGES)
	@packaging/build

check-deb: deps ## check the packages with lintian and in clean roots (RELEASES="bookworm trixie")
	@.ci/deps $(PACKAGING_PACKAGES) debootstrap
	@$(PROVE) packaging/check.t

check-deb-vm: deps ## check the packages at work: in the test VM, on the kernel of each release (RELEASES="bookworm trixie")
	@.ci/deps $(PACKAGING_PACKAGES) debootstrap
	@$(PROVE) packaging/check-vm.t

kernel-tree: deps ## make ./linux, a git tree with the series as commits, to work on
	@$(K) tree

patches: ## export the commits of ./linux to kernel-patches/
	@$(K) patches

clean: ## delete build/
	rm -rf $(B)
	@echo "sources and kernels stay in the cache; to drop them as well: $(K) clean"

# --- building ------------------------------------------------------------

# Where libbpf and bpftool are is known only once they are built, which needs the
# packages.  Make reads $(B)/deps.mk again when it has changed.
NEED_LIBBPF := demo check check-debian check-debug check-conversions check-metrics lint bench shell tools policies guest tests install \
	kvm-tests policy-tests tool-tests bench-tests store-tests fuzz-tests fuzz $(B)/%
ifneq ($(filter $(NEED_LIBBPF),$(MAKECMDGOALS)),)
-include $(B)/deps.mk
-include tools/tools.mk
-include bpf/bpf.mk
-include selftests/selftests.mk
-include selftests/guest/guest.mk
-include selftests/store/store.mk
-include selftests/fuzz/fuzz.mk
-include bench/bench.mk
endif

.PHONY: FORCE tools policies guest tests
$(B)/deps.mk: deps FORCE
	@mkdir -p $(B)
	@dir=$$($(K) libbpf) && \
		printf 'LIBBPF_DIR := %s\nBPFTOOL := %s/bin/bpftool\n' "$$dir" "$$dir" >$@.$$$$ && \
		if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi

tools: ## build memattr-top, prefault-trace and memattr-policy into build/bin
policies: ## build the BPF policies into build/bpf
guest: ## build the workload VMM into build/bin
tests: kvm-tests policy-tests tool-tests bench-tests store-tests fuzz-tests

install: tools policies ## install tools, scripts, policies, their header and manuals to PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/memattr $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(B)/bin/memattr-policy $(B)/bin/memattr-top \
		$(B)/bin/prefault-trace $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(B)/bpf/*.bpf.o $(DESTDIR)$(PREFIX)/lib/memattr
	install -d $(DESTDIR)$(PREFIX)/include/memattr
	install -m 644 bpf/include/memattr.bpf.h $(DESTDIR)$(PREFIX)/include/memattr
	install -d $(DESTDIR)$(PREFIX)/share/memattr
	install -m 644 tools/scripts/*.bt $(DESTDIR)$(PREFIX)/share/memattr
	install -m 755 tools/scripts/recording $(DESTDIR)$(PREFIX)/share/memattr
	$(if $(wildcard docs/man/*.8),install -m 644 docs/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8)

# --- packages ------------------------------------------------------------

# The packages for the kernel, libbpf and bpftool, then for tools and policies, then for the test VM and the tests.
PACKAGES := linux-source-6.12 xz-utils git build-essential bc bison flex libelf-dev zlib1g-dev libmicrohttpd-dev dwarves perl python3 rsync \
	cpio libncurses-dev clang-19 libclang-rt-19-dev liburcu-dev \
	qemu-system-x86 busybox-static jq tmux libcmocka-dev gnuplot-nox kmod locales openssl spin curl python3-prometheus-client linux-perf \
	ovmf sbsigntool bpftrace
LINT_PACKAGES := shellcheck clang-tidy-19
PACKAGING_PACKAGES := debhelper kmod openssl

deps: ## install the required Debian packages that are missing
	@.ci/deps $(PACKAGES)
