// SPDX-License-Identifier: GPL-2.0
/*
 * The module of the private guest: takes bounce buffers, shares them with the VMM and makes them
 * private again, as a driver of a confidential guest does. It is done when it is loaded.
 *
 * It is compiled without the kernel's headers: vmlinux.h is made of the kernel's BTF.
 */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "vmlinux.h"

#include "private_abi.h"

#define ROUNDS			64
#define ORDERS			4	/* buffers of 1, 2, 4 and 8 pages */
#define PAGE_SHIFT		12
#define ALLOCATION_FLAGS	(1u << ___GFP_DIRECT_RECLAIM_BIT | 1u << ___GFP_KSWAPD_RECLAIM_BIT)

/* <linux/kvm_para.h> and <asm/processor.h> have these. */
#define KVM_HC_MAP_GPA_RANGE	12
#define ENCRYPTED		(1u << 4)

#define VENDOR_AMD		2
#define VENDOR_HYGON		9

extern struct cpuinfo_x86 boot_cpu_data;
extern unsigned long page_offset_base;
extern int _printk(const char *format, ...);
extern unsigned long get_free_pages_noprof(gfp_t flags, unsigned int order);
extern void free_pages(unsigned long address, unsigned int order);

#define MODULE_INFO(name, text) \
	static const char name[] __attribute__((used, section(".modinfo"), aligned(1))) = #name "=" text

MODULE_INFO(license, "GPL");
MODULE_INFO(name, "bounce");
MODULE_INFO(vermagic, VERMAGIC);

static long convert(unsigned long gfn, unsigned long pages, bool private)
{
	unsigned int vendor = boot_cpu_data.x86_vendor;
	unsigned long attributes = private ? ENCRYPTED : 0;
	long ret = KVM_HC_MAP_GPA_RANGE;

	/* Each vendor's CPUs have an instruction of their own. */
	if (vendor == VENDOR_AMD || vendor == VENDOR_HYGON)
		asm volatile("vmmcall" : "+a"(ret)
			     : "b"(gfn << PAGE_SHIFT), "c"(pages), "d"(attributes) : "memory");
	else
		asm volatile("vmcall" : "+a"(ret)
			     : "b"(gfn << PAGE_SHIFT), "c"(pages), "d"(attributes) : "memory");
	return ret;
}

static void ask_for_answer(unsigned long gfn)
{
	asm volatile("outl %0, %1"
		     : : "a"((unsigned int)gfn), "d"((unsigned short)ANSWER_PORT) : "memory");
}

static void write_requests(unsigned long *words, unsigned long gfn, unsigned long pages)
{
	for (unsigned long i = 0; i < pages * WORDS_PER_PAGE; i++)
		words[i] = request_word(gfn + i / WORDS_PER_PAGE, i % WORDS_PER_PAGE);
}

static unsigned long wrong_answers(const unsigned long *words, unsigned long gfn,
				   unsigned long pages)
{
	unsigned long wrong = 0;

	for (unsigned long i = 0; i < pages * WORDS_PER_PAGE; i++)
		wrong += words[i] != answer_word(gfn + i / WORDS_PER_PAGE, i % WORDS_PER_PAGE);
	return wrong;
}

/* Private, shared, private: what either side wrote is still there. Returns how many words are wrong. */
static unsigned long bounce(unsigned long buffer, unsigned long pages)
{
	unsigned long *words = (unsigned long *)buffer;
	unsigned long gfn = (buffer - page_offset_base) >> PAGE_SHIFT;
	unsigned long wrong = 0;

	write_requests(words, gfn, pages);
	if (convert(gfn, pages, false))
		return 1;
	for (unsigned long i = 0; i < pages; i++)
		ask_for_answer(gfn + i);
	wrong += wrong_answers(words, gfn, pages);
	if (convert(gfn, pages, true))
		return 1;
	return wrong + wrong_answers(words, gfn, pages);
}

int init_module(void)
{
	unsigned long pages = 0, wrong = 0, buffer;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int order = round % ORDERS;

		buffer = get_free_pages_noprof(ALLOCATION_FLAGS, order);
		if (!buffer)
			return -12;
		pages += 1ul << order;
		wrong += bounce(buffer, 1ul << order);
		free_pages(buffer, order);
	}
	_printk("bounce: %u buffers, %lu pages, %lu wrong words\n", ROUNDS, pages, wrong);
	return 0;
}

struct module __this_module __attribute__((section(".gnu.linkonce.this_module"))) = {
	.name = "bounce",
	.init = init_module,
};
