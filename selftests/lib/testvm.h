/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What makes up a VM, by KVM's descriptors: memslots, guest_memfd, vCPUs, attributes, pre-faults.
 * page_guest.h has a whole VM with a guest. A function named try_* returns 0 or an errno; the others
 * end the program if KVM refuses.
 */
#ifndef TESTVM_H
#define TESTVM_H

#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <pthread.h>
#include <stdint.h>

#include "now.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE		0x1000ull
#define BLOCK_PAGES	512u		/* of a hugepage */
#define GIB_PAGES	(1ull << 18)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

/* Ends the program with what failed and errno's text. A program may have a function of its own. */
__attribute__((noreturn)) void failed(const char *what);
/* Returns @ret if it is not negative. */
int check(int ret, const char *what);

pthread_t start_thread(void *(*function)(void *), void *arg);

/* /dev/kvm, which is opened once. */
int kvm_fd(void);
int create_vm_fd(unsigned long type);
/* A software-protected VM, which can have private memory. */
int create_protected_vm_fd(void);

/* As far from a boundary of 1 GiB as the guest's address is, so that hugepages can back it. */
void *map_memory(uint64_t gpa, uint64_t size);
/* All of a file, to be written to, with MAP_SHARED or MAP_PRIVATE. */
void *map_file(int fd, uint64_t size, int flags);
int create_gmem(int vm_fd, uint64_t size);
int try_punch(int gmem_fd, uint64_t offset, uint64_t size);
int try_set_region(int vm_fd, const struct kvm_userspace_memory_region2 *region);
/* A memslot, with guest_memfd from its beginning on unless that is -1. One of size 0 is deleted. */
void set_memslot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd);

/* Returns its descriptor and, unless @run is NULL, its struct kvm_run. */
int create_vcpu_fd(int vm_fd, unsigned int id, struct kvm_run **run);
void destroy_vcpu(int vcpu_fd, struct kvm_run *run);
/* The CPUID that KVM offers to guests, to be freed; and a vCPU gets all of it. */
struct kvm_cpuid2 *supported_cpuid(void);
void set_cpuid(int vcpu_fd);
/* Flat 32-bit protected mode without page tables of the guest's own. */
void set_protected_mode(int vcpu_fd);
/* 64-bit mode with the page tables at @cr3; takes set_cpuid() first. */
void set_long_mode(int vcpu_fd, uint64_t cr3);

/* KVM_SET_MEMORY_ATTRIBUTES has no flags, which it checks. */
int try_set_flagged(int fd, uint64_t gpa, uint64_t size, uint64_t attributes, uint64_t flags);
int try_set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes);
void set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes);

/* One call, after which the range is what is left. */
int try_pre_fault(int vcpu_fd, struct kvm_pre_fault_memory *range);
/* As many calls as it takes. */
int try_pre_fault_all(int vcpu_fd, uint64_t gpa, uint64_t size);

#endif
