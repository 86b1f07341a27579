/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM whose vCPUs go through lists of pages and tell what they find there. The guest is a few
 * instructions; what it is to touch, and in which order, is the test's decision.
 */
#ifndef TESTVM_H
#define TESTVM_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm-abi.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE		0x1000ull
#define BLOCK_PAGES	512u		/* of a hugepage */
#define GIB_PAGES	(1ull << 18)

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

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
#define EXIT_PORT	0x10

enum { CONTROL_SLOT, WORK_SLOT, PLAIN_SLOT };
enum guest_exit { GUEST_DONE, GUEST_FAULTED, GUEST_CALLS };

struct vcpu {
	int fd;
	struct kvm_run *run;
	uint32_t lists_gpa;
	uint32_t *list;			/* addresses that the guest goes through */
	uint32_t *found;		/* and what it read there */
	uint64_t random;
	unsigned long touched, faults, wrong;
};

/* The one VM that there is at a time. */
struct test_vm {
	int fd;
	int vcpus_created;
	struct vcpu vcpus[VCPUS];
	bool private[AREA_PAGES];	/* as it should be */
};

extern struct test_vm vm;

/* What the guest can do; the first two take the vCPU's list. */
extern const char guest_read[], guest_write[], guest_hypercall[]
	__attribute__((visibility("hidden")));

/* Ends the program with TAP's "Bail out!" and errno's text. */
__attribute__((format(printf, 1, 2), noreturn)) void bail_out(const char *fmt, ...);
/* Bails out if @ret is negative, else returns it. */
int check(int ret, const char *what);

/* A line of TAP. */
__attribute__((format(printf, 2, 3))) void ok(bool good, const char *fmt, ...);
/* A comment on what is wrong. Returns false, to be returned. */
__attribute__((format(printf, 1, 2))) bool complain(const char *fmt, ...);
/* The plan. Returns the program's exit status. */
int finish_tests(void);

/* xorshift64: the same numbers everywhere. */
uint64_t next_random(uint64_t *state);
uint64_t seed_random(uint64_t seed);

uint64_t page_gpa(uint64_t page);
/* As far from a boundary of a hugepage as the guest's address is, so that one can back it. */
uint8_t *map_memory(uint64_t gpa, uint64_t size);
/* A slot of size 0 is deleted. */
void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd);
int create_gmem(uint64_t size);
/* A VM without anything, that is not the one VM. */
int create_vm_fd(unsigned long type);
/* Of software-protected VMs, which have private memory. */
void create_vm(int vcpus);
/* Of the default type, without private memory. */
void create_plain_vm(int vcpus);
/* Its memory stays mapped. */
void destroy_vm(void);
/* From debugfs; those of vCPUs are added up. */
unsigned long long vm_stat(const char *name);

/* KVM_SET_MEMORY_ATTRIBUTES for pages of the area, which may go on behind it. */
int try_set(int fd, uint64_t first, uint64_t end, bool private);
/* As above, must succeed, in the area only, whose state vm.private keeps. */
void set(uint64_t first, uint64_t end, bool private);

void start_guest(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
enum guest_exit run_guest(struct vcpu *vcpu);
/* The guest goes through its list, around private pages that have no memory. */
void run_list(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);

void write_shared_words(uint8_t *memory, uint64_t first, uint64_t pages);

/* Is @word what a guest is to find in a page of the area? */
typedef bool (*page_check)(uint32_t gpa, uint32_t word, bool private);
/* With guest_memfd, both pages have got their words. */
bool is_own_word(uint32_t gpa, uint32_t word, bool private);

/* The guest reads the pages of its list, or all from @first on. */
bool list_is_right(struct vcpu *vcpu, unsigned int count, page_check is_right);
bool pages_are_right(struct vcpu *vcpu, uint64_t first, uint64_t pages, page_check is_right);

#endif
