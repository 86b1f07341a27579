# SPDX-License-Identifier: GPL-2.0
# The workload VMM, the code its guest runs, and the check of bad input.

G := selftests/guest
GB := $(B)/$(G)

# The guest has no FPU state, no stack protector's data and no C library.
GUEST_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-pic -mcmodel=small \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns

GUEST_OBJS := $(addprefix $(GB)/,memattr-guest.o vm.o vcpu.o report.o guest-image.o)
GUEST_HEADERS := $(addprefix $(G)/,guest-abi.h kvm-abi.h vmm.h)

.PHONY: guest
guest: $(B)/bin/memattr-guest $(GB)/bad-input

$(B)/bin/memattr-guest: $(GUEST_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pthread -o $@ $^

$(GB)/%.o: $(G)/%.c $(GUEST_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -pthread -c -o $@ $<

$(GB)/guest-image.o: $(G)/guest-image.S $(GB)/guest.bin
	$(CC) -DGUEST_IMAGE='"$(GB)/guest.bin"' -c -o $@ $<

$(GB)/guest.bin: $(G)/guest.c $(G)/guest.ld $(G)/guest-abi.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c -o $(GB)/guest.o $<
	$(LD) -T $(G)/guest.ld --oformat binary --build-id=none -o $@ $(GB)/guest.o

$(GB)/bad-input: $(GB)/bad-input.o
	$(CC) $(CFLAGS) -o $@ $^
