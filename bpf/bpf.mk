# SPDX-License-Identifier: GPL-2.0
# BPF objects and skeletons, whoever they are for; policies, into $(B)/bpf, and what only their tests
# use, into $(B)/selftests/bpf. Included by the top Makefile after tools/tools.mk.

# clang has no default for where asm/types.h is when the target is BPF.
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf/include -Itools/common -I$(LIBBPF_DIR)/include \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch)

BPF_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard $(addsuffix /*.bpf.c,bpf bench tools/* selftests/*)))

define compile_bpf
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
endef

$(BPF_OBJS): $(B)/%.bpf.o: %.bpf.c
	$(compile_bpf)

# For tests that write or extract their source.
$(B)/%.bpf.o: $(B)/%.bpf.c
	$(compile_bpf)

$(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst -,_,$(*F))_bpf > $@.tmp
	mv $@.tmp $@

POLICIES := $(filter $(B)/bpf/%,$(BPF_OBJS))
TEST_POLICIES := $(filter $(B)/selftests/bpf/%,$(BPF_OBJS))

$(B)/selftests/bpf/vmsh: selftests/bpf/vmsh.c $(B)/tools/common/kvm_btf.o
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $^ $(TOOLS_LIBS) -o $@

$(B)/selftests/bpf/attach-loop: selftests/bpf/attach-loop.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< $(TOOLS_LIBS) -o $@

$(B)/selftests/bpf/contract: selftests/bpf/contract.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $< $(TOOLS_LIBS) -o $@

$(B)/selftests/bpf/chaos: selftests/bpf/chaos.c selftests/bpf/chaos.h selftests/bpf/exits.h \
		$(B)/selftests/bpf/chaos.skel.h $(B)/selftests/bpf/exits.skel.h \
		$(addprefix $(B)/tools/common/,exit_kinds.o kvm_btf.o)
	$(CC) $(TOOLS_CFLAGS) -I$(B)/selftests/bpf $(filter %.c %.o,$^) $(TOOLS_LIBS) -o $@

-include $(BPF_OBJS:.o=.d)

policies: $(POLICIES)
policy-tests: $(TEST_POLICIES) $(B)/selftests/bpf/vmsh $(B)/selftests/bpf/attach-loop \
	$(B)/selftests/bpf/contract $(B)/selftests/bpf/chaos
.PHONY: policies policy-tests
