# SPDX-License-Identifier: GPL-2.0
# Policies, into $(B)/bpf, and what only their tests use, into $(B)/selftests/bpf. Included by the
# top Makefile after tools/tools.mk.

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf/include -I$(LIBBPF_DIR)/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)

POLICIES := $(patsubst %.bpf.c,$(B)/%.bpf.o,$(wildcard bpf/*.bpf.c))
TEST_POLICIES := $(patsubst %.bpf.c,$(B)/%.bpf.o,$(wildcard selftests/bpf/*.bpf.c))

$(POLICIES) $(TEST_POLICIES): $(B)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(B)/selftests/bpf/vmsh: selftests/bpf/vmsh.c $(B)/tools/common/kvm_btf.o
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $^ $(TOOLS_LIBS) -o $@

$(B)/selftests/bpf/attach-loop: selftests/bpf/attach-loop.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< $(TOOLS_LIBS) -o $@

$(B)/selftests/bpf/%.skel.h: $(B)/selftests/bpf/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@.tmp
	mv $@.tmp $@

$(B)/selftests/bpf/chaos: selftests/bpf/chaos.c selftests/bpf/chaos.h selftests/bpf/exits.h \
		$(B)/selftests/bpf/chaos.skel.h $(B)/selftests/bpf/exits.skel.h
	$(CC) $(TOOLS_CFLAGS) -I$(B)/selftests/bpf $< $(TOOLS_LIBS) -o $@

-include $(POLICIES:.o=.d) $(TEST_POLICIES:.o=.d)

policies: $(POLICIES)
policy-tests: $(TEST_POLICIES) $(B)/selftests/bpf/vmsh $(B)/selftests/bpf/attach-loop \
	$(B)/selftests/bpf/chaos
.PHONY: policies policy-tests
