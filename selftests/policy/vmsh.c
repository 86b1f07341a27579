// SPDX-License-Identifier: GPL-2.0
/*
 * A VM by hand: creates software-protected VMs without vCPUs, one if not said, and does to the first
 * what standard input says, a command a line, with one line of answer each: "ok", an errno's name, or
 * what was asked for. Without a VM there are only policies.
 *
 *	vmsh [VMS]
 *	private GFN PAGES	KVM_SET_MEMORY_ATTRIBUTES
 *	shared GFN PAGES
 *	stripes GFN PAGES	every other page private
 *	share-at-random COUNT GFN PAGES
 *	expect ok|ERRNO		a thread converts from now on; each time that must be the result
 *	expected		it ends: "ok", or what else it got, EEXIST for a conversion
 *	stat NAME		a counter, from the VM's binary statistics
 *	attach FILE vm|all|null|closed|PID:FD
 *				attaches a policy without memattr-policy's checks, with the VM, -1,
 *				/dev/null, an unused descriptor or another process's as vm_fd
 *	load FILE vm|all|null|closed|PID:FD
 *				the first half of attach
 *	again			the second half, also with a map that is attached
 *	update			the link gets what was loaded last in the place of what it has
 *	updates COUNT		so often, what was loaded last and what before it in turns
 *	cycles COUNT		what was loaded last is attached and detached so often
 *	replacements COUNT	as cycles, but it is updated to what was loaded before it
 *	detach			closes the link
 *	release GFN PAGES	punches a hole into the private memory
 *	delete-slot		the VM is without memory from then on
 *	drop-admin		gives up CAP_SYS_ADMIN
 *	stall			the address of a page that is not there until "resume"
 *	stalled GFN PAGES	a thread has them made private: "ok" once somebody waits for the page
 *	resume			the page comes: what became of the conversion
 *	error-offset		what the last conversion in place left there, or "none"
 *	gmem			the descriptor of the private memory
 *	address GFN		where this process has mapped it
 *	touch GFN		this process reads it: "ok" or "SIGBUS"
 *
 * If KVM converts in place, the guest_memfd is all of the VM's memory and mapped into this process, shared at
 * first, and conversions are those of KVM_SET_MEMORY_ATTRIBUTES2.
 *
 * At first it says which descriptors its VMs have, "vms FD...". It ends with its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvmstat.h"
#include "policy.h"
#include "random.h"
#include "testvm.h"
#include "touch.h"

#define MAX_VMS 256

/* The only memslot. There is room on both sides of it, for a policy to zap where it must not. */
#define SLOT_GFN 0x1000ULL
#define SLOT_PAGES 4096ULL

#define UNUSED_FD 1000

static int vm_fds[MAX_VMS];
static int private_fd = -1;		/* the first VM's private memory */
static uint8_t *memory;			/* what is mapped of it in place, else its shared memory */
static bool in_place;
static uint64_t error_offset;		/* of the last conversion in place */
static struct bpf_object *object;
static struct bpf_map *ops, *earlier_ops;	/* loaded */
static struct bpf_link *attached;
static char answer[32];			/* instead of "ok", if not empty */

/* What converts beside the commands. */
static pthread_t converter;
static int expected;
static atomic_bool converter_stops;
static uint64_t stalled_gfn, stalled_pages;

/* A page that whoever touches it has to wait for. */
static int userfault = -1;
static void *stall_page;

static int create_vm(void)
{
	const uint64_t flags = in_place ? GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED : 0;
	int vm_fd = create_protected_vm_fd();
	int gmem_fd = check(try_create_gmem(vm_fd, SLOT_PAGES * PAGE, flags), "KVM_CREATE_GUEST_MEMFD");
	uint8_t *mapped = in_place ? map_file(gmem_fd, SLOT_PAGES * PAGE, MAP_SHARED) :
				     map_memory(SLOT_GFN * PAGE, SLOT_PAGES * PAGE);

	set_memslot(vm_fd, 0, SLOT_GFN * PAGE, SLOT_PAGES * PAGE, mapped, gmem_fd);
	if (private_fd < 0) {
		private_fd = gmem_fd;
		memory = mapped;
	} else {
		close(gmem_fd);
	}
	return vm_fd;
}

