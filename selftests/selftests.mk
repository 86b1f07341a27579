# SPDX-License-Identifier: GPL-2.0
# The programs that the tests run, into $(B)/selftests. Included by the top Makefile after the tools
# and the policies, whose variables and objects it uses. The workload VMM and the store have files of
# their own.

TESTS := $(B)/selftests
TESTS_CFLAGS = $(TOOLS_CFLAGS) -pthread -Iselftests/lib -I$(KVM_UAPI)
# The library includes the tools' JSON writer and their view of BTF.
TESTS_LIB := $(TESTS)/lib/libtest.a
TESTS_LINK = $(CC) $(TESTS_CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(TESTS_LIB) $(TOOLS_LIBS)

# <linux/kvm.h> comes from the series: the distribution's may not even know guest_memfd.
KVM_UAPI := $(TESTS)/include
KVM_UAPI_TREE := $(TESTS)/include-tree

$(KVM_UAPI)/linux/kvm.h: $(wildcard kernel-patches/linux-6.12/*.patch)
	@rm -rf $(KVM_UAPI) $(KVM_UAPI_TREE)
	@mkdir -p $(KVM_UAPI)/linux $(KVM_UAPI)/asm $(KVM_UAPI_TREE)
	@$(K) files $(KVM_UAPI_TREE) include/uapi/linux/kvm.h include/uapi/linux/bits.h arch/x86/include/uapi/asm/kvm.h
	@cp $(KVM_UAPI_TREE)/arch/x86/include/uapi/asm/kvm.h $(KVM_UAPI)/asm
	@cp $(KVM_UAPI_TREE)/include/uapi/linux/bits.h $(KVM_UAPI)/linux
	@sed '/linux\/compiler.h/d; s/__user //' $(KVM_UAPI_TREE)/include/uapi/linux/kvm.h >$@

$(TESTS)/%.o: selftests/%.c $(B)/tools.flags | $(KVM_UAPI)/linux/kvm.h
	@mkdir -p $(@D)
	$(CC) $(TESTS_CFLAGS) -MMD -MP -c $< -o $@

$(TESTS_LIB): $(patsubst %.c,$(B)/%.o,$(wildcard selftests/lib/*.c)) \
		$(addprefix $(B)/tools/common/,exit_kinds.o json.o kvm_btf.o kvm_core.o)
	@rm -f $@
	$(AR) rcs $@ $^

# --- KVM's ioctls ---
KVM_TESTS := $(addprefix $(TESTS)/,attributes/attributes attributes/bad-input bystanders/bystanders \
	identity/held identity/identity inplace/inplace prefault/prefault private-linux/private-linux)

$(TESTS)/bystanders/bystanders: $(addprefix $(TESTS)/bystanders/,attributes.o gmem.o)
$(TESTS)/inplace/inplace: $(addprefix $(TESTS)/inplace/,main.o access.o backings.o conversions.o counts.o data.o failslab.o \
	file.o fuse.o held.o huge.o huge_fail.o huge_fragmented.o life.o poison.o uapi.o zaps.o)
$(TESTS)/prefault/prefault: $(addprefix $(TESTS)/prefault/,main.o contract.o high.o race.o slots.o sptes.o state.o)
$(TESTS)/private-linux/private-linux: $(addprefix $(TESTS)/private-linux/,boot.o conversions.o uart.o unread.o vcpu.o)
$(TESTS)/attributes/attributes $(TESTS)/attributes/bad-input: $(TESTS)/attributes/ranges.o
$(TESTS)/attributes/attributes: $(TESTS)/attributes/listing.o
$(KVM_TESTS): %: %.o $(TESTS_LIB)
	$(TESTS_LINK) -o $@

# --- BPF ---
TEST_BPF_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard selftests/*/*.bpf.c))
$(TEST_BPF_OBJS): $(B)/%.bpf.o: %.bpf.c
	$(compile_bpf)

# For tests that write or extract their source.
$(B)/%.bpf.o: $(B)/%.bpf.c
	$(compile_bpf)

-include $(TEST_BPF_OBJS:.o=.d)

# --- policies ---
TEST_POLICIES := $(filter $(TESTS)/policy/%,$(TEST_BPF_OBJS))
POLICY_TESTS := $(addprefix $(TESTS)/policy/,chaos contract hostsh huge parts vmsh walk)

