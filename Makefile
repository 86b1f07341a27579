# SPDX-License-Identifier: GPL-2.0
# The only entrance: `make help` lists what there is to ask for.

B := build
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
CLANG ?= clang-19
PREFIX ?= /usr/local

K := kernel-patches/kernel
KERNEL ?= patched
# The test VM takes one core.
PROVE ?= prove --timer -j2

.PHONY: help
help: ## this list
	@echo "memattr: who decides what happens when guest memory turns private or shared"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo; $(K) help | sed -n 's/^  \([A-Z]*_*[A-Z]*=\)/  \1/p'

# --- what to make --------------------------------------------------------

.PHONY: demo check check-debug bench kernel shell kernel-deb kernel-tree patches install deps clean

demo: kernel tools policies guest ## the whole path: a guest converts memory, without and with a policy
	@selftests/demo

check: kernel kernel-stock tools policies guest tests ## all tests, on the release kernel
	@$(PROVE) selftests/*.t

check-debug: kernel-debug kernel-stock tools policies guest tests ## tests with KASAN, lockdep, fault injection
	@MEMATTR_KERNEL=debug $(PROVE) selftests/debug/*.t selftests/2*.t selftests/3[01]*.t selftests/43*.t

.PHONY: lint
lint: tools guest tests bench-tests ## what shellcheck, perl, clang-tidy and checkpatch say about the code
	@.ci/deps $(LINT_PACKAGES)
	@.ci/lint

bench: kernel kernel-stock bench-tests ## stock against patched, in instructions (BENCH=attributes for one)
	@bench/run $(BENCH)

kernel: deps ## the patched kernel for the test VM
	@$(K) build patched >/dev/null

.PHONY: kernel-stock kernel-debug
kernel-stock kernel-debug: kernel-%: deps
	@$(K) build $* >/dev/null

shell: kernel tools policies guest ## a root shell in the test VM (KERNEL=stock|debug for others)
	@selftests/vm/run -i --kernel $(KERNEL) -- bash

kernel-deb: deps ## Debian packages of the patched kernel for a real host, in build/deb
	@.ci/deps $(DEB_PACKAGES)
	@$(K) deb

kernel-tree: deps ## ./linux: a git tree with the series as commits, to work on
	@$(K) tree

patches: ## export the commits of ./linux to kernel-patches/
	@$(K) patches

clean: ## delete build/
	rm -rf $(B)
	@echo "sources and kernels stay in the cache; to drop them as well: $(K) clean"

# --- building ------------------------------------------------------------

# Where libbpf and bpftool are is known only when they are built, and for that
# the packages must be there.  Make reads $(B)/deps.mk again when it changed.
NEED_LIBBPF := demo check check-debug lint bench shell tools policies guest tests install \
	policy-tests top-tests trace-tests bench-tests store-tests $(B)/%
ifneq ($(filter $(NEED_LIBBPF),$(MAKECMDGOALS)),)
-include $(B)/deps.mk
-include tools/tools.mk
-include bpf/bpf.mk
-include selftests/guest/guest.mk
-include selftests/store/store.mk
-include bench/bench.mk
endif

.PHONY: FORCE tools policies guest tests
$(B)/deps.mk: deps FORCE
	@mkdir -p $(B)
	@dir=$$($(K) libbpf) && \
		printf 'LIBBPF_DIR := %s\nBPFTOOL := %s/bin/bpftool\n' "$$dir" "$$dir" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

tools: ## memattr-top, prefault-trace and memattr-policy, into build/bin
policies: ## the BPF policies, into build/bpf
guest: ## the workload VMM, into build/bin
tests: policy-tests top-tests trace-tests bench-tests store-tests

install: tools policies ## tools, policies, their header and man pages to PREFIX (/usr/local); DESTDIR= as usual
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/memattr $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(B)/bin/memattr-policy $(B)/bin/memattr-top \
		$(B)/bin/prefault-trace $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(B)/bpf/*.bpf.o $(DESTDIR)$(PREFIX)/lib/memattr
	install -d $(DESTDIR)$(PREFIX)/include/memattr
	install -m 644 bpf/include/memattr.bpf.h $(DESTDIR)$(PREFIX)/include/memattr
	$(if $(wildcard docs/man/*.8),install -m 644 docs/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8)

# --- packages ------------------------------------------------------------

# For kernel, libbpf and bpftool; for tools and policies; for the test VM and the tests.
PACKAGES := linux-source-6.12 xz-utils git build-essential bc bison flex libelf-dev zlib1g-dev dwarves perl python3 rsync \
	cpio libncurses-dev clang-19 libclang-rt-19-dev liburcu-dev \
	qemu-system-x86 busybox-static jq tmux libcmocka-dev gnuplot-nox
LINT_PACKAGES := shellcheck clang-tidy-19
DEB_PACKAGES := debhelper kmod libssl-dev linux-config-6.12

deps: ## install the Debian packages that are missing
	@.ci/deps $(PACKAGES)
