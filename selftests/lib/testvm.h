/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of a VM, by KVM's descriptors: memslots, guest_memfd, vCPUs, attributes, pre-faults.
 * page_guest.h builds a whole VM with a guest from them. A function named try_* returns 0 or an
 * errno; the others end the program if KVM refuses.
 */
#ifndef TESTVM_H
#define TESTVM_H

#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "now.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE		0x1000ull
#define BLOCK_PAGES	512u		/* of a hugepage */
#define GIB_PAGES	(1ull << 18)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

/* Ends the program and prints @what and errno's text. A program may define its own instead. */
__attribute__((noreturn)) void failed(const char *what);
/* Returns @ret if it is not negative. */
int check(int ret, const char *what);

pthread_t start_thread(void *(*function)(void *), void *arg);

/* /dev/kvm; the first call opens it. */
int kvm_fd(void);
int create_vm_fd(unsigned long type);
/* A software-protected VM, which can have private memory. */
int create_protected_vm_fd(void);

/* Maps memory at the same offset from a 1 GiB boundary as @gpa, so that hugepages can back it. */
void *map_memory(uint64_t gpa, uint64_t size);
/* Maps a file from its beginning on, writable; @flags are those of mmap(). */
void *map_file(int fd, uint64_t size, int flags);
int create_gmem(int vm_fd, uint64_t size);
/* With GUEST_MEMFD_FLAG_*. Returns the descriptor, or an errno as a negative number. */
int try_create_gmem(int vm_fd, uint64_t size, uint64_t flags);
/* Whether kvm.gmem_in_place_conversion is on. */
bool converts_in_place(void);
/* How many pages the file has, or an errno as a negative number: Linux before 6.5 does not tell. */
int64_t gmem_pages(int gmem_fd);
int try_punch(int gmem_fd, uint64_t offset, uint64_t size);
int try_set_region(int vm_fd, const struct kvm_userspace_memory_region2 *region);
/* Uses @gmem_fd from offset 0 on unless it is -1. A size of 0 deletes the memslot. */
void set_memslot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd);
/* Uses the file from @offset on; several memslots can share it. */
int try_set_gmem_slot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd,
		      uint64_t offset);

/* Returns the descriptor; maps struct kvm_run unless @run is NULL. */
int create_vcpu_fd(int vm_fd, unsigned int id, struct kvm_run **run);
void destroy_vcpu(int vcpu_fd, struct kvm_run *run);
/* The CPUID that KVM offers to guests; the caller frees it. set_cpuid() gives a vCPU all of it. */
struct kvm_cpuid2 *supported_cpuid(void);
void set_cpuid(int vcpu_fd);
/* Sets up flat 32-bit protected mode without paging. */
void set_protected_mode(int vcpu_fd);
/* Sets up 64-bit mode with the page tables at @cr3. KVM refuses it before set_cpuid(). */
void set_long_mode(int vcpu_fd, uint64_t cr3);

/* KVM_SET_MEMORY_ATTRIBUTES; it defines no flags, and checks that none is set. */
int try_set_flagged(int fd, uint64_t gpa, uint64_t size, uint64_t attributes, uint64_t flags);
int try_set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes);
void set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes);

/*
 * KVM_SET_MEMORY_ATTRIBUTES2 on a guest_memfd. @error_offset is what KVM has left there; it is not
 * written if that is nothing, and may be NULL.
 */
int try_convert(int gmem_fd, uint64_t offset, uint64_t size, uint64_t attributes, uint64_t *error_offset);

/* Makes one call, which moves the beginning of the range past what is done. */
int try_pre_fault(int vcpu_fd, struct kvm_pre_fault_memory *range);
/* Calls until nothing is left. */
int try_pre_fault_all(int vcpu_fd, uint64_t gpa, uint64_t size);

#endif
