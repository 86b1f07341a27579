/* SPDX-License-Identifier: GPL-2.0 */
/* What the benchmarks share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include "kvm-abi.h"

#define PRIVATE KVM_MEMORY_ATTRIBUTE_PRIVATE

/*
 * ns of CLOCK_MONOTONIC. In a VM that counts instructions instead of time (selftests/vm/run
 * --icount) a ns is an instruction.
 */
uint64_t now_ns(void);

/* The median of @count numbers, which are sorted by that. */
uint64_t median(uint64_t *numbers, int count);

/* A software-protected VM. All that follows ends the program with a message if it fails. */
int create_vm(void);

/* A memslot of the VM, with guest_memfd behind it if @private_bytes is not 0. */
void add_memslot(int vm_fd, int slot, uint64_t gpa, uint64_t bytes, uint64_t private_bytes);

/* KVM_SET_MEMORY_ATTRIBUTES; returns what it took. */
uint64_t set_attributes(int vm_fd, uint64_t gpa, uint64_t bytes, uint64_t attributes);

/* The VM's only vCPU. */
int create_vcpu(int vm_fd);

/*
 * KVM_PRE_FAULT_MEMORY: has the vCPU fault each page of a range, what is mapped stays so; returns
 * what it took.
 */
uint64_t pre_fault(int vcpu_fd, uint64_t gpa, uint64_t bytes);

#endif
