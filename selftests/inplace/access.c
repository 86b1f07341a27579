// SPDX-License-Identifier: GPL-2.0
/*
 * Every way that a host has to a page of a guest_memfd: to a private page it ends with SIGBUS or an
 * errno, and the page stays as it is; to a shared one it works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

/* Each way returns 0, an errno, or one of these. */
#define BUS		200
#define WRONG_WORD	201
#define MISSING		202	/* this kernel does not have it */

/* What a page begins with, and what a way that writes puts there. */
#define WORD		0x12345678u
#define WRITTEN		(FUSE_BYTE * 0x01010101u)

#define TARGET		1u	/* the page; it has one neighbour on each side */
#define PAGES		3u

struct way {
	const char *what;
	int (*go)(uint8_t *page);
	int private_outcome, shared_outcome;
	bool writes;
};

static int outcome_of(long ret)
{
	return ret < 0 ? errno : 0;
}

/* Checks a copy, which must be what the page has. */
static int copied(ssize_t bytes, const void *copy)
{
	uint32_t word;

	if (bytes < 0)
		return errno;
	memcpy(&word, copy, sizeof(word));
	return bytes >= (ssize_t)sizeof(word) && word == WORD ? 0 : WRONG_WORD;
}

static void fill(uint8_t *bytes)
{
	memset(bytes, FUSE_BYTE, PAGE);
}

/* --- by the processor ---------------------------------------------------- */

static int load(uint8_t *page)
{
	uint32_t word;

	if (try_load(page, &word))
		return BUS;
	return word == WORD ? 0 : WRONG_WORD;
}

static int store(uint8_t *page)
{
	return try_store(page, WRITTEN) ? BUS : 0;
}

static int load_in_child(void *page)
{
	return load(page);
}

static int store_in_child(void *page)
{
	return store(page);
}

static int child_loads(uint8_t *page)
{
	return in_child(load_in_child, page);
}

static int child_stores(uint8_t *page)
{
	return in_child(store_in_child, page);
}

/* --- by system calls ----------------------------------------------------- */

static int write_from(uint8_t *page)
{
	uint8_t copy[PAGE];
	int fds[2], outcome;

	check(pipe2(fds, O_CLOEXEC), "pipe2");
	outcome = outcome_of(write(fds[1], page, PAGE));
	if (!outcome)
		outcome = copied(read(fds[0], copy, sizeof(copy)), copy);
	close(fds[0]);
	close(fds[1]);
	return outcome;
}

static int read_to(uint8_t *page)
{
	uint8_t bytes[PAGE];
	int fds[2], outcome;

	fill(bytes);
	check(pipe2(fds, O_CLOEXEC), "pipe2");
	check(write(fds[1], bytes, sizeof(bytes)), "write");
	outcome = outcome_of(read(fds[0], page, PAGE));
	close(fds[0]);
	close(fds[1]);
	return outcome;
}

static int splice_from(uint8_t *page)
{
	const struct iovec piece = { .iov_base = page, .iov_len = PAGE };
	uint8_t copy[PAGE];
	int fds[2], outcome;

	check(pipe2(fds, O_CLOEXEC), "pipe2");
	outcome = outcome_of(vmsplice(fds[1], &piece, 1, 0));
	if (!outcome)
		outcome = copied(read(fds[0], copy, sizeof(copy)), copy);
	close(fds[0]);
	close(fds[1]);
	return outcome;
}

static int direct_fd = -1;

static int write_directly(uint8_t *page)
{
	return direct_fd < 0 ? MISSING : outcome_of(pwrite(direct_fd, page, PAGE, 0));
}

static int read_directly(uint8_t *page)
{
	return direct_fd < 0 ? MISSING : outcome_of(pread(direct_fd, page, PAGE, 0));
}

static int register_buffer(uint8_t *page)
{
	const int err = try_hold(page);

	if (!err)
		release();
	return err;
}

static int wake_futex(uint8_t *page)
{
	return outcome_of(syscall(SYS_futex, page, FUTEX_WAKE, 1, NULL, NULL, 0));
}

/* Whatever the page has there is not a valid request. */
static int take_argument(uint8_t *page)
{
	return outcome_of(ioctl(vm.fd, KVM_SET_MEMORY_ATTRIBUTES, page + PAGE / 2));
}

/* --- by way of another process ------------------------------------------- */

static int read_parent(void *page)
{
	uint8_t copy[PAGE];
	const struct iovec to = { .iov_base = copy, .iov_len = PAGE },
		from = { .iov_base = page, .iov_len = PAGE };

	return copied(process_vm_readv(getppid(), &to, 1, &from, 1, 0), copy);
}

static int write_parent(void *page)
{
	uint8_t bytes[PAGE];
	const struct iovec from = { .iov_base = bytes, .iov_len = PAGE },
		to = { .iov_base = page, .iov_len = PAGE };

	fill(bytes);
	return outcome_of(process_vm_writev(getppid(), &from, 1, &to, 1, 0));
}

