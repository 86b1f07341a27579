# SPDX-License-Identifier: GPL-2.0
# Policies, into $(B)/bpf, and those that only tests use, into $(B)/selftests/bpf. Included by the
# top Makefile.

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf/include -I$(LIBBPF_DIR)/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)

POLICIES := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
TEST_POLICIES := $(patsubst %.bpf.c,$(B)/%.bpf.o,$(wildcard selftests/bpf/*.bpf.c))

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(B)/selftests/bpf/%.bpf.o: selftests/bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

-include $(POLICIES:.o=.d) $(TEST_POLICIES:.o=.d)

policies: $(POLICIES)
test-policies: $(TEST_POLICIES)
.PHONY: policies test-policies