$(TESTS)/policy/chaos.o: $(TESTS)/policy/chaos.skel.h $(TESTS)/policy/exits.skel.h
$(TESTS)/policy/parts.o: $(TESTS)/policy/parts.skel.h
$(TESTS)/policy/chaos.o $(TESTS)/policy/parts.o: TESTS_CFLAGS += -I$(TESTS)/policy
$(POLICY_TESTS): %: %.o $(TESTS_LIB)
	$(TESTS_LINK) -o $@

STOP_UPDATE := $(TESTS)/policy/stop-update.so
$(STOP_UPDATE): selftests/policy/stop-update.c $(B)/tools.flags
	@mkdir -p $(@D)
	$(CC) $(TESTS_CFLAGS) $(LDFLAGS) -fPIC -shared $< -o $@

# --- tools ---
TOOL_TESTS := $(addprefix $(TESTS)/tools/,diag-unit dump engine-unit hooks-unit list-vms many-vms map-unit metrics-unit prefault-vmm \
	probe record-size screen-unit top-unit trace-unit types-unit vm-unit)

# A real guest's whole root.
$(TESTS)/tools/linux/init: selftests/tools/linux-init.c
	@mkdir -p $(@D)
	$(CC) $(TESTS_CFLAGS) $(LDFLAGS) -static $< -o $@
$(TESTS)/tools/linux.cpio: $(TESTS)/tools/linux/init
	cd $(<D) && echo init | cpio -o -H newc --quiet >$(abspath $@)

$(TESTS)/tools/dump.o: $(TESTS)/tools/dump.skel.h
$(TESTS)/tools/dump.o: TESTS_CFLAGS += -I$(TESTS)/tools
$(addprefix $(TESTS)/tools/,engine-unit.o map-unit.o record-size.o top-unit.o): TESTS_CFLAGS += -Itools/memattr-top
$(TESTS)/tools/hooks-unit.o $(TESTS)/tools/trace-unit.o: TESTS_CFLAGS += -Itools/prefault-trace
# What memattr-top makes of snapshots, without a kernel.
TOP_VIEWS := $(addprefix tools/memattr-top/,chain_columns.c chain_lists.c chain_ranges.c columns.c exit_names.c memmap_draw.c \
	memmap_columns.c memmap_lists.c memmap_ranges.c memmap_view.c parts.c) tools/common/screen.c
TOP_UNIT_TESTS := $(addprefix $(TESTS)/tools/,engine-unit map-unit record-size top-unit)
$(TOP_UNIT_TESTS): $(TOP_VIEWS:%.c=$(B)/%.o)
$(TOP_UNIT_TESTS): TOOLS_LIBS += -lncursesw -ltinfo
$(TESTS)/tools/trace-unit: $(addprefix $(B)/tools/prefault-trace/,columns.o details.o figures.o kinds.o use.o)
$(TESTS)/tools/hooks-unit: $(B)/tools/prefault-trace/symbols.o
$(TESTS)/tools/top-unit: $(B)/tools/memattr-top/own_cost.o
$(TESTS)/tools/top-unit $(TESTS)/tools/trace-unit: $(TESTS)/tools/unit-rows.o
UNIT_TESTS := $(addprefix $(TESTS)/tools/,diag-unit engine-unit hooks-unit map-unit metrics-unit top-unit trace-unit types-unit vm-unit)
$(UNIT_TESTS) $(addprefix $(TESTS)/tools/,list-vms probe record-size): $(TOOLS_COMMON)
$(UNIT_TESTS): TOOLS_LIBS += -lcmocka
ENGINE_TESTS := $(addprefix $(TESTS)/tools/,engine-unit metrics-unit record-size top-unit trace-unit)
$(ENGINE_TESTS): $(TOOLS_ENGINE)
$(ENGINE_TESTS): TOOLS_LIBS += $(TOOLS_ENGINE_LIBS)
$(TESTS)/tools/screen-unit: $(addprefix $(B)/tools/common/,screen.o text.o)
$(TESTS)/tools/screen-unit: TOOLS_LIBS += -lncursesw -ltinfo
$(TOOL_TESTS): %: %.o $(TESTS_LIB)
	$(TESTS_LINK) -o $@

-include $(wildcard $(TESTS)/*/*.d)

.PHONY: kvm-tests policy-tests tool-tests
kvm-tests: $(KVM_TESTS)
policy-tests: $(TEST_POLICIES) $(POLICY_TESTS) $(STOP_UPDATE)
tool-tests: $(TOOL_TESTS) $(TESTS)/tools/linux.cpio
