// SPDX-License-Identifier: GPL-2.0
/* What the parts of the test of conversion in place share. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

struct work work;

void create_work(uint64_t pages, uint64_t flags)
{
	create_work_for(1, pages, flags);
}

void create_work_for(int vcpus, uint64_t pages, uint64_t flags)
{
	catch_bus_errors();
	create_vm(vcpus);
	work.pages = pages;
	work.fd = try_create_gmem(vm.fd, pages * PAGE, flags);
	if (work.fd < 0) {
		errno = -work.fd;
		failed("KVM_CREATE_GUEST_MEMFD");
	}
	work.memory = map_file(work.fd, pages * PAGE, MAP_SHARED);
	memset(work.words, 0, sizeof(work.words));
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, work.memory, work.fd);
}

void destroy_work(void)
{
	munmap(work.memory, work.pages * PAGE);
	destroy_vm();
	close(work.fd);
}

uint8_t *work_page(uint64_t page)
{
	return work.memory + page * PAGE;
}

int try_convert_pages(uint64_t first, uint64_t pages, bool private)
{
	return try_convert(work.fd, first * PAGE, pages * PAGE, private ? PRIVATE : 0, NULL);
}

void convert_pages(uint64_t first, uint64_t pages, bool private)
{
	errno = try_convert_pages(first, pages, private);
	if (errno)
		failed("KVM_SET_MEMORY_ATTRIBUTES2");
}

bool returns(int expected, int found)
{
	return found == expected ||
	       complain("%s instead of %s", found ? strerrorname_np(found) : "0",
			expected ? strerrorname_np(expected) : "0");
}

bool is_held(uint64_t first, uint64_t pages, uint64_t held)
{
	uint64_t error_offset = 1;
	int err = try_convert(work.fd, first * PAGE, pages * PAGE, PRIVATE, &error_offset);

	return returns(EAGAIN, err) &&
	       (error_offset == held * PAGE ||
		complain("the error's offset is 0x%" PRIx64 ", page %" PRIu64 " is held",
			 error_offset, held));
}

/* --- what the pages are -------------------------------------------------- */

uint32_t guest_load(uint64_t page)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	vcpu->list[0] = page_gpa(page);
	run_list(vcpu, guest_read, 1, 0);
	return vcpu->found[0];
}

bool guest_finds(uint64_t page, uint32_t word)
{
	const uint32_t found = guest_load(page);

	return found == word ||
	       complain("page %" PRIu64 ": the guest finds 0x%x instead of 0x%x", page,
			found, word);
}

bool host_finds(uint64_t page, uint32_t word)
{
	uint32_t found = 0;

	if (try_load(work_page(page), &found))
		return complain("page %" PRIu64 ": the host cannot read it", page);
	return found == word ||
	       complain("page %" PRIu64 ": the host finds 0x%x instead of 0x%x", page,
			found, word);
}

bool host_is_refused(uint64_t page)
{
	uint32_t unused;

	return (try_store(work_page(page), 0) == BUS_ADRERR &&
		try_load(work_page(page), &unused) == BUS_ADRERR) ||
	       complain("page %" PRIu64 ": the host has access", page);
}

/* No word twice in a page, as far as a page's tests go. */
static uint32_t next_word(uint64_t page)
{
	static uint32_t tag;

	tag = tag % (PAGE - 1) + 1;
	return page_gpa(page) | tag;
}

static bool guest_changes(uint64_t page)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	const bool right = guest_finds(page, work.words[page]);

	work.words[page] = next_word(page);
	vcpu->list[0] = page_gpa(page);
	run_list(vcpu, guest_write, 1, work.words[page] % PAGE);
	return right;
}

static bool host_changes(uint64_t page)
{
	const bool right = host_finds(page, work.words[page]);

	work.words[page] = next_word(page);
	return right && (!try_store(work_page(page), work.words[page]) ||
			 complain("page %" PRIu64 ": the host cannot write to it", page));
}

bool are_private(uint64_t first, uint64_t pages)
{
	bool right = true;

	for (uint64_t page = first; page < first + pages; page++)
		right &= host_is_refused(page) && guest_changes(page) && host_is_refused(page);
	return right;
}

bool are_shared(uint64_t first, uint64_t pages)
{
	bool right = true;

	for (uint64_t page = first; page < first + pages; page++)
		right &= host_changes(page) && guest_changes(page) &&
			 host_finds(page, work.words[page]);
	return right;
}

/* --- other processes ----------------------------------------------------- */

int wait_for_child(int pid)
{
	int status;

	check(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int in_child(int (*function)(void *arg), void *arg)
{
	const int pid = check(fork(), "fork");

	if (!pid)
		_exit(function(arg));
	return wait_for_child(pid);
}
