# SPDX-License-Identifier: GPL-2.0
# memattr-top. Included by tools/tools.mk, whose variables and rules it uses.

TOP_DIR := $(B)/tools/memattr-top
TOP_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/memattr-top/*.c)))

# clang has no default for where asm/types.h is when the target is BPF.
$(TOP_DIR)/memattr-top.bpf.o: tools/memattr-top/memattr-top.bpf.c
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
		-Itools/common -I$(LIBBPF_DIR)/include \
		-idirafter /usr/include/$(shell $(CC) -print-multiarch) -MMD -MP -c $< -o $@

$(TOP_DIR)/memattr-top.skel.h: $(TOP_DIR)/memattr-top.bpf.o
	$(BPFTOOL) gen skeleton $< name memattr_top_bpf > $@.tmp
	mv $@.tmp $@

$(TOP_DIR)/collect.o: $(TOP_DIR)/memattr-top.skel.h
$(TOP_OBJS): TOOLS_CFLAGS += -I$(TOP_DIR)

$(B)/bin/memattr-top: $(TOP_OBJS) $(TOOLS_COMMON) $(TOOLS_SCREEN)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $^ $(TOOLS_LIBS) -lncursesw -ltinfo -o $@

tools: $(B)/bin/memattr-top

$(B)/selftests/top/top-unit: selftests/top/top-unit.c $(TOP_DIR)/rows.o $(B)/tools/common/format.o
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -Itools/memattr-top $^ -lcmocka -o $@

$(B)/selftests/top/many-vms: selftests/top/many-vms.c selftests/guest/kvm-abi.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror $< -o $@

# What selftests/40-top.t needs.
top-tests: $(B)/bin/memattr-top $(B)/selftests/top/top-unit $(B)/selftests/top/many-vms
.PHONY: top-tests