static int has_no_process_vm(void)
{
	return process_vm_readv(getpid(), NULL, 0, NULL, 0, 0) && errno == ENOSYS;
}

static int read_process(uint8_t *page)
{
	return has_no_process_vm() ? MISSING : in_child(read_parent, page);
}

static int write_process(uint8_t *page)
{
	return has_no_process_vm() ? MISSING : in_child(write_parent, page);
}

/* Runs the request on a child that has stopped. */
static int trace(uint8_t *page, bool poke)
{
	const int pid = check(fork(), "fork");
	long word;
	int outcome;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	check(waitpid(pid, NULL, WUNTRACED), "waitpid");
	errno = 0;
	if (poke) {
		outcome = outcome_of(ptrace(PTRACE_POKEDATA, pid, page, WRITTEN));
	} else {
		word = ptrace(PTRACE_PEEKDATA, pid, page, NULL);
		outcome = errno ? errno : (uint32_t)word == WORD ? 0 : WRONG_WORD;
	}
	kill(pid, SIGKILL);
	wait_for_child(pid);
	return outcome;
}

static int peek(uint8_t *page)
{
	return trace(page, false);
}

static int poke(uint8_t *page)
{
	return trace(page, true);
}

static int read_proc_mem(uint8_t *page)
{
	const int fd = check(open("/proc/self/mem", O_RDONLY | O_CLOEXEC), "/proc/self/mem");
	uint8_t copy[PAGE];
	const int outcome = copied(pread(fd, copy, sizeof(copy), (uintptr_t)page), copy);

	close(fd);
	return outcome;
}

static int write_proc_mem(uint8_t *page)
{
	const int fd = check(open("/proc/self/mem", O_RDWR | O_CLOEXEC), "/proc/self/mem");
	uint8_t bytes[PAGE];
	int outcome;

	fill(bytes);
	outcome = outcome_of(pwrite(fd, bytes, sizeof(bytes), (uintptr_t)page));
	close(fd);
	return outcome;
}

/* --- by memory management ------------------------------------------------ */

static int populate_read(uint8_t *page)
{
	return outcome_of(madvise(page, PAGE, MADV_POPULATE_READ));
}

static int populate_write(uint8_t *page)
{
	return outcome_of(madvise(page, PAGE, MADV_POPULATE_WRITE));
}

static int lock_page(uint8_t *page)
{
	const int outcome = outcome_of(mlock(page, PAGE));

	munlock(page, PAGE);
	return outcome;
}

static int bind_memory(uint8_t *page)
{
	const unsigned long nodes = 1;
	const int outcome = outcome_of(syscall(SYS_mbind, page, PAGE, MPOL_BIND, &nodes, 2, 0));

	return outcome == ENOSYS ? MISSING : outcome;
}

