# SPDX-License-Identifier: GPL-2.0
# The parsers of the tools under sanitizers, with inputs that are wrong. Included by the top Makefile after
# selftests/store/store.mk, whose SANITIZE it uses.

FUZZ := $(TESTS)/fuzz
FUZZ_RUNS ?= 1000000
FUZZ_SEED ?= 1

# The tools' own sources, compiled once more: all that the tools share without a screen, and files with parsers.
FUZZ_SOURCES := $(patsubst $(B)/%.o,%.c,$(TOOLS_COMMON) $(TOOLS_ENGINE)) \
	$(addprefix tools/memattr-policy/,params.c policy.c why_holders.c) \
	$(addprefix tools/prefault-trace/,columns.c details.c figures.c kinds.c symbols.c use.c) \
	$(wildcard selftests/fuzz/*.c) selftests/lib/tap.c
FUZZ_OBJS := $(patsubst %.c,$(FUZZ)/obj/%.o,$(FUZZ_SOURCES))
FUZZ_CFLAGS := -O1 $(SANITIZE) -fno-omit-frame-pointer -Wno-format-truncation -I$(B)/tools/common \
	-Itools/memattr-policy -Itools/prefault-trace -Iselftests/lib

$(FUZZ_OBJS): $(FUZZ)/obj/%.o: %.c $(B)/tools.flags
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(FUZZ)/obj/tools/common/vm_files.o: $(B)/tools/common/vm_files.skel.h

$(FUZZ)/fuzz: $(FUZZ_OBJS)
	$(CC) $(TOOLS_CFLAGS) $(FUZZ_CFLAGS) $(LDFLAGS) -Wl,--wrap=fopen,--wrap=readlinkat $^ $(TOOLS_LIBS) $(TOOLS_ENGINE_LIBS) -o $@

-include $(FUZZ_OBJS:.o=.d)

.PHONY: fuzz-tests fuzz
fuzz-tests: $(FUZZ)/fuzz $(TESTS)/policy/fault.bpf.o

fuzz: fuzz-tests ## feed every parser of the tools with a million wrong inputs (FUZZ_RUNS=, FUZZ_SEED=)
	@$(FUZZ)/fuzz $(FUZZ_SEED) $(FUZZ_RUNS)
