// SPDX-License-Identifier: GPL-2.0
/* What the parts of the test of KVM_PRE_FAULT_MEMORY share. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "prefault.h"
#include "tap.h"

bool written[AREA_PAGES];

struct kvm_pre_fault_memory range_of(uint64_t first, uint64_t pages)
{
	return (struct kvm_pre_fault_memory) { .gpa = page_gpa(first), .size = pages * PAGE };
}

bool range_is(const struct kvm_pre_fault_memory *range, uint64_t first, uint64_t pages)
{
	return (range->gpa == page_gpa(first) && range->size == pages * PAGE) ||
	       complain("left are 0x%" PRIx64 " bytes at 0x%" PRIx64, (uint64_t)range->size,
			(uint64_t)range->gpa);
}

int pre_fault_some(struct vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	const struct kvm_pre_fault_memory before = *range;
	int err = try_pre_fault(vcpu->fd, range);

	if (range->gpa + range->size == before.gpa + before.size &&
	    (err ? range->size == before.size : range->size < before.size))
		return err;
	complain("%s, of 0x%" PRIx64 " bytes 0x%" PRIx64 " are left", strerror(err),
		 (uint64_t)before.size, (uint64_t)range->size);
	return EPROTO;
}

int pre_fault(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	struct kvm_pre_fault_memory range = range_of(first, pages);
	int err = 0;

	while (range.size && !err)
		err = pre_fault_some(vcpu, &range);
	return err;
}

bool pre_fault_ends_with(int expected, uint64_t first, uint64_t pages)
{
	int err = pre_fault(&vm.vcpus[0], first, pages);

	return err == expected || complain("%s, not %s", strerror(err), strerror(expected));
}

bool is_content(uint32_t gpa, uint32_t word, bool private)
{
	if (private && !written[(gpa - AREA_GPA) / PAGE])
		return !word;
	return is_own_word(gpa, word, private);
}

void write_private(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	unsigned int count = 0;

	for (uint64_t page = first; page < first + pages; page++) {
		if (vm.private[page]) {
			vcpu->list[count++] = page_gpa(page);
			written[page] = true;
		}
		if (count == LIST_WORDS || (count && page == first + pages - 1)) {
			run_list(vcpu, guest_write, count, PRIVATE_TAG);
			count = 0;
		}
	}
}

bool pages_are_ready(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	unsigned long long faults = vm_stat("pf_taken");
	bool right = pages_are_right(vcpu, first, pages, is_content);

	faults = vm_stat("pf_taken") - faults;
	return right && (!faults || complain("%llu faults in pages %lu to %lu", faults, first,
					     first + pages));
}

int create_work(uint64_t pages)
{
	uint8_t *memory = map_memory(AREA_GPA, pages * PAGE);
	int gmem_fd = create_gmem(vm.fd, pages * PAGE);

	write_shared_words(memory, 0, pages);
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, memory, gmem_fd);
	return gmem_fd;
}

void punch(int gmem_fd, uint64_t first, uint64_t pages)
{
	check(-try_punch(gmem_fd, first * PAGE, pages * PAGE), "fallocate");
	memset(written + first, 0, pages);
}

void unmap_private(uint64_t first, uint64_t pages)
{
	set(first, first + pages, false);
	set(first, first + pages, true);
}

void ignore_signal(int signal)
{
	(void)signal;
}

void let_alarms(bool through)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(through ? SIG_UNBLOCK : SIG_BLOCK, &alarms, NULL);
}

void prepare_alarms(void)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	sigaction(SIGALRM, &action, NULL);
	let_alarms(false);
}

int pre_fault_until_alarm(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	int err;

	alarm(SPIN_S);
	let_alarms(true);
	err = pre_fault(vcpu, first, pages);
	let_alarms(false);
	alarm(0);
	return err;
}
