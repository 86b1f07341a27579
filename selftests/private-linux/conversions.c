// SPDX-License-Identifier: GPL-2.0
/* Conversions that Linux asks for, and what is in the pages that it shares. */
#include <errno.h>

#include "private_abi.h"
#include "touch.h"
#include "vmm.h"

void convert(struct vmm *vmm, uint64_t gpa, uint64_t bytes, bool private)
{
	errno = try_convert(vmm->gmem_fd, gpa, bytes, private ? PRIVATE : 0, NULL);
	if (errno)
		failed("KVM_SET_MEMORY_ATTRIBUTES2");
}

uint64_t count_reachable(struct vmm *vmm, uint64_t gpa, uint64_t bytes)
{
	uint64_t pages = 0;
	uint32_t word;

	for (uint64_t at = gpa; at < gpa + bytes; at += PAGE)
		pages += !try_load(vmm->memory + at, &word);
	return pages;
}

void handle_map_gpa_range(struct vmm *vmm)
{
	struct kvm_run *run = vmm->run;
	uint64_t gpa = run->hypercall.args[0];
	uint64_t bytes = run->hypercall.args[1] * PAGE;
	bool private = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED;

	run->hypercall.ret = (uint64_t)-EINVAL;
	if (run->hypercall.nr != KVM_HC_MAP_GPA_RANGE || gpa >= MEM_BYTES || bytes > MEM_BYTES - gpa)
		return;
	convert(vmm, gpa, bytes, private);
	vmm->to_private += private;
	vmm->to_shared += !private;
	if (private)
		vmm->reachable_pages += count_reachable(vmm, gpa, bytes);
	run->hypercall.ret = 0;
}

void answer_page(struct vmm *vmm, uint64_t gfn)
{
	uint64_t *page = (uint64_t *)(vmm->memory + gfn * PAGE);
	bool wrong = false;

	if (gfn >= MEM_BYTES / PAGE)
		give_up("Linux asks for an answer in gfn 0x%lx, which it does not have", gfn);
	page[0] ^= vmm->spoil;
	for (unsigned int word = 0; word < WORDS_PER_PAGE; word++) {
		wrong |= page[word] != request_word(gfn, word);
		page[word] = answer_word(gfn, word);
	}
	page[0] ^= vmm->spoil;
	vmm->spoil = false;
	vmm->wrong_pages += wrong;
	vmm->answered_pages++;
}
