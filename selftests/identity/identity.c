// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's identity: what the fdinfo of its descriptors, debugfs and KVM's tracepoints call it, whoever
 * holds it, and whatever happened to the process, the thread and the descriptor that created it.
 *
 *	identity names		each source, for one VM after the other
 *	identity unique N	N VMs, one after the other and at a time: no number twice
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "tap.h"
#include "testvm.h"

#define TRACEFS		"/sys/kernel/tracing/"
#define GPA		0x100000ull
#define VCPU_ID		3

/* The number behind @key in a file's text, 0 if there is none. */
static uint64_t number_after(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtoull(found + strlen(key), NULL, 10) : 0;
}

static uint64_t fdinfo(pid_t pid, int fd, const char *key)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	read_file(path, text, sizeof(text));
	return number_after(text, key);
}

static uint64_t vm_id(int fd)
{
	return fdinfo(getpid(), fd, "kvm_vm_id:\t");
}

/* How many directories of VMs in debugfs say that they are this VM's. */
static unsigned int debugfs_dirs(uint64_t id)
{
	unsigned int dirs = 0;
	char text[32];
	glob_t paths;

	if (glob("/sys/kernel/debug/kvm/*/vm_id", 0, NULL, &paths))
		return 0;
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		read_file(paths.gl_pathv[i], text, sizeof(text));
		dirs += strtoull(text, NULL, 10) == id;
	}
	globfree(&paths);
	return dirs;
}

/* Begins to trace an event; traced_id() tells which VM the last one was about. */
static void trace(const char *event)
{
	char path[128];

	write_file(TRACEFS "events/kvm/enable", "0");
	write_file(TRACEFS "trace", "");
	snprintf(path, sizeof(path), TRACEFS "events/kvm/%s/enable", event);
	write_file(path, "1");
}

static uint64_t traced_id(const char *event)
{
	static char text[1 << 16];
	char key[64], *line;

	write_file(TRACEFS "events/kvm/enable", "0");
	read_file(TRACEFS "trace", text, sizeof(text));
	snprintf(key, sizeof(key), "%s: vm_id ", event);
	line = strstr(text, key);
	return line ? number_after(line, "vm_id ") : 0;
}

/* The VM's own number, by a conversion in it. */
static uint64_t converted_id(int vm)
{
	trace("kvm_memattr_convert");
	set_attributes(vm, GPA, PAGE, PRIVATE);
	set_attributes(vm, GPA, PAGE, 0);
	return traced_id("kvm_memattr_convert");
}

/* By a pre-fault, for which a descriptor of the vCPU is enough. */
static uint64_t prefaulted_id(int vcpu)
{
	struct kvm_pre_fault_memory range = { .gpa = GPA, .size = PAGE };

	trace("kvm_pre_fault_memory");
	try_pre_fault(vcpu, &range);
	return traced_id("kvm_pre_fault_memory");
}

static bool agree(uint64_t id, int fd)
{
	if (id && vm_id(fd) == id && debugfs_dirs(id) == 1)
		return true;
	return complain("VM %lu: fdinfo says %lu, directories in debugfs: %u", id, vm_id(fd),
			debugfs_dirs(id));
}

static void test_descriptors(int vm, int vcpu)
{
	uint64_t id = vm_id(vm);
	int copy = check(dup(vm), "dup");

	ok(agree(id, vm), "fdinfo of the VM, and debugfs");
	ok(agree(id, vcpu), "fdinfo of its vCPU");
	ok(fdinfo(getpid(), vcpu, "kvm_vcpu_id:\t") == VCPU_ID, "the vCPU's own number");
	ok(converted_id(vm) == id, "a conversion's event");
	ok(prefaulted_id(vcpu) == id, "a pre-fault's event");
	ok(agree(id, copy) && converted_id(copy) == id, "a duplicate of the descriptor");
	close(copy);
}

