/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the test of conversion in place share; main.c says which these are. */
#ifndef INPLACE_H
#define INPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "hold.h"
#include "page_guest.h"
#include "touch.h"

#define INIT_PRIVATE_FLAGS	GUEST_MEMFD_FLAG_MMAP
#define INIT_SHARED_FLAGS	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

#define WORK_PAGES_MAX	65536u

/* The guest_memfd that a test works on. It is the guest's memory from page_gpa(0) on. */
struct work {
	int fd;
	uint8_t *memory;			/* the file's mapping in this process */
	uint64_t pages;
	uint32_t words[WORK_PAGES_MAX];		/* what each page begins with */
};

extern struct work work;

/* Creates a VM, the file, its mapping and its memslot; with one vCPU if nothing is said. */
void create_work(uint64_t pages, uint64_t flags);
void create_work_for(int vcpus, uint64_t pages, uint64_t flags);
void destroy_work(void);
uint8_t *work_page(uint64_t page);

/* Returns 0 or an errno. */
int try_convert_pages(uint64_t first, uint64_t pages, bool private);
/* Must succeed. */
void convert_pages(uint64_t first, uint64_t pages, bool private);
/* KVM refuses because @held, and no page before it, is in use. */
bool is_held(uint64_t first, uint64_t pages, uint64_t held);
/* Both are 0 or an errno. */
bool returns(int expected, int found);

uint32_t guest_load(uint64_t page);
/* The host must find this, and the guest must. */
bool host_finds(uint64_t page, uint32_t word);
bool guest_finds(uint64_t page, uint32_t word);
/* Neither loads nor stores of this process reach the page. */
bool host_is_refused(uint64_t page);

/*
 * What the pages are is told by what can be done with them: a private one keeps the host out, and the
 * guest finds work.words[] and changes it. In a shared one both find and change what the other has left.
 */
bool are_private(uint64_t first, uint64_t pages);
bool are_shared(uint64_t first, uint64_t pages);

/* Makes the page fail, as memory does. Returns 0 or an errno. */
int poison(uint8_t *page);

/* Runs @function in a child of this process, and returns what it returns, or 128 + a signal. */
int in_child(int (*function)(void *arg), void *arg);
int wait_for_child(int pid);

/*
 * A file whose reads and writes wait: it is a filesystem in this process. fuse_open() returns its
 * descriptor, or -1 if the kernel has no FUSE.
 */
int fuse_open(void);
/* Makes the next read or write wait; waits until there is one that waits; lets it go on. */
void fuse_hold(void);
void fuse_wait_held(void);
void fuse_release(void);
/* Each byte that is read from the file. */
#define FUSE_BYTE	0x5a

/* The parts, which main.c calls. */
void test_mode(void);
void test_caps(void);
void test_create(void);
void test_checks(void);
void test_answers(void);
void test_off(void);
void test_conversions(void);
void test_zaps(void);
void test_files(void);
void test_slots(void);
void test_lifetime(void);
void test_held(void);
void test_access(void);
void test_life(void);
void test_poison(void);
void test_poison_races(void);
void test_counts(void);
void test_failslab(void);
void test_charge(void);
void test_races(void);
void test_recreated(void);
void test_data(void);
void test_backings(void);
void test_huge(void);
void test_huge_vms(void);
void test_huge_backings(void);
void test_huge_fail(void);
void test_huge_fragmented(void);

#endif