static int release(uint64_t gfn, uint64_t pages)
{
	return -try_punch(private_fd, (gfn - SLOT_GFN) * PAGE, pages * PAGE);
}

static int delete_slot(void)
{
	struct kvm_userspace_memory_region2 none = { .guest_phys_addr = SLOT_GFN * PAGE };

	return -try_set_region(vm_fds[0], &none);
}

static int convert(uint64_t gfn, uint64_t pages, uint64_t attributes)
{
	if (!in_place)
		return -try_set_attributes(vm_fds[0], gfn * PAGE, pages * PAGE, attributes);
	error_offset = UINT64_MAX;
	return -try_convert(private_fd, (gfn - SLOT_GFN) * PAGE, pages * PAGE, attributes, &error_offset);
}

/*
 * Asks for random small ranges to be shared, in and around the window of @pages at gfn @window.
 * Those that lie inside must succeed, all others get -EPERM.
 */
static int share_at_random(unsigned long long count, uint64_t window, uint64_t pages)
{
	uint64_t state = seed_random(0), inside = 0;

	for (unsigned long long i = 0; i < count; i++) {
		uint64_t gfn = window - pages + next_random(&state) % (3 * pages);
		uint64_t size = 1 + next_random(&state) % 16;
		int ret = convert(gfn, size, 0);

		if (gfn >= window && gfn + size <= window + pages) {
			inside++;
			if (ret)
				return ret;
		} else if (ret != -EPERM) {
			return ret ?: -EEXIST;
		}
	}
	return inside ? 0 : -ENODATA;
}

static int make_stripes(uint64_t gfn, uint64_t pages)
{
	int ret = 0;

	for (uint64_t i = 0; !ret && i < pages; i += 2)
		ret = convert(gfn + i, 1, PRIVATE);
	return ret;
}

/* Returns what a conversion gave that was not expected, or NULL. */
static void *convert_on(void *unused)
{
	uint64_t done = 0;

	(void)unused;
	/* One at least, and what changes is a page each time. */
	do {
		int ret = convert(SLOT_GFN + done / 2 % SLOT_PAGES, 1,
				  done % 2 ? 0 : PRIVATE);

		if (ret != expected)
			return (void *)(intptr_t)(ret ?: -EEXIST);
		done++;
	} while (!converter_stops);
	return NULL;
}

static int expect(const char *name)
{
	expected = 0;
	for (int i = 1; strcmp(name, "ok") && !expected; i++) {
		if (!strerrorname_np(i))
			return -EINVAL;
		if (!strcmp(strerrorname_np(i), name))
			expected = -i;
	}
	converter_stops = false;
	return -pthread_create(&converter, NULL, convert_on, NULL);
}

static int converter_result(void)
{
	void *result;

	if (pthread_join(converter, &result))
		return -ESRCH;
	return (intptr_t)result;
}

static int end_expect(void)
{
	converter_stops = true;
	return converter_result();
}

static int stall(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	userfault = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (userfault < 0 || ioctl(userfault, UFFDIO_API, &api))
		return -errno;
	stall_page = map_memory(0, PAGE);
	range.range.start = (uintptr_t)stall_page;
	range.range.len = PAGE;
	if (ioctl(userfault, UFFDIO_REGISTER, &range))
		return -errno;
	snprintf(answer, sizeof(answer), "%#lx", (unsigned long)stall_page);
	return 0;
}

static void *convert_stalled(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)convert(stalled_gfn, stalled_pages, PRIVATE);
}

