# SPDX-License-Identifier: GPL-2.0
# The store of attributes, from the series' own source, in user space. Included by the top Makefile.

STORE := selftests/store
STORE_B := $(B)/$(STORE)
STORE_SRC := $(STORE_B)/linux

# Of the kernel tree: the store, the xarray below it, and headers that make them build here.
STORE_FILES := virt/kvm/attr_map.c include/linux/kvm_attr_map.h lib/xarray.c lib/radix-tree.h include/linux/xarray.h \
	lib/maple_tree.c include/linux/maple_tree.h include/linux/kconfig.h include/linux/gfp_types.h \
	include/linux/radix-tree.h tools/include tools/arch/x86/include tools/lib tools/testing/shared

STORE_SOURCES = $(STORE)/mem.c $(addprefix $(STORE_SRC)/,virt/kvm/attr_map.c lib/xarray.c \
	tools/lib/find_bit.c tools/lib/bitmap.c tools/lib/hweight.c tools/lib/vsprintf.c)
STORE_CFLAGS := -g -O1 -Wall -D_LGPL_SOURCE -DXA_DEBUG -include $(STORE)/shim.h -I$(STORE) \
	-I$(STORE_B)/include -I$(STORE_SRC)/tools/testing/shared -I$(STORE_SRC)/tools/include -I$(STORE_SRC)/lib
STORE_LIBS := -lurcu -lpthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

# Nodes of 64 slots as in the kernel, and of 8: more levels with fewer pages.
STORE_SHIFTS := 6 3

$(STORE_SRC): $(wildcard kernel-patches/linux-6.12/*.patch) $(STORE)/store.mk
	@rm -rf $@ $@.new
	@mkdir -p $@.new
	@$(K) files $@.new $(STORE_FILES)
	@mkdir -p $(STORE_B)/include/linux
	@cp $@.new/include/linux/kvm_attr_map.h $(STORE_B)/include/linux/
	@: >$(STORE_B)/include/linux/sched.h
	@mv $@.new $@
	@touch $@

define store_with_shift
$(STORE_B)/include-$(1): $(STORE_SRC)
	@mkdir -p $$@/generated
	@echo "#define XA_CHUNK_SHIFT $(1)" >$$@/generated/map-shift.h
	@printf '#define CONFIG_%s 1\n' 64BIT XARRAY_MULTI >$$@/generated/autoconf.h
	@touch $$@

$(STORE_B)/%-$(1): $(STORE)/%.c $(STORE)/mem.c $(STORE)/mem.h $(STORE)/shim.h $(STORE_SRC) $(STORE_B)/include-$(1)
	$(CC) $(STORE_CFLAGS) -I$(STORE_B)/include-$(1) $(SANITIZE) $$< $(STORE_SOURCES) $(STORE_LIBS) -o $$@
endef
$(foreach s,$(STORE_SHIFTS),$(eval $(call store_with_shift,$(s))))

$(STORE_B)/store-fuzz: $(STORE)/store-test.c $(STORE)/mem.c $(STORE)/mem.h $(STORE)/shim.h $(STORE_SRC) $(STORE_B)/include-3
	$(CLANG) $(STORE_CFLAGS) -I$(STORE_B)/include-3 -DFUZZ $(SANITIZE) -fsanitize=fuzzer $< $(STORE_SOURCES) $(STORE_LIBS) -o $@

.PHONY: store-tests
store-tests: $(foreach s,$(STORE_SHIFTS),$(STORE_B)/store-test-$(s) $(STORE_B)/store-rcu-$(s)) $(STORE_B)/store-fuzz