static int register_userfault(uint8_t *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range = { .start = (uintptr_t)page, .len = PAGE },
	};
	const int fd = check(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
	int outcome;

	check(ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	outcome = outcome_of(ioctl(fd, UFFDIO_REGISTER, &area));
	close(fd);
	return outcome;
}

/* --- by the file --------------------------------------------------------- */

static int read_file_itself(uint8_t *page)
{
	uint8_t copy[PAGE];

	return outcome_of(pread(work.fd, copy, sizeof(copy), page - work.memory));
}

static int write_file_itself(uint8_t *page)
{
	uint8_t bytes[PAGE];

	fill(bytes);
	return outcome_of(pwrite(work.fd, bytes, sizeof(bytes), page - work.memory));
}

static int splice_file(uint8_t *page)
{
	loff_t offset = page - work.memory;
	int fds[2], outcome;

	check(pipe2(fds, O_CLOEXEC), "pipe2");
	outcome = outcome_of(splice(work.fd, &offset, fds[1], NULL, PAGE, 0));
	close(fds[0]);
	close(fds[1]);
	return outcome;
}

/* The file has no other position than its beginning. */
static int send_file(uint8_t *page)
{
	const int fd = check(memfd_create("test", MFD_CLOEXEC), "memfd_create");
	const int outcome = outcome_of(sendfile(fd, work.fd, NULL, page + PAGE - work.memory));

	close(fd);
	return outcome;
}

/* --- all of them --------------------------------------------------------- */

static const struct way ways[] = {
	{ "a load", load, BUS, 0, false },
	{ "a store", store, BUS, 0, true },
	{ "a load by another process", child_loads, BUS, 0, false },
	{ "a store by another process", child_stores, BUS, 0, true },
	{ "write() from the page", write_from, EFAULT, 0, false },
	{ "read() to the page", read_to, EFAULT, 0, true },
	{ "vmsplice()", splice_from, EFAULT, 0, false },
	{ "direct I/O from the page", write_directly, EFAULT, 0, false },
	{ "direct I/O to the page", read_directly, EFAULT, 0, true },
	{ "a buffer of io_uring", register_buffer, EFAULT, 0, false },
	{ "a futex", wake_futex, EFAULT, 0, false },
	{ "the argument of an ioctl", take_argument, EFAULT, EINVAL, false },
	{ "process_vm_readv() of another process", read_process, EFAULT, 0, false },
	{ "process_vm_writev() of another process", write_process, EFAULT, 0, true },
	{ "PTRACE_PEEKDATA", peek, EIO, 0, false },
	{ "PTRACE_POKEDATA", poke, EIO, 0, true },
	{ "a read of /proc/PID/mem", read_proc_mem, EIO, 0, false },
	{ "a write of /proc/PID/mem", write_proc_mem, EIO, 0, true },
	{ "MADV_POPULATE_READ", populate_read, EFAULT, 0, false },
	{ "MADV_POPULATE_WRITE", populate_write, EFAULT, 0, false },
	{ "mlock()", lock_page, ENOMEM, 0, false },
	/* These do not touch the page, whatever it is. */
	{ "mbind()", bind_memory, 0, 0, false },
	{ "UFFDIO_REGISTER", register_userfault, EINVAL, EINVAL, false },
	{ "pread() of the file", read_file_itself, ESPIPE, ESPIPE, false },
	{ "pwrite() of the file", write_file_itself, ESPIPE, ESPIPE, false },
	{ "splice() of the file", splice_file, EINVAL, EINVAL, false },
	{ "sendfile() of the file", send_file, EINVAL, EINVAL, false },
};

static const char *name_of(int outcome)
{
	switch (outcome) {
	case 0:
		return "success";
	case BUS:
		return "SIGBUS";
	case WRONG_WORD:
		return "another word";
	}
	return strerrorname_np(outcome) ?: "an unknown outcome";
}

static bool ends_with(const struct way *way, int expected)
{
	const int outcome = way->go(work_page(TARGET));

	return outcome == expected ||
	       complain("%s: %s instead of %s", way->what, name_of(outcome), name_of(expected));
}

static void test_way(const struct way *way)
{
	if (try_store(work_page(TARGET), WORD))
		failed("storing to a shared page");
	if (way->go(work_page(TARGET)) == MISSING) {
		skip(way->what, "this kernel does not have it");
		return;
	}
	if (try_store(work_page(TARGET), WORD))
		failed("storing to a shared page");
	convert_pages(TARGET, 1, true);
	ok(ends_with(way, way->private_outcome) && guest_finds(TARGET, WORD), "private, %s: %s",
	   way->what, name_of(way->private_outcome));
	convert_pages(TARGET, 1, false);
	ok(ends_with(way, way->shared_outcome) && guest_finds(TARGET, way->writes ? WRITTEN : WORD),
	   "shared, %s: %s", way->what, name_of(way->shared_outcome));
}

/* --- through a memslot of the mapping ------------------------------------ */

#define OTHER_GPA	page_gpa(AREA_PAGES / 2)

/* Returns 0 or an errno. */
static int run_guest_read(uint64_t gpa, uint32_t *word)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	int err;

	vcpu->list[0] = gpa;
	start_guest(vcpu, guest_read, 1, 0);
	err = outcome_of(ioctl(vcpu->fd, KVM_RUN, NULL));
	*word = vcpu->found[0];
	return err;
}

/* Without the file a memslot is other memory: that it is the mapping of one must not help. */
static void test_plain_slot(void)
{
	uint32_t word;

	if (try_store(work_page(TARGET), WORD))
		failed("storing to a shared page");
	set_slot(PLAIN_SLOT, OTHER_GPA, PAGE, work_page(TARGET), -1);
	ok(!run_guest_read(OTHER_GPA, &word) && word == WORD,
	   "shared, a memslot without the file: its guest has access");
	convert_pages(TARGET, 1, true);
	ok(returns(EFAULT, run_guest_read(OTHER_GPA, &word)) && guest_finds(TARGET, WORD),
	   "private, a memslot without the file: EFAULT");
	convert_pages(TARGET, 1, false);
	ok(!run_guest_read(OTHER_GPA, &word) && word == WORD, "shared again, it has");
	set_slot(PLAIN_SLOT, OTHER_GPA, 0, NULL, -1);
}

static void test_neighbours(void)
{
	convert_pages(TARGET, 1, true);
	ok(returns(EFAULT, outcome_of(madvise(work.memory, PAGES * PAGE, MADV_POPULATE_WRITE))) &&
	   returns(ENOMEM, outcome_of(mlock(work.memory, PAGES * PAGE))) && host_is_refused(TARGET),
	   "a private page between shared ones: neither populated nor locked");
	convert_pages(TARGET, 1, false);
	ok(returns(0, outcome_of(mlock(work.memory, PAGES * PAGE))) &&
	   returns(0, try_convert_pages(0, PAGES, true)) &&
	   host_is_refused(TARGET), "locked memory does not hold a page");
	munlock(work.memory, PAGES * PAGE);
	convert_pages(0, PAGES, false);
}

void test_access(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	direct_fd = fuse_open();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		test_way(&ways[i]);
	test_plain_slot();
	test_neighbours();
	destroy_work();
}
