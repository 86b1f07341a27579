# SPDX-License-Identifier: GPL-2.0
# Benchmarks, into $(B)/bench. Included by the top Makefile after bpf/bpf.mk. They need KVM's own
# header, which knows guest_memfd, not the distribution's.

KVM_ABI := -Iselftests/guest

$(B)/bench/conversion-cost: bench/conversion-cost.c bench/bench.c bench/bench.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(KVM_ABI) $(filter %.c,$^) $(TOOLS_LIBS) -o $@

$(B)/bench/prefault-cost: bench/prefault-cost.c bench/bench.c bench/bench.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(KVM_ABI) $(filter %.c,$^) $(TOOLS_LIBS) -o $@

# Alone in its VM, thus static.
$(B)/bench/attributes: bench/attributes.c bench/bench.c bench/bench.h
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -static $(KVM_ABI) $(filter %.c,$^) -o $@

# As the store's tests, but optimized and without checks.
$(B)/bench/store-cost: bench/store-cost.c $(STORE)/mem.c $(STORE)/shim.h $(STORE_SRC) $(STORE_B)/include-6
	@mkdir -p $(@D)
	$(CC) $(filter-out -DXA_DEBUG -O1 -g,$(STORE_CFLAGS)) -O2 -DSINGLE_THREAD -I$(STORE_B)/include-6 -static \
		$< $(STORE_SOURCES) $(STORE_LIBS) -o $@

bench-tests: $(B)/bench/conversion-cost $(B)/bench/prefault-cost $(B)/bench/attributes $(B)/bench/store-cost \
	$(B)/bench/trivial.bpf.o
.PHONY: bench-tests
