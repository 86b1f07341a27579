# SPDX-License-Identifier: GPL-2.0
# memattr-top. Included by tools/tools.mk, whose variables and rules it uses.

TOP_DIR := $(B)/tools/memattr-top
TOP_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/memattr-top/*.c)))

$(TOP_DIR)/collect.o: $(TOP_DIR)/memattr-top.skel.h
$(TOP_DIR)/chain.o $(TOP_DIR)/looks.o: $(TOP_DIR)/chain.skel.h
$(TOP_DIR)/memmap.o $(TOP_DIR)/looks.o: $(TOP_DIR)/memmap.skel.h
$(TOP_OBJS): TOOLS_CFLAGS += -I$(TOP_DIR)

$(B)/bin/memattr-top: $(TOP_OBJS)
