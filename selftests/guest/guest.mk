# SPDX-License-Identifier: GPL-2.0
# The workload VMM, the code its guest runs, and the tests of the ioctl itself.

GUEST := selftests/guest
GUEST_B := $(B)/$(GUEST)

# The guest has no FPU state, no stack protector's data and no C library.
GUEST_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-pic \
	-mcmodel=small -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns

GUEST_OBJS := $(addprefix $(GUEST_B)/,memattr-guest.o vm.o vcpu.o report.o guest-image.o)
GUEST_HEADERS := $(addprefix $(GUEST)/,guest-abi.h kvm-abi.h prefault.h touch.h vmm.h)

.PHONY: guest
guest: $(B)/bin/memattr-guest $(addprefix $(GUEST_B)/,bad-input attributes prefault huge walk)

$(B)/bin/memattr-guest: $(GUEST_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pthread -o $@ $^

$(GUEST_B)/%.o: $(GUEST)/%.c $(GUEST_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -pthread -c -o $@ $<

$(GUEST_B)/guest-image.o: $(GUEST)/guest-image.S $(GUEST_B)/guest.bin
	$(CC) -DGUEST_IMAGE='"$(GUEST_B)/guest.bin"' -c -o $@ $<

$(GUEST_B)/guest.bin: $(GUEST)/guest.c $(GUEST)/guest.ld $(GUEST)/guest-abi.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c -o $(GUEST_B)/guest.o $<
	$(LD) -T $(GUEST)/guest.ld --oformat binary --build-id=none -o $@ $(GUEST_B)/guest.o

$(addprefix $(GUEST_B)/,attributes prefault huge walk): $(GUEST_B)/touch.o

$(GUEST_B)/prefault: $(addprefix $(GUEST_B)/prefault-,contract.o state.o sptes.o slots.o race.o)

$(addprefix $(GUEST_B)/,bad-input attributes prefault huge walk): %: %.o
	$(CC) $(CFLAGS) -pthread -o $@ $^
