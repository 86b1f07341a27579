# SPDX-License-Identifier: GPL-2.0
# The workload VMM and the code its guest runs. Included by the top Makefile after
# selftests/selftests.mk, whose rules it uses.

GUEST := selftests/guest
GUEST_B := $(B)/$(GUEST)

# The guest has no FPU state, no stack protector's data and no C library.
GUEST_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-pic \
	-mcmodel=small -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns

GUEST_OBJS := $(addprefix $(GUEST_B)/,memattr-guest.o vm.o vcpu.o footprint.o recording.o replay.o report.o guest-image.o)

.PHONY: guest
guest: $(B)/bin/memattr-guest

$(B)/bin/memattr-guest: $(GUEST_OBJS) $(B)/tools/common/stdout.o $(TESTS_LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^

$(GUEST_B)/guest-image.o: $(GUEST)/guest-image.S $(GUEST_B)/guest.bin
	$(CC) -DGUEST_IMAGE='"$(GUEST_B)/guest.bin"' -c -o $@ $<

$(GUEST_B)/guest.bin: $(GUEST)/guest.c $(GUEST)/guest.ld $(GUEST)/guest-abi.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c -o $(GUEST_B)/guest.o $<
	$(LD) -T $(GUEST)/guest.ld --oformat binary --build-id=none -o $@ $(GUEST_B)/guest.o
