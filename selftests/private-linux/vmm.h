/* SPDX-License-Identifier: GPL-2.0 */
/*
 * private-linux: boots Linux with its memory private, all of it in one guest_memfd that is
 * converted in place. private-linux.c: the run as a whole. boot.c: what Linux finds in its memory.
 * vcpu.c: why it stops. unread.c: instructions that KVM would have to read in private memory.
 * conversions.c: those that Linux asks for. uart.c: the console. module.c, init: what Linux runs.
 */
#ifndef VMM_H
#define VMM_H

#include <stdbool.h>
#include <stdint.h>

#include "testvm.h"

#define MEM_BYTES	(128ull << 20)
/* Linux maps its code here: see Documentation/arch/x86/x86_64/mm.rst. */
#define KERNEL_MAP	0xffffffff80000000ull
#define BOOT_PARAMS_GPA	0x7000ull
#define TABLES_GPA	0x9000ull

struct uart {
	int vm_fd;
	bool empty_pending;		/* an interrupt "the transmitter is empty" is due */
	bool fifo;
	uint8_t ier, lcr, mcr, scratch;
	uint16_t divisor;
};

struct vmm {
	int vm_fd, gmem_fd, vcpu_fd;
	struct kvm_run *run;
	uint8_t *memory;		/* a mapping of the guest_memfd */
	struct uart uart;
	bool kvm_reads;			/* KVM reads instructions, see unread.c */
	uint64_t lent_gpa, lent_bytes;	/* code that is shared for the moment */
	bool spoil;			/* a request and an answer, to show that it is noticed */
	bool no_skips, private_tables;	/* to show what happens without this help */

	uint64_t table_pages;		/* shared all the time */
	uint64_t skipped;		/* instructions */
	uint64_t lent;			/* the same, how often */
	uint64_t to_shared, to_private;	/* conversions that Linux asked for */
	uint64_t answered_pages;
	uint64_t wrong_pages;		/* without the request that the guest says is there */
	uint64_t reachable_pages;	/* by the host, right after they became private */
};

/* Ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void give_up(const char *fmt, ...);

/* boot.c. @kernel is a directory with vmlinux and System.map. Returns the entry point's gpa. */
uint64_t load_linux(struct vmm *vmm, const char *kernel, const char *initramfs,
		    const char *command_line);
/* Makes page tables shared that translate addresses of the kernel's code. */
void share_page_tables(struct vmm *vmm, const char *kernel);

/* vcpu.c */
void create_linux_vcpu(struct vmm *vmm);
/* Returns when Linux has reset the machine. */
void run_linux(struct vmm *vmm, uint64_t entry_gpa);

/* unread.c */
bool kvm_reads_instructions(void);
/* KVM could not read an instruction. */
void handle_unread(struct vmm *vmm);
void end_lending(struct vmm *vmm);

/* conversions.c */
void convert(struct vmm *vmm, uint64_t gpa, uint64_t bytes, bool private);
void handle_map_gpa_range(struct vmm *vmm);
void answer_page(struct vmm *vmm, uint64_t gfn);
uint64_t count_reachable(struct vmm *vmm, uint64_t gpa, uint64_t bytes);

/* uart.c */
void uart_write(struct uart *uart, unsigned int offset, uint8_t value);
uint8_t uart_read(struct uart *uart, unsigned int offset);

#endif
