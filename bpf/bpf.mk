# SPDX-License-Identifier: GPL-2.0
# The policies, into $(B)/bpf, and the BPF objects and skeletons of the tools. Included by the top
# Makefile after tools/tools.mk.

# clang has no default for where asm/types.h is when the target is BPF.
BPF_CFLAGS := -g -O2 -ffile-prefix-map=$(CURDIR)=. -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf/include -Itools/common -I$(LIBBPF_DIR)/include \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch)

BPF_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard bpf/*.bpf.c tools/*/*.bpf.c))

define compile_bpf
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
endef

$(BPF_OBJS): $(B)/%.bpf.o: %.bpf.c
	$(compile_bpf)

$(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst -,_,$(*F))_bpf > $@.tmp
	mv $@.tmp $@

POLICIES := $(filter $(B)/bpf/%,$(BPF_OBJS))

-include $(BPF_OBJS:.o=.d)

policies: $(POLICIES)
.PHONY: policies
