# SPDX-License-Identifier: GPL-2.0
# prefault-trace. Included by tools/tools.mk, whose variables and rules it uses.

TRACE_DIR := $(B)/tools/prefault-trace
TRACE_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/prefault-trace/*.c)))

$(TRACE_DIR)/collect.o $(TRACE_DIR)/hooks.o: $(TRACE_DIR)/prefault-trace.skel.h
$(TRACE_OBJS): TOOLS_CFLAGS += -I$(TRACE_DIR)

$(B)/bin/prefault-trace: $(TRACE_OBJS)