static int start_stalled(uint64_t gfn, uint64_t pages)
{
	struct pollfd fault = { .fd = userfault, .events = POLLIN };
	struct uffd_msg message;
	int err;

	stalled_gfn = gfn;
	stalled_pages = pages;
	err = pthread_create(&converter, NULL, convert_stalled, NULL);
	if (err)
		return -err;
	if (poll(&fault, 1, 60000) != 1)
		return -ETIME;
	return read(userfault, &message, sizeof(message)) == sizeof(message) ? 0 : -EIO;
}

static int resume(void)
{
	static char content[PAGE] __attribute__((aligned(4096))) = "memattr";
	struct uffdio_copy copy = {
		.dst = (uintptr_t)stall_page,
		.src = (uintptr_t)content,
		.len = PAGE,
	};

	if (ioctl(userfault, UFFDIO_COPY, &copy))
		return -errno;
	return converter_result();
}

static int tell_stat(const char *name)
{
	int stats_fd = open_stats(vm_fds[0]);
	uint64_t value;
	bool found = read_stat(stats_fd, name, &value);

	close(stats_fd);
	if (found)
		snprintf(answer, sizeof(answer), "%llu", (unsigned long long)value);
	return found ? 0 : -ENOENT;
}

static int tell_error_offset(void)
{
	if (error_offset == UINT64_MAX)
		strcpy(answer, "none");
	else
		snprintf(answer, sizeof(answer), "%#llx", (unsigned long long)error_offset);
	return 0;
}

static int tell_fd(int fd)
{
	snprintf(answer, sizeof(answer), "%d", fd);
	return 0;
}

static uint8_t *page_of(uint64_t gfn)
{
	return memory + (gfn - SLOT_GFN) * PAGE;
}

static int tell_address(uint64_t gfn)
{
	snprintf(answer, sizeof(answer), "%#lx", (unsigned long)page_of(gfn));
	return 0;
}

static int touch(uint64_t gfn)
{
	uint32_t word;

	if (try_load(page_of(gfn), &word))
		strcpy(answer, "SIGBUS");
	return 0;
}

static int drop_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &header, caps))
		return -errno;
	caps[0].effective &= ~(1U << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, caps) ? -errno : 0;
}

static int attach_again(void)
{
	struct bpf_link *new = bpf_map__attach_struct_ops(ops);

	if (!new)
		return -errno;
	/* A second link is what must not be: keep the first one's place for it. */
	attached = new;
	return 0;
}

/* What the link had stays loaded. */
static int update(void)
{
	return attached && ops ? bpf_link__update_map(attached, ops) : -ENOENT;
}

static int update_in_turns(unsigned long long count)
{
	int ret = attached && ops && earlier_ops ? 0 : -ENOENT;

	for (unsigned long long i = 0; !ret && i < count; i++)
		ret = bpf_link__update_map(attached, i % 2 ? earlier_ops : ops);
	return ret;
}

static int attach_and_detach(unsigned long long count, bool replace)
{
	int ret = ops && (earlier_ops || !replace) ? 0 : -ENOENT;

	while (!ret && count--) {
		struct bpf_link *link = bpf_map__attach_struct_ops(ops);

		if (!link)
			return -errno;
		if (replace)
			ret = bpf_link__update_map(link, earlier_ops);
		ret = bpf_link__destroy(link) ?: ret;
	}
	return ret;
}

static int load(const char *file, int32_t vm_fd)
{
	int32_t *member;

	object = bpf_object__open_file(file, kvm_open_options());
	if (!object)
		return -errno;
	earlier_ops = ops;
	ops = find_policy(object);
	member = ops ? policy_member(object, ops, "vm_fd") : NULL;
	if (!member)
		return -ENOENT;
	*member = vm_fd;
	return bpf_object__load(object);
}

static int detach(void)
{
	if (!attached)
		return -ENOENT;
	bpf_link__destroy(attached);
	bpf_object__close(object);
	attached = NULL;
	object = NULL;
	ops = NULL;
	return 0;
}

