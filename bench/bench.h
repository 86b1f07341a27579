/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures in ns of CLOCK_MONOTONIC. In a VM that counts instructions instead of time
 * (selftests/vm/run --icount) a ns is an instruction. selftests/lib builds the VMs.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Returns the median; sorts the numbers. */
uint64_t median(uint64_t *numbers, int count);

/* Adds a memslot, with guest_memfd unless @private_bytes is 0. */
void add_memslot(int vm_fd, int slot, uint64_t gpa, uint64_t bytes, uint64_t private_bytes);

/* Returns how long KVM_SET_MEMORY_ATTRIBUTES takes. */
uint64_t set_attributes_ns(int vm_fd, uint64_t gpa, uint64_t bytes, uint64_t attributes);
/* Returns how long KVM_PRE_FAULT_MEMORY takes for the whole range. */
uint64_t pre_fault_ns(int vcpu_fd, uint64_t gpa, uint64_t bytes);

#endif
