# SPDX-License-Identifier: GPL-2.0
# memattr-top. Included by tools/tools.mk, whose variables and rules it uses.

TOP_DIR := $(B)/tools/memattr-top
TOP_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/memattr-top/*.c)))

$(TOP_DIR)/collect.o: $(TOP_DIR)/memattr-top.skel.h
$(TOP_OBJS): TOOLS_CFLAGS += -I$(TOP_DIR)

$(B)/bin/memattr-top: $(TOP_OBJS)

$(B)/selftests/top/top-unit: selftests/top/top-unit.c $(TOP_DIR)/rows.o \
		$(addprefix $(B)/tools/common/,cell.o format.o)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -Itools/memattr-top $^ -lcmocka -o $@

$(B)/selftests/top/many-vms: selftests/top/many-vms.c selftests/guest/kvm-abi.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror $< -o $@

# The programs that selftests/40-top.t needs.
top-tests: $(B)/bin/memattr-top $(B)/selftests/top/top-unit $(B)/selftests/top/many-vms
.PHONY: top-tests
