/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM whose vCPUs go through lists of pages and tell what they find there. The guest is a few
 * instructions; what it is to touch, and in which order, is the test's decision.
 */
#ifndef PAGE_GUEST_H
#define PAGE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "random.h"
#include "testvm.h"

#define CODE_GPA	PAGE
#define VCPUS		3
#define LIST_WORDS	4096u
#define LISTS_GPA	(CODE_GPA + PAGE)
#define LISTS_END	(LISTS_GPA + VCPUS * 2 * LIST_WORDS * sizeof(uint32_t))

/* Pages whose attributes change are counted from here. */
#define AREA_GPA	(32ull << 20)
#define AREA_PAGES	16384u

/* A page's first word is its address and one of these. */
#define SHARED_TAG	1
#define PRIVATE_TAG	2
/* What the guest is said to have read where there is no memory. */
#define ABSENT		0xffffffff

#define EXIT_PORT	0x10

enum { CONTROL_SLOT, WORK_SLOT, PLAIN_SLOT };
enum guest_exit { GUEST_DONE, GUEST_FAULTED, GUEST_CALLS };

struct vcpu {
	int fd, stats_fd;
	struct kvm_run *run;
	uint32_t lists_gpa;
	uint32_t *list;			/* addresses that the guest goes through */
	uint32_t *found;		/* and what it read there */
	uint64_t random;
	unsigned long touched, faults, wrong;
};

/* The one VM that there is at a time. */
struct page_vm {
	int fd, stats_fd;
	int vcpus_created;
	struct vcpu vcpus[VCPUS];
	bool private[AREA_PAGES];	/* as it should be */
};

extern struct page_vm vm;

/* What the guest can do; the first two take the vCPU's list. */
extern const char guest_read[], guest_write[], guest_hypercall[]
	__attribute__((visibility("hidden")));

uint64_t page_gpa(uint64_t page);
/* As set_memslot() of the one VM. */
void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd);
/* Of software-protected VMs, which have private memory. */
void create_vm(int vcpus);
/* Of the default type, without private memory. */
void create_plain_vm(int vcpus);
/* Its memory stays mapped. */
void destroy_vm(void);
/* By KVM's statistics; those of vCPUs are added up. */
unsigned long long vm_stat(const char *name);
bool has_vm_stat(const char *name);

/* 0 or an errno; pages count from the area's first, and may go on past its end. */
int try_set(int fd, uint64_t first, uint64_t end, bool private);
/* As above, must succeed, in the area only, whose state vm.private keeps. */
void set(uint64_t first, uint64_t end, bool private);

void start_guest(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
enum guest_exit run_guest(struct vcpu *vcpu);
/* The guest goes through its list, around private pages that have no memory. */
void run_list(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
/* What the guest itself needs, its code and lists, is mapped. */
void warm_up(struct vcpu *vcpu);

void write_shared_words(uint8_t *memory, uint64_t first, uint64_t pages);

/* Is @word what a guest is to find in a page of the area? */
typedef bool (*page_check)(uint32_t gpa, uint32_t word, bool private);
/* Without guest_memfd. */
bool is_word_or_absent(uint32_t gpa, uint32_t word, bool private);
/* With guest_memfd, both pages have got their words. */
bool is_own_word(uint32_t gpa, uint32_t word, bool private);

/* The guest reads the pages of its list, or all from @first on. */
bool list_is_right(struct vcpu *vcpu, unsigned int count, page_check is_right);
bool pages_are_right(struct vcpu *vcpu, uint64_t first, uint64_t pages, page_check is_right);

#endif
