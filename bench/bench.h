/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks measure, in ns of CLOCK_MONOTONIC. In a VM that counts instructions instead of
 * time (selftests/vm/run --icount) a ns is an instruction. What comes before and after is in
 * selftests/lib.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* The median of @count numbers, which are sorted by that. */
uint64_t median(uint64_t *numbers, int count);

/* A memslot of the VM, with guest_memfd behind it if @private_bytes is not 0. */
void add_memslot(int vm_fd, int slot, uint64_t gpa, uint64_t bytes, uint64_t private_bytes);

/* What KVM_SET_MEMORY_ATTRIBUTES takes. */
uint64_t set_attributes_ns(int vm_fd, uint64_t gpa, uint64_t bytes, uint64_t attributes);
/* What KVM_PRE_FAULT_MEMORY takes for all of a range, of which what is mapped stays so. */
uint64_t pre_fault_ns(int vcpu_fd, uint64_t gpa, uint64_t bytes);

#endif
