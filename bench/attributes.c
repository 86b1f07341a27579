// SPDX-License-Identifier: GPL-2.0
/*
 * What changes of memory attributes cost, by what is changed. To be run in a VM that counts
 * instructions (selftests/vm/run --icount).
 *
 * usage: attributes PART...
 *
 * Prints a line for each measurement: its name and a number, of instructions if nothing else is
 * said. Sizes in names are in KiB.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "kvmstat.h"
#include "random.h"
#include "testvm.h"

#define K (1ull << 10)
#define M (1ull << 20)
#define G (1ull << 30)

/* Where nothing of KVM's own is, and below what the emulated CPU can address. */
#define GPA (256 * G)

static void result(const char *name, uint64_t number)
{
	printf("%s %llu\n", name, (unsigned long long)number);
	fflush(stdout);
}

static void result_size(const char *name, uint64_t bytes, uint64_t number)
{
	printf("%s-%lluK %llu\n", name, (unsigned long long)(bytes / K), (unsigned long long)number);
	fflush(stdout);
}

/* Bytes of live objects in the caches that attributes can be in. */
static uint64_t slab_bytes(void)
{
	static const char *const caches[] = { "radix_tree_node", "kmalloc-cg-96", "kmalloc-96" };
	unsigned long long total = 0, active, size;
	char path[64], line[256], name[64];
	unsigned int i;
	FILE *info;
	int fd;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		/* Takes out of the caches per CPU what is free. */
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", caches[i]);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "1", 1) != 1)
			err(1, "%s", path);
		close(fd);
	}
	info = fopen("/proc/slabinfo", "r");
	if (!info)
		err(1, "/proc/slabinfo");
	while (fgets(line, sizeof(line), info)) {
		if (sscanf(line, "%63s %llu %*u %llu", name, &active, &size) != 3)
			continue;
		for (i = 0; i < ARRAY_SIZE(caches); i++) {
			if (!strcmp(name, caches[i]))
				total += active * size;
		}
	}
	fclose(info);
	return total;
}

/* What was freed is free after a grace period, or a few. */
static void wait_for_rcu(void)
{
	usleep(200000);
}

/* A whole range, then the same again. */
static void set_size(uint64_t bytes)
{
	int vm_fd = create_protected_vm_fd();
	uint64_t before = slab_bytes();

	result_size("set", bytes, set_attributes_ns(vm_fd, GPA, bytes, PRIVATE));
	wait_for_rcu();
	result_size("slab", bytes, slab_bytes() - before);
	result_size("again", bytes, set_attributes_ns(vm_fd, GPA, bytes, PRIVATE));
	if (bytes <= G)
		result_size("shared", bytes, set_attributes_ns(vm_fd, GPA, bytes, 0));
	close(vm_fd);
	wait_for_rcu();
}

static void sizes(void)
{
	static const uint64_t bytes[] = { PAGE, 64 * K, 2 * M, 32 * M, G };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++)
		set_size(bytes[i]);
}

/* Minutes on a stock kernel. */
static void huge_sizes(void)
{
	set_size(16 * G);
	set_size(256 * G);
}

static void set_pieces(const char *name, uint64_t bytes)
{
	int vm_fd = create_protected_vm_fd();
	uint64_t before = slab_bytes(), ns = 0, at;
	char text[64];

	for (at = 0; at < bytes; at += 2 * M)
		ns += set_attributes_ns(vm_fd, GPA + at, 2 * M, PRIVATE);
	wait_for_rcu();
	snprintf(text, sizeof(text), "%s-per-2M", name);
	result(text, ns / (bytes / (2 * M)));
	snprintf(text, sizeof(text), "%s-slab", name);
	result(text, slab_bytes() - before);
	close(vm_fd);
	wait_for_rcu();
}

/* A call that KVM refuses for its flags, before it looks at anything. */
static uint64_t refused_ns(int vm_fd)
{
	struct kvm_memory_attributes request = { .address = GPA, .size = PAGE, .flags = 1 };
	uint64_t ns[51], start;
	int i;

	for (i = 0; i < 51; i++) {
		start = now_ns();
		if (!ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &request))
			errx(1, "flags are not refused");
		ns[i] = now_ns() - start;
	}
	return median(ns, 51);
}

static void fragmented(void)
{
	const int toggles = 2000;
	uint64_t *ns = calloc(toggles, sizeof(*ns)), state = 0x9e3779b97f4a7c15, before, at, page;
	int vm_fd = create_protected_vm_fd(), i;

	before = slab_bytes();
	for (at = 0; at < G; at += 2 * PAGE)
		set_attributes_ns(vm_fd, GPA + at, PAGE, PRIVATE);
	wait_for_rcu();
	result("alternating-1G-slab", slab_bytes() - before);
	for (i = 0; i < toggles; i++) {
		page = xorshift64(&state) % (G / PAGE);
		/* As it is not, so that something changes. */
		ns[i] = set_attributes_ns(vm_fd, GPA + page * PAGE, PAGE, page % 2 ? PRIVATE : 0);
		set_attributes_ns(vm_fd, GPA + page * PAGE, PAGE, page % 2 ? 0 : PRIVATE);
	}
	result("toggle-fragmented", median(ns, toggles));
	result("refused", refused_ns(vm_fd));
	free(ns);
	close(vm_fd);
	wait_for_rcu();
}

