# SPDX-License-Identifier: GPL-2.0
# prefault-trace. Included by tools/tools.mk, whose variables and rules it uses.

TRACE_DIR := $(B)/tools/prefault-trace
TRACE_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/prefault-trace/*.c)))

$(TRACE_DIR)/collect.o $(TRACE_DIR)/hooks.o: $(TRACE_DIR)/prefault-trace.skel.h
$(TRACE_OBJS): TOOLS_CFLAGS += -I$(TRACE_DIR)

$(B)/bin/prefault-trace: $(TRACE_OBJS)

TRACE_TESTS := $(B)/selftests/prefault

$(TRACE_TESTS)/trace-unit: selftests/prefault/trace-unit.c \
		$(addprefix $(TRACE_DIR)/,rows.o sums.o snapshot.o record.o kinds.o) \
		$(addprefix $(B)/tools/common/,cell.o format.o)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -Itools/prefault-trace $^ -lcmocka -o $@

$(TRACE_TESTS)/prefault-vmm: selftests/prefault/prefault-vmm.c selftests/guest/kvm-abi.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -pthread $< -o $@

$(TRACE_TESTS)/dump.bpf.o: selftests/prefault/dump.bpf.c selftests/prefault/dump.h
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
		-I$(LIBBPF_DIR)/include -idirafter /usr/include/$(shell $(CC) -print-multiarch) -c $< -o $@

$(TRACE_TESTS)/dump.skel.h: $(TRACE_TESTS)/dump.bpf.o
	$(BPFTOOL) gen skeleton $< name dump_bpf > $@.tmp
	mv $@.tmp $@

$(TRACE_TESTS)/dump: selftests/prefault/dump.c $(TRACE_TESTS)/dump.skel.h
	$(CC) $(TOOLS_CFLAGS) -I$(TRACE_TESTS) $< $(TOOLS_LIBS) -o $@

# The programs that selftests/41-prefault-trace.t needs.
trace-tests: $(B)/bin/prefault-trace $(TRACE_TESTS)/trace-unit $(TRACE_TESTS)/prefault-vmm $(TRACE_TESTS)/dump
.PHONY: trace-tests
