# SPDX-License-Identifier: GPL-2.0
# The tools, into $(B)/bin. Included by the top Makefile.

PREFIX ?= /usr/local
# Where policies are installed, and where memattr-policy looks for a bare name.
POLICY_DIR ?= $(PREFIX)/lib/memattr
MEMATTR_VERSION ?= 0.1

# The same sources give the same programs wherever they lie.
TOOLS_CFLAGS := $(CPPFLAGS) $(CFLAGS) -ffile-prefix-map=$(CURDIR)=. -std=gnu11 -Wall -Wextra -Werror -Itools/common -I$(LIBBPF_DIR)/include \
	-DPOLICY_DIR='"$(POLICY_DIR)"' -DMEMATTR_VERSION='"$(MEMATTR_VERSION)"'
TOOLS_LIBS := $(LIBBPF_DIR)/lib/libbpf.a -lelf -lz
# What shows and exports figures, which memattr-policy has none of.
TOOLS_ENGINE := $(addprefix $(B)/tools/common/,args.o batch.o csv.o export.o json_view.o listen.o source.o)
TOOLS_ENGINE_LIBS := -lmicrohttpd
TOOLS_SCREEN := $(addprefix $(B)/tools/common/,basis.o live.o live_draw.o live_help.o live_keys.o screen.o table.o tool.o view.o)
TOOLS_COMMON := $(filter-out $(TOOLS_ENGINE) $(TOOLS_SCREEN),$(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/common/*.c))))

# A program with another PREFIX or other flags is another program. "make install PREFIX=/usr" must not install one
# that looks for its policies below /usr/local.
TOOLS_FLAGS := $(TOOLS_CFLAGS) $(LDFLAGS)
$(B)/tools.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(TOOLS_FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(TOOLS_FLAGS))' >$@

$(B)/tools/%.o: tools/%.c $(B)/tools.flags
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -MMD -MP -c $< -o $@

$(B)/tools/common/vm_files.o: $(B)/tools/common/vm_files.skel.h
$(B)/tools/common/vm_files.o: TOOLS_CFLAGS += -I$(B)/tools/common

# The two with a screen.
$(B)/bin/memattr-top $(B)/bin/prefault-trace: $(TOOLS_COMMON) $(TOOLS_ENGINE) $(TOOLS_SCREEN)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(LDFLAGS) $^ $(TOOLS_LIBS) $(TOOLS_ENGINE_LIBS) -lncursesw -ltinfo -o $@

tools: $(B)/bin/memattr-top $(B)/bin/prefault-trace

-include $(wildcard $(B)/tools/*/*.d)
-include tools/memattr-top/top.mk
-include tools/prefault-trace/trace.mk

MEMATTR_POLICY_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/memattr-policy/*.c)))

$(B)/tools/memattr-policy/why.o: $(B)/tools/memattr-policy/why.skel.h
$(addprefix $(B)/tools/memattr-policy/,audit.o ejections.o): $(B)/tools/memattr-policy/audit.skel.h
$(addprefix $(B)/tools/memattr-policy/,why.o audit.o ejections.o): TOOLS_CFLAGS += -I$(B)/tools/memattr-policy
$(B)/bin/memattr-policy: $(MEMATTR_POLICY_OBJS) $(TOOLS_COMMON)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(LDFLAGS) $^ $(TOOLS_LIBS) -o $@

tools: $(B)/bin/memattr-policy
.PHONY: tools