static int load_for(const char *file, const char *target)
{
	int pid, fd;

	if (!strcmp(target, "vm"))
		return load(file, vm_fds[0]);
	if (!strcmp(target, "all"))
		return load(file, -1);
	if (!strcmp(target, "null"))
		return load(file, open("/dev/null", O_RDWR | O_CLOEXEC));
	if (!strcmp(target, "closed"))
		return load(file, UNUSED_FD);
	if (sscanf(target, "%d:%d", &pid, &fd) == 2)
		return load(file, syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), fd, 0));
	return -EINVAL;
}

static int memory_command(const char *line)
{
	unsigned long long gfn;

	if (!strcmp(line, "error-offset"))
		return tell_error_offset();
	if (!strcmp(line, "gmem"))
		return tell_fd(private_fd);
	if (sscanf(line, "address %lli", &gfn) == 1)
		return tell_address(gfn);
	if (sscanf(line, "touch %lli", &gfn) == 1)
		return touch(gfn);
	return -ENOSYS;
}

static int command(char *line)
{
	char file[256], target[16], name[64];
	unsigned long long count, gfn, pages;

	if (sscanf(line, "private %lli %lli", &gfn, &pages) == 2)
		return convert(gfn, pages, PRIVATE);
	if (sscanf(line, "shared %lli %lli", &gfn, &pages) == 2)
		return convert(gfn, pages, 0);
	if (sscanf(line, "share-at-random %lli %lli %lli", &count, &gfn, &pages) == 3)
		return share_at_random(count, gfn, pages);
	if (sscanf(line, "stripes %lli %lli", &gfn, &pages) == 2)
		return make_stripes(gfn, pages);
	if (!strcmp(line, "expected"))
		return end_expect();
	if (sscanf(line, "expect %63s", name) == 1)
		return expect(name);
	if (sscanf(line, "stat %63s", name) == 1)
		return tell_stat(name);
	if (sscanf(line, "load %255s %15s", file, target) == 2)
		return load_for(file, target);
	if (sscanf(line, "attach %255s %15s", file, target) == 2)
		return load_for(file, target) ?: attach_again();
	if (!strcmp(line, "again"))
		return attach_again();
	if (!strcmp(line, "update"))
		return update();
	if (sscanf(line, "updates %llu", &count) == 1)
		return update_in_turns(count);
	if (sscanf(line, "cycles %llu", &count) == 1)
		return attach_and_detach(count, false);
	if (sscanf(line, "replacements %llu", &count) == 1)
		return attach_and_detach(count, true);
	if (!strcmp(line, "detach"))
		return detach();
	if (sscanf(line, "release %lli %lli", &gfn, &pages) == 2)
		return release(gfn, pages);
	if (!strcmp(line, "delete-slot"))
		return delete_slot();
	if (!strcmp(line, "drop-admin"))
		return drop_admin();
	if (!strcmp(line, "stall"))
		return stall();
	if (sscanf(line, "stalled %lli %lli", &gfn, &pages) == 2)
		return start_stalled(gfn, pages);
	if (!strcmp(line, "resume"))
		return resume();
	return memory_command(line);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	char line[512];

	if (count < 0 || count > MAX_VMS)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	catch_bus_errors();
	in_place = converts_in_place();
	for (int i = 0; i < count; i++)
		vm_fds[i] = create_vm();
	printf("vms");
	for (int i = 0; i < count; i++)
		printf(" %d", vm_fds[i]);
	printf("\n");

	while (fgets(line, sizeof(line), stdin)) {
		int err;

		line[strcspn(line, "\n")] = '\0';
		answer[0] = '\0';
		err = command(line);
		if (err)
			printf("%s\n", strerrorname_np(-err) ?: "unknown");
		else
			printf("%s\n", answer[0] ? answer : "ok");
	}
	return 0;
}