/* A mapped private range of which one page changes; then all of it is to be private. */
static void mapped(uint64_t bytes)
{
	const int toggles = 201;
	uint64_t ns[2 * 201], mappings, one = GPA + bytes / 2 + PAGE;
	int vm_fd = create_protected_vm_fd(), vcpu_fd = create_vcpu_fd(vm_fd, 0, NULL), i;

	add_memslot(vm_fd, 0, GPA, bytes, bytes);
	set_attributes_ns(vm_fd, GPA, bytes, PRIVATE);
	result_size("fault", bytes, pre_fault_ns(vcpu_fd, GPA, bytes) / (bytes / PAGE));
	result_size("fault-mapped", bytes, pre_fault_ns(vcpu_fd, GPA, bytes) / (bytes / PAGE));

	for (i = 0; i < toggles; i++) {
		ns[2 * i] = set_attributes_ns(vm_fd, one, PAGE, 0);
		ns[2 * i + 1] = set_attributes_ns(vm_fd, one, PAGE, PRIVATE);
	}
	result_size("toggle-mapped", bytes, median(ns, 2 * toggles));

	pre_fault_ns(vcpu_fd, GPA, bytes);
	set_attributes_ns(vm_fd, one, PAGE, 0);
	pre_fault_ns(vcpu_fd, one, PAGE);
	mappings = kvm_stat(vm_fd, "pages_4k");
	result_size("one-differs", bytes, set_attributes_ns(vm_fd, GPA, bytes, PRIVATE));
	result_size("one-differs-zapped", bytes, mappings - kvm_stat(vm_fd, "pages_4k"));
	mappings = kvm_stat(vm_fd, "pages_4k");
	result_size("one-differs-retouch", bytes, pre_fault_ns(vcpu_fd, GPA, bytes) / (bytes / PAGE));
	result_size("one-differs-refaults", bytes, kvm_stat(vm_fd, "pages_4k") - mappings);

	/* Lookups in fragmented memory, all of it mapped. */
	if (bytes <= 64 * M) {
		uint64_t at;

		for (at = 0; at < bytes; at += 2 * PAGE)
			set_attributes_ns(vm_fd, GPA + at, PAGE, 0);
		pre_fault_ns(vcpu_fd, GPA, bytes);
		result_size("fault-mapped-fragmented", bytes,
			    pre_fault_ns(vcpu_fd, GPA, bytes) / (bytes / PAGE));
	}
	close(vcpu_fd);
	close(vm_fd);
	wait_for_rcu();
}

/* The VM has a large memslot, whose hugepages KVM keeps book of. */
static void memslot(void)
{
	int vm_fd = create_protected_vm_fd();
	uint64_t start;

	start = now_ns();
	add_memslot(vm_fd, 0, GPA, 64 * G, 0);
	result("memslot-64G-create", now_ns() - start);
	result("memslot-64G-set", set_attributes_ns(vm_fd, GPA, 64 * G, PRIVATE));
	close(vm_fd);

	vm_fd = create_protected_vm_fd();
	set_attributes_ns(vm_fd, GPA, 16 * G, PRIVATE);
	start = now_ns();
	add_memslot(vm_fd, 0, GPA, 64 * G, 0);
	result("memslot-64G-create-over-private", now_ns() - start);
	close(vm_fd);
	wait_for_rcu();
}

static void pieces(void)
{
	set_pieces("pieces-4G", 4 * G);
}

/* For these a stock kernel needs more memory than the VM has. */
static void tera(void)
{
	set_size(1024 * G);
	set_pieces("pieces-1T", 1024 * G);
}

static void mapped_64m(void)
{
	mapped(64 * M);
}

static void mapped_1g(void)
{
	mapped(G);
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "sizes", sizes },
	{ "huge-sizes", huge_sizes },
	{ "pieces", pieces },
	{ "tera", tera },
	{ "fragmented", fragmented },
	{ "mapped-64M", mapped_64m },
	{ "mapped-1G", mapped_1g },
	{ "memslot", memslot },
};

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2)
		errx(2, "usage: attributes PART...");
	for (argv++; *argv; argv++) {
		for (i = 0; i < ARRAY_SIZE(parts) && strcmp(*argv, parts[i].name); i++)
			;
		if (i == ARRAY_SIZE(parts))
			errx(2, "no part %s", *argv);
		parts[i].run();
	}
	return 0;
}
