# SPDX-License-Identifier: GPL-2.0
# prefault-trace. Included by tools/tools.mk, whose variables and rules it uses.

TRACE_DIR := $(B)/tools/prefault-trace
TRACE_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/prefault-trace/*.c)))

# clang has no default for where asm/types.h is when the target is BPF.
$(TRACE_DIR)/prefault-trace.bpf.o: tools/prefault-trace/prefault-trace.bpf.c
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
		-Itools/common -I$(LIBBPF_DIR)/include \
		-idirafter /usr/include/$(shell $(CC) -print-multiarch) -MMD -MP -c $< -o $@

$(TRACE_DIR)/prefault-trace.skel.h: $(TRACE_DIR)/prefault-trace.bpf.o
	$(BPFTOOL) gen skeleton $< name prefault_trace_bpf > $@.tmp
	mv $@.tmp $@

$(TRACE_DIR)/collect.o: $(TRACE_DIR)/prefault-trace.skel.h
$(TRACE_OBJS): TOOLS_CFLAGS += -I$(TRACE_DIR)

$(B)/bin/prefault-trace: $(TRACE_OBJS) $(TOOLS_COMMON)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $^ $(TOOLS_LIBS) -lncursesw -ltinfo -o $@

tools: $(B)/bin/prefault-trace
