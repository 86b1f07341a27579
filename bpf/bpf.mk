# SPDX-License-Identifier: GPL-2.0
# Policies, into $(B)/bpf. Included by the top Makefile after tools/tools.mk.

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf/include -I$(LIBBPF_DIR)/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)

POLICIES := $(patsubst %.bpf.c,$(B)/%.bpf.o,$(wildcard bpf/*.bpf.c))

$(POLICIES): $(B)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

-include $(POLICIES:.o=.d)

policies: $(POLICIES)
.PHONY: policies
