/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the test of KVM_PRE_FAULT_MEMORY share; main.c says which these are. */
#ifndef PREFAULT_H
#define PREFAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "page_guest.h"

#define MS		1000000ull	/* ns */
#define SPIN_S		5		/* after that long a signal ends what does not end */

/* In the way of nothing else. */
#define FAR_PAGE	8192u

struct kvm_pre_fault_memory range_of(uint64_t first, uint64_t pages);
bool range_is(const struct kvm_pre_fault_memory *range, uint64_t first, uint64_t pages);

/* One call. An error means that nothing was done, success that something was. */
int pre_fault_some(struct vcpu *vcpu, struct kvm_pre_fault_memory *range);
/* As many calls as it takes. */
int pre_fault(struct vcpu *vcpu, uint64_t first, uint64_t pages);
bool pre_fault_ends_with(int expected, uint64_t first, uint64_t pages);
/* As pre_fault(); EINTR is an alarm's, after SPIN_S. For those who called prepare_alarms(). */
int pre_fault_until_alarm(struct vcpu *vcpu, uint64_t first, uint64_t pages);

/* Pages of the area that the guest has written to while they were private. */
extern bool written[AREA_PAGES];
/* Private pages that were not written to read as zero. */
bool is_content(uint32_t gpa, uint32_t word, bool private);
/* The guest puts their words into the private ones of these pages. */
void write_private(struct vcpu *vcpu, uint64_t first, uint64_t pages);
/* The content is right, and it takes no fault to see that. */
bool pages_are_ready(struct vcpu *vcpu, uint64_t first, uint64_t pages);

/* A memslot at the beginning of the area, shared. Returns its guest_memfd. */
int create_work(uint64_t pages);
void punch(int gmem_fd, uint64_t first, uint64_t pages);
/* None of these pages is mapped, all are private. */
void unmap_private(uint64_t first, uint64_t pages);

void ignore_signal(int signal);
/* Whoever pre-faults in a loop, and nobody else, gets the alarm. */
void prepare_alarms(void);
void let_alarms(bool through);

/* The parts, which main.c calls. */
void test_contract(void);
void test_little_memory(void);
void test_pending(void);
void test_signals(void);
void test_shadow(void);
void test_nested(void);
void test_dead(void);
void test_death(void);
void test_accessed(void);
void test_mmio(void);
void test_high(void);
void test_poisoned_private(void);
void test_poisoned_shared(void);
void test_slots(void);
void test_other_slot(void);
void show_spins(void);
void test_parallel(void);
void test_random(void);
void test_holes(void);
void test_flips(void);

/* sptes.c: what comes of it if the signal that stock KVM sends is blocked. */
int pre_fault_poisoned(void);
/* Private pages from 0 on, not mapped yet. Returns how many KVM write-protects, and the last one. */
unsigned int pre_fault_protected(struct vcpu *vcpu, unsigned int pages, unsigned int *last);

#endif
