/* SPDX-License-Identifier: GPL-2.0 */
/* A VM whose guest walks through memory, for benchmarks. */
#ifndef WALKER_H
#define WALKER_H

#include <stdint.h>

#include "testvm.h"

#define AREA_GPA (1ull << 30)

struct walker {
	int vm_fd, vcpu_fd;
	struct kvm_run *run;
	uint64_t ns;			/* in KVM_RUN */
};

/* Entry points of the guest. walk reads a word of every page, random some at random. */
extern const char guest_walk[], guest_random[] __attribute__((visibility("hidden")));

/* A software-protected VM without a memslot at AREA_GPA. */
struct walker create_walker(void);
/*
 * The guest reads @count words: from @gpa on in steps of @rdx bytes, or random ones, where @rdx is a mask
 * of pages from @gpa on.
 */
void run_walker(struct walker *guest, const char *entry, uint64_t gpa, uint64_t count, uint64_t rdx);
void destroy_walker(struct walker *guest);

#endif