static void test_fork(int vm)
{
	uint64_t id = vm_id(vm), seen;
	int hold[2], status;
	pid_t child;
	char byte;

	check(pipe(hold), "pipe");
	child = check(fork(), "fork");
	if (!child) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1));
	}
	seen = fdinfo(child, vm, "kvm_vm_id:\t");
	ok(seen == id, "a forked process that holds it");
	close(hold[0]);
	close(hold[1]);
	waitpid(child, &status, 0);
}

static void *create_in_thread(void *fd)
{
	*(int *)fd = create_protected_vm_fd();
	return NULL;
}

static void test_ended_thread(void)
{
	int vm;

	pthread_join(start_thread(create_in_thread, &vm), NULL);
	ok(agree(converted_id(vm), vm), "a VM whose creator thread has ended");
	close(vm);
}

static void test_reused_descriptor(void)
{
	int first = create_protected_vm_fd(), second;
	uint64_t first_id = vm_id(first);

	close(first);
	second = create_protected_vm_fd();
	ok(second == first && vm_id(second) != first_id, "the next VM with the same descriptor is another one");
	ok(!debugfs_dirs(first_id) && agree(converted_id(second), second), "and goes by its own number");
	close(second);
}

/* Takes the VM's last descriptor away. */
static void test_vcpu_alone(int vm, int vcpu)
{
	uint64_t id = vm_id(vm);

	close(vm);
	ok(agree(id, vcpu) && prefaulted_id(vcpu) == id, "a VM that only its vCPU holds");
}

static void test_plain_vm(void)
{
	int vm = create_vm_fd(0);

	ok(agree(vm_id(vm), vm), "a VM without private memory has a number as well");
	close(vm);
}

static void test_names(void)
{
	int vm = create_protected_vm_fd(), vcpu;

	set_memslot(vm, 0, GPA, PAGE, map_memory(GPA, PAGE), -1);
	vcpu = create_vcpu_fd(vm, VCPU_ID, NULL);
	test_descriptors(vm, vcpu);
	test_fork(vm);
	test_ended_thread();
	test_reused_descriptor();
	test_plain_vm();
	test_vcpu_alone(vm, vcpu);
	close(vcpu);
}

/* Grace periods make up for most of a VM's end: many VMs at a time share them. */
#define CREATORS	64

struct creator {
	pthread_t thread;
	uint64_t *ids, count;
};

static void *create_vms(void *arg)
{
	struct creator *creator = arg;

	for (uint64_t i = 0; i < creator->count; i++) {
		int vm = create_vm_fd(0);

		creator->ids[i] = vm_id(vm);
		close(vm);
	}
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

static void test_unique(void)
{
	uint64_t each = (part_numbers[0] + CREATORS - 1) / CREATORS, total = each * CREATORS, twice = 0;
	uint64_t *ids = calloc(total, sizeof(*ids));
	struct creator creators[CREATORS];

	if (!ids)
		failed("calloc");
	for (unsigned int i = 0; i < CREATORS; i++) {
		creators[i].ids = ids + i * each;
		creators[i].count = each;
		creators[i].thread = start_thread(create_vms, &creators[i]);
	}
	for (unsigned int i = 0; i < CREATORS; i++)
		pthread_join(creators[i].thread, NULL);

	qsort(ids, total, sizeof(*ids), compare_ids);
	for (uint64_t i = 1; i < total; i++)
		twice += ids[i] == ids[i - 1];
	ok(ids[0] && !twice, "%lu VMs, %lu numbers given twice", total, twice);
	/* For a run after KVM was loaded again. */
	printf("# first %lu last %lu\n", ids[0], ids[total - 1]);
	free(ids);
}

static const struct test_part parts[] = {
	{ "names", "", test_names },
	{ "unique", "VMS", test_unique },
};

int main(int argc, char **argv)
{
	return run_part(argc, argv, parts, ARRAY_SIZE(parts));
}
