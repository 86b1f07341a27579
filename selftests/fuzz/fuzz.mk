# SPDX-License-Identifier: GPL-2.0
# The parsers of the tools, and of memattr-guest, under sanitizers, with inputs that are wrong. Included by the top Makefile after
# selftests/store/store.mk, whose SANITIZE it uses.

FUZZ := $(TESTS)/fuzz
FUZZ_RUNS ?= 1000000
FUZZ_SEED ?= 1

# The tools' own sources, compiled once more: all that the tools share without a screen, and files with parsers.
FUZZ_COMMON := $(patsubst $(B)/%.o,%.c,$(TOOLS_COMMON) $(TOOLS_ENGINE)) $(addprefix selftests/fuzz/,files.c fuzz.c mutate.c records.c) \
	selftests/lib/tap.c
FUZZ_SOURCES := $(FUZZ_COMMON) $(addprefix selftests/fuzz/,parsers.c trace.c) \
	$(addprefix tools/memattr-policy/,boot_rules.c params.c policy.c why_holders.c) \
	$(addprefix tools/prefault-trace/,columns.c details.c figures.c kinds.c symbols.c use.c) selftests/guest/recording.c
# memattr-top has other columns.
FUZZ_TOP_SOURCES := $(FUZZ_COMMON) selftests/fuzz/top.c tools/memattr-top/metrics.c $(TOP_VIEWS)

FUZZ_OBJS := $(patsubst %.c,$(FUZZ)/obj/%.o,$(FUZZ_SOURCES))
FUZZ_TOP_OBJS := $(patsubst %.c,$(FUZZ)/obj/%.o,$(FUZZ_TOP_SOURCES))
FUZZ_CFLAGS = -O1 $(SANITIZE) -fno-omit-frame-pointer -Wno-format-truncation -I$(B)/tools/common \
	-Itools/memattr-policy -Itools/$(FUZZ_TOOL) -I$(B)/tools/$(FUZZ_TOOL) -Iselftests/lib -Iselftests/guest
FUZZ_TOOL := prefault-trace
$(FUZZ)/obj/selftests/fuzz/top.o $(FUZZ)/obj/tools/memattr-top/%.o: FUZZ_TOOL := memattr-top

$(sort $(FUZZ_OBJS) $(FUZZ_TOP_OBJS)): $(FUZZ)/obj/%.o: %.c $(B)/tools.flags
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(FUZZ)/obj/tools/common/vm_files.o: $(B)/tools/common/vm_files.skel.h
$(FUZZ)/obj/tools/memattr-top/exit_names.o: $(B)/tools/memattr-top/user_exits.h

$(FUZZ)/fuzz: $(FUZZ_OBJS)
$(FUZZ)/fuzz-top: $(FUZZ_TOP_OBJS)
$(FUZZ)/fuzz-top: TOOLS_LIBS += -lncursesw -ltinfo
$(FUZZ)/fuzz $(FUZZ)/fuzz-top:
	$(CC) $(TOOLS_CFLAGS) $(FUZZ_CFLAGS) $(LDFLAGS) -Wl,--wrap=fopen,--wrap=readlinkat $^ $(TOOLS_LIBS) \
		$(TOOLS_ENGINE_LIBS) -o $@

-include $(FUZZ_OBJS:.o=.d) $(FUZZ_TOP_OBJS:.o=.d)

.PHONY: fuzz-tests fuzz
fuzz-tests: $(FUZZ)/fuzz $(FUZZ)/fuzz-top $(TESTS)/policy/fault.bpf.o

fuzz: fuzz-tests ## feed every parser of the tools with a million wrong inputs (FUZZ_RUNS=, FUZZ_SEED=)
	@$(FUZZ)/fuzz $(FUZZ_SEED) $(FUZZ_RUNS)
	@$(FUZZ)/fuzz-top $(FUZZ_SEED) $(FUZZ_RUNS)
