/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM whose vCPUs go through lists of pages and tell what they find there. The guest is a few
 * instructions; the test decides which pages it touches, and in which order.
 */
#ifndef PAGE_GUEST_H
#define PAGE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "random.h"
#include "testvm.h"

#define CODE_GPA	PAGE
#define MAX_VCPUS	4
#define VCPUS		3		/* as many as most tests use */
#define LIST_WORDS	4096u
#define LISTS_GPA	(CODE_GPA + PAGE)
#define LISTS_END	(LISTS_GPA + MAX_VCPUS * 2 * LIST_WORDS * sizeof(uint32_t))

/* Page numbers count from here. */
#define AREA_GPA	(32ull << 20)
#define AREA_PAGES	16384u

/* A page's first word is its address and one of these. */
#define SHARED_TAG	1
#define PRIVATE_TAG	2
/* found[] has this where the guest found no memory. */
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

/* There is one such VM at a time. */
struct page_vm {
	int fd, stats_fd;
	int vcpus_created;
	struct vcpu vcpus[MAX_VCPUS];
	bool private[AREA_PAGES];	/* as set() has left them */
};

extern struct page_vm vm;

/* Entry points of the guest; the first two go through the vCPU's list. */
extern const char guest_read[], guest_write[], guest_hypercall[]
	__attribute__((visibility("hidden")));

uint64_t page_gpa(uint64_t page);
/* Calls set_memslot() for this VM. */
void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd);
/* A software-protected VM can have private memory, one of the default type cannot. */
void create_vm(int vcpus);
void create_plain_vm(int vcpus);
/* The VM's memory stays mapped in this process. */
void destroy_vm(void);
/* One of KVM's statistics; a vCPU statistic is added up over all vCPUs. */
unsigned long long vm_stat(const char *name);
bool has_vm_stat(const char *name);

/* Returns 0 or an errno. The pages may go on past the end of the area. */
int try_set(int fd, uint64_t first, uint64_t end, bool private);
/* Must succeed, and keeps vm.private; the pages must lie in the area. */
void set(uint64_t first, uint64_t end, bool private);

void start_guest(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
enum guest_exit run_guest(struct vcpu *vcpu);
/* The guest goes through its list and steps over private pages that have no memory. */
void run_list(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
/*
 * If a page is converted during a vCPU's fault on it, KVM may leave that to userspace. This does what a guest
 * that has no opinion on what its pages are needs: it tries again. Returns how often it did.
 */
unsigned long run_list_again(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag);
/* Maps the guest's code and lists, so that they cause no faults later. */
void warm_up(struct vcpu *vcpu);

void write_shared_words(uint8_t *memory, uint64_t first, uint64_t pages);

/* Tells whether the guest should find @word in a page of the area. */
typedef bool (*page_check)(uint32_t gpa, uint32_t word, bool private);
/* Without guest_memfd a private page has no memory. */
bool is_word_or_absent(uint32_t gpa, uint32_t word, bool private);
/* With guest_memfd there are two pages, each with its own word. */
bool is_own_word(uint32_t gpa, uint32_t word, bool private);

/* The guest reads the pages of its list, or @pages pages from @first on. */
bool list_is_right(struct vcpu *vcpu, unsigned int count, page_check is_right);
bool pages_are_right(struct vcpu *vcpu, uint64_t first, uint64_t pages, page_check is_right);

#endif
