// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux finds in its memory when it starts: the kernel, by its 64-bit entry point, an
 * initramfs, the boot parameters, and page tables. See Documentation/arch/x86/boot.rst.
 */
#define _GNU_SOURCE
#include <asm/bootparam.h>
#include <asm/e820.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm.h"

#define COMMAND_LINE_GPA	0x20000ull
#define COMMAND_LINE_MAX	2048
#define FIRST_TABLES		3u
#define LOW_MEMORY_END		0x9fc00ull
#define HIGH_MEMORY		0x100000ull

/* Page table entries, as the processor manuals name their bits. */
#define PTE_PRESENT		(1ull << 0)
#define PTE_WRITABLE		(1ull << 1)
#define PTE_HUGE		(1ull << 7)

/*
 * A table of CPUs, by Intel's MultiProcessor Specification. Without one, Linux looks for the APIC's
 * registers in memory, although they are MSRs.
 */
#define MP_TABLE_GPA		0xf0000ull
#define APIC_GPA		0xfee00000
#define MP_CPU			0
#define MP_CPU_ENABLED		(1 << 0)
#define MP_CPU_BOOT		(1 << 1)

struct mp_pointer {
	char signature[4];
	uint32_t table_gpa;
	uint8_t paragraphs, version, checksum, features[5];
};

struct mp_table {
	struct {
		char signature[4];
		uint16_t bytes;
		uint8_t version, checksum;
		char oem[8], product[12];
		uint32_t oem_table_gpa;
		uint16_t oem_table_bytes, entries;
		uint32_t apic_gpa, extended;
	} header;
	struct {
		uint8_t type, apic_id, apic_version, flags;
		uint32_t signature, features, reserved[2];
	} cpu;
};

struct file {
	const uint8_t *bytes;
	uint64_t size;
};

static char *path_in(const char *directory, const char *name)
{
	char *path;

	check(asprintf(&path, "%s/%s", directory, name), "asprintf");
	return path;
}

static struct file open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	struct file file;

	if (fd < 0)
		failed(path);
	check(fstat(fd, &status), path);
	file.size = status.st_size;
	file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file.bytes == MAP_FAILED)
		failed(path);
	close(fd);
	return file;
}

static void copy_to_guest(struct vmm *vmm, uint64_t gpa, const void *from, uint64_t bytes)
{
	if (gpa > MEM_BYTES || bytes > MEM_BYTES - gpa)
		give_up("gpa 0x%lx, 0x%lx bytes: the guest has less memory", gpa, bytes);
	memcpy(vmm->memory + gpa, from, bytes);
}

static uint64_t load_kernel(struct vmm *vmm, const char *path)
{
	struct file file = open_file(path);
	const Elf64_Ehdr *header = (const void *)file.bytes;
	const Elf64_Phdr *part = (const void *)(file.bytes + header->e_phoff);

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_machine != EM_X86_64)
		give_up("%s: not a kernel for x86-64", path);
	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (part[i].p_type == PT_LOAD)
			copy_to_guest(vmm, part[i].p_paddr, file.bytes + part[i].p_offset, part[i].p_filesz);
	return header->e_entry;
}

/* The first GiB, each address at itself. */
static void fill_page_tables(struct vmm *vmm)
{
	uint64_t *pml4 = (uint64_t *)(vmm->memory + TABLES_GPA);
	uint64_t *pdpt = (uint64_t *)(vmm->memory + TABLES_GPA + PAGE);
	uint64_t *table = (uint64_t *)(vmm->memory + TABLES_GPA + 2 * PAGE);

	pml4[0] = (TABLES_GPA + PAGE) | PTE_PRESENT | PTE_WRITABLE;
	pdpt[0] = (TABLES_GPA + 2 * PAGE) | PTE_PRESENT | PTE_WRITABLE;
	for (unsigned int i = 0; i < PAGE / sizeof(*table); i++)
		table[i] = i * BLOCK_PAGES * PAGE | PTE_PRESENT | PTE_WRITABLE | PTE_HUGE;
}

