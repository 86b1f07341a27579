# SPDX-License-Identifier: GPL-2.0
# Benchmarks, into $(B)/bench. Included by the top Makefile after selftests/selftests.mk and
# selftests/store/store.mk, whose library and variables they use.

BENCHES := $(addprefix $(B)/bench/,attributes conversion-cost prefault-cost)

$(B)/bench/%.o: bench/%.c | $(KVM_UAPI)/linux/kvm.h
	@mkdir -p $(@D)
	$(CC) $(TESTS_CFLAGS) -MMD -MP -c $< -o $@

$(BENCHES): %: %.o $(B)/bench/bench.o $(TESTS_LIB)
	$(TESTS_LINK) -o $@
# Alone in its VM, thus static.
$(B)/bench/attributes: TOOLS_LIBS := -static

# As the store's tests, but optimized and without checks.
$(B)/bench/store-cost: bench/store-cost.c $(STORE)/mem.c $(STORE)/shim.h $(STORE_SRC) $(STORE_B)/include-6 \
		$(B)/bench/bench.o $(TESTS_LIB)
	@mkdir -p $(@D)
	$(CC) $(filter-out -DXA_DEBUG -O1 -g,$(STORE_CFLAGS)) -O2 -DSINGLE_THREAD -I$(STORE_B)/include-6 \
		-Ibench -Iselftests/lib -static $< $(STORE_SOURCES) $(B)/bench/bench.o $(TESTS_LIB) $(STORE_LIBS) -o $@

-include $(wildcard $(B)/bench/*.d)

bench-tests: $(BENCHES) $(B)/bench/store-cost $(B)/bench/trivial.bpf.o
.PHONY: bench-tests
