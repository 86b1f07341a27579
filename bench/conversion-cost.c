// SPDX-License-Identifier: GPL-2.0
/*
 * What a one-page KVM_SET_MEMORY_ATTRIBUTES costs, in ns of CLOCK_MONOTONIC. In a VM that counts
 * instructions instead of time (selftests/vm/run --icount) a ns is an instruction.
 *
 * usage: conversion-cost [POLICY.bpf.o none|elsewhere|convert|both]
 *
 * "elsewhere" attaches the policy to another VM.
 *
 * Prints two numbers: a page that changes, and a page that is already what is asked for. Each is the
 * median of many batches, as a batch that a timer interrupts counts the interrupt, too.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bench.h"
#include "policy.h"
#include "testvm.h"

#define BATCHES 51
#define OPS_PER_BATCH 64

/* Any page of a memslot that is large enough for huge pages, as a guest's memory is. */
#define SLOT_GPA 0x100000000ull
#define SLOT_BYTES (64ull << 20)
#define PAGE_GPA (SLOT_GPA + 4096)

static void attach(const char *path, const char *callbacks, int vm_fd)
{
	struct bpf_object *object;
	struct bpf_map *policy = open_policy(path, vm_fd, &object);

	if (!strcmp(callbacks, "convert")) {
		struct bpf_program **zap = policy_member(object, policy, "zap");

		bpf_program__set_autoload(*zap, false);
		*zap = NULL;
	}
	if (bpf_object__load(object))
		err(1, "cannot load %s", path);
	if (!bpf_map__attach_struct_ops(policy))
		err(1, "cannot attach %s", path);
}

/* Each operation asks for the attributes at the index of its parity. */
static uint64_t median_ns(int vm_fd, const uint64_t attributes[2])
{
	struct kvm_memory_attributes request = { .address = PAGE_GPA, .size = 4096 };
	uint64_t batch_ns[BATCHES], start;
	int batch, op;

	for (batch = 0; batch < BATCHES; batch++) {
		start = now_ns();
		for (op = 0; op < OPS_PER_BATCH; op++) {
			request.attributes = attributes[op % 2];
			if (ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &request))
				err(1, "KVM_SET_MEMORY_ATTRIBUTES");
		}
		batch_ns[batch] = now_ns() - start;
	}
	return median(batch_ns, BATCHES) / OPS_PER_BATCH;
}

int main(int argc, char **argv)
{
	static const uint64_t toggle[2] = { PRIVATE, 0 };
	static const uint64_t again[2] = { 0, 0 };
	int vm_fd = create_protected_vm_fd();

	add_memslot(vm_fd, 0, SLOT_GPA, SLOT_BYTES, SLOT_BYTES);
	if (argc != 1 && argc != 3)
		errx(2, "usage: conversion-cost [POLICY.bpf.o none|elsewhere|convert|both]");
	if (argc == 3 && strcmp(argv[2], "none"))
		attach(argv[1], argv[2], strcmp(argv[2], "elsewhere") ? vm_fd : create_protected_vm_fd());

	/* Once for what is allocated at the first time and kept. */
	median_ns(vm_fd, toggle);
	printf("%llu", (unsigned long long)median_ns(vm_fd, toggle));
	printf(" %llu\n", (unsigned long long)median_ns(vm_fd, again));
	return 0;
}