static uint8_t checksum(const void *from, unsigned int bytes)
{
	const uint8_t *byte = from;
	uint8_t sum = 0;

	while (bytes--)
		sum -= *byte++;
	return sum;
}

static void describe_cpu(struct vmm *vmm)
{
	struct mp_table table = {
		.header = { .signature = "PCMP", .bytes = sizeof(table), .version = 4, .entries = 1,
			    .apic_gpa = APIC_GPA },
		.cpu = { .type = MP_CPU, .apic_version = 0x14, .flags = MP_CPU_ENABLED | MP_CPU_BOOT },
	};
	struct mp_pointer pointer = {
		.signature = "_MP_", .table_gpa = MP_TABLE_GPA + sizeof(pointer), .paragraphs = 1,
		.version = 4,
	};

	table.header.checksum = checksum(&table, sizeof(table));
	pointer.checksum = checksum(&pointer, sizeof(pointer));
	copy_to_guest(vmm, MP_TABLE_GPA, &pointer, sizeof(pointer));
	copy_to_guest(vmm, pointer.table_gpa, &table, sizeof(table));
}

uint64_t load_linux(struct vmm *vmm, const char *kernel, const char *initramfs,
		    const char *command_line)
{
	struct boot_params *params = (void *)(vmm->memory + BOOT_PARAMS_GPA);
	struct file root = open_file(initramfs);
	uint64_t root_gpa = (MEM_BYTES - root.size) & ~(PAGE - 1);
	uint64_t entry_gpa;
	char *vmlinux = path_in(kernel, "vmlinux");

	if (strlen(command_line) >= COMMAND_LINE_MAX)
		give_up("the command line has more than %u characters", COMMAND_LINE_MAX);
	entry_gpa = load_kernel(vmm, vmlinux);
	free(vmlinux);
	copy_to_guest(vmm, root_gpa, root.bytes, root.size);
	copy_to_guest(vmm, COMMAND_LINE_GPA, command_line, strlen(command_line) + 1);
	fill_page_tables(vmm);
	describe_cpu(vmm);
	params->hdr.type_of_loader = 0xff;
	params->hdr.loadflags = LOADED_HIGH;
	params->hdr.cmd_line_ptr = COMMAND_LINE_GPA;
	params->hdr.cmdline_size = COMMAND_LINE_MAX;
	params->hdr.ramdisk_image = root_gpa;
	params->hdr.ramdisk_size = root.size;
	params->e820_entries = 2;
	params->e820_table[0] = (struct boot_e820_entry){ 0, LOW_MEMORY_END, E820_RAM };
	params->e820_table[1] = (struct boot_e820_entry){ HIGH_MEMORY, MEM_BYTES - HIGH_MEMORY, E820_RAM };
	return entry_gpa;
}

static void share_table(struct vmm *vmm, uint64_t gpa)
{
	convert(vmm, gpa, PAGE, false);
	vmm->table_pages++;
}

void share_page_tables(struct vmm *vmm, const char *kernel)
{
	static const char * const tables[] = {
		"early_top_pgt", "init_top_pgt", "level3_kernel_pgt", "level2_kernel_pgt",
	};
	char *path = path_in(kernel, "System.map");
	FILE *map = fopen(path, "re");
	uint64_t address;
	char name[64];

	if (!map)
		failed(path);
	for (unsigned int i = 0; i < FIRST_TABLES; i++)
		share_table(vmm, TABLES_GPA + i * PAGE);
	while (fscanf(map, "%lx %*c %63s%*[^\n]", &address, name) == 2)
		for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
			if (!strcmp(name, tables[i]))
				share_table(vmm, address - KERNEL_MAP);
	fclose(map);
	if (vmm->table_pages != FIRST_TABLES + ARRAY_SIZE(tables))
		give_up("%s does not name all page tables of the kernel's code", path);
	free(path);
}
