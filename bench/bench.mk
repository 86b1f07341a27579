# SPDX-License-Identifier: GPL-2.0
# Benchmarks, into $(B)/bench. Included by the top Makefile after selftests/selftests.mk and
# selftests/store/store.mk, whose library and variables they use.

BENCHES := $(addprefix $(B)/bench/,attributes conversion-cost hugepages-cost inplace-cost prefault-cost)

$(B)/bench/%.o: bench/%.c $(B)/tools.flags | $(KVM_UAPI)/linux/kvm.h
	@mkdir -p $(@D)
	$(CC) $(TESTS_CFLAGS) -MMD -MP -c $< -o $@

$(BENCHES): %: %.o $(B)/bench/bench.o $(TESTS_LIB)
	$(TESTS_LINK) -o $@
$(B)/bench/hugepages-cost $(B)/bench/inplace-cost $(B)/bench/prefault-cost: $(B)/bench/walker.o
# Alone in its VM, thus static.
$(B)/bench/attributes: TOOLS_LIBS := -static

$(B)/bench/trivial.bpf.o: bench/trivial.bpf.c
	$(compile_bpf)

# It runs memattr-top's own programs.
BENCH_B := $(B)/bench
$(BENCH_B)/exits.bpf.o: bench/exits.bpf.c
	$(compile_bpf)
$(BENCH_B)/exits.bpf.o: BPF_CFLAGS += -Itools/memattr-top
$(BENCH_B)/exits-cost.o: $(BENCH_B)/exits.skel.h
$(BENCH_B)/exits-cost.o: TESTS_CFLAGS += -I$(BENCH_B) -Itools/memattr-top
$(BENCH_B)/exits-cost: $(BENCH_B)/exits-cost.o $(BENCH_B)/bench.o $(addprefix $(B)/tools/common/,bpf_maps.o cpus.o kvm_btf.o) \
		$(TESTS_LIB)
	$(TESTS_LINK) -o $@

# As the store's tests, but optimized, without checks, and with memory at the kernel's price.
STORE_BENCHES := $(addprefix $(B)/bench/,store-cost store-maple)
STORE_BENCH_SOURCES = bench/store-mem.c $(filter-out $(STORE)/mem.c,$(STORE_SOURCES))
$(B)/bench/store-maple: STORE_BENCH_SOURCES += $(STORE_SRC)/lib/maple_tree.c
$(STORE_BENCHES): $(B)/bench/%: bench/%.c bench/store-mem.c bench/store-mem.h bench/maple-map.h $(STORE)/shim.h \
		$(STORE_SRC) $(STORE_B)/include-6 $(B)/bench/bench.o $(TESTS_LIB)
	@mkdir -p $(@D)
	$(CC) $(filter-out -DXA_DEBUG -O1 -g,$(STORE_CFLAGS)) -O2 -DSINGLE_THREAD -I$(STORE_B)/include-6 \
		-Ibench -Iselftests/lib -static $< $(STORE_BENCH_SOURCES) $(B)/bench/bench.o $(TESTS_LIB) $(STORE_LIBS) -o $@

-include $(wildcard $(B)/bench/*.d)

bench-tests: $(BENCHES) $(STORE_BENCHES) $(BENCH_B)/exits-cost $(B)/bench/trivial.bpf.o
.PHONY: bench-tests
