# SPDX-License-Identifier: GPL-2.0
# memattr-top. Included by tools/tools.mk, whose variables and rules it uses.

TOP_DIR := $(B)/tools/memattr-top
TOP_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard tools/memattr-top/*.c)))

$(addprefix $(TOP_DIR)/,collect.o chain.o): $(TOP_DIR)/memattr-top.skel.h
$(TOP_DIR)/exit_names.o: $(TOP_DIR)/user_exits.h
$(TOP_DIR)/memmap.o $(TOP_DIR)/looks.o: $(TOP_DIR)/memmap.skel.h
$(TOP_OBJS): TOOLS_CFLAGS += -I$(TOP_DIR)

# KVM_EXIT_* count up from KVM_EXIT_UNKNOWN; those that do not are about something else.
$(TOP_DIR)/user_exits.h:
	@mkdir -p $(@D)
	echo '#include <linux/kvm.h>' | $(CC) -E -dD - | awk '$$2 == "KVM_EXIT_UNKNOWN" { begun = 1 } \
		begun && sub(/^KVM_EXIT_/, "", $$2) { if ($$3 != at) exit; \
		printf "\t[%d] = \"user:%s\",\n", at++, tolower($$2) }' >$@.tmp
	grep -q hypercall $@.tmp && mv $@.tmp $@

$(B)/bin/memattr-top: $(TOP_OBJS)
