// SPDX-License-Identifier: GPL-2.0
/*
 * A VM by hand: creates software-protected VMs without vCPUs and does to the first what standard
 * input says, a command a line, with one line of answer each: "ok", or an errno's name.
 *
 *	vmsh [VMS]
 *	private GFN PAGES	KVM_SET_MEMORY_ATTRIBUTES
 *	shared GFN PAGES
 *	attach FILE vm|all|null|closed
 *				attaches a policy without memattr-policy's checks, with the VM, -1,
 *				/dev/null or an unused descriptor as vm_fd
 *	again			attaches the same map once more
 *	detach			closes the link
 *
 * At first it says which descriptors its VMs have, "vms FD...". It ends with its input.
 */
#define _GNU_SOURCE
#include "kvm_btf.h"
#include "../guest/kvm-abi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE 4096ULL
#define MAX_VMS 16

/* The only memslot. There is room on both sides of it, for a policy to zap where it must not. */
#define SLOT_GFN 0x1000ULL
#define SLOT_PAGES 4096ULL

#define UNUSED_FD 1000

static int vm_fds[MAX_VMS];
static struct bpf_object *object;
static struct bpf_map *ops;
static struct bpf_link *attached;

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static int create_vm(void)
{
	struct kvm_create_guest_memfd gmem = { .size = SLOT_PAGES * PAGE_SIZE };
	struct kvm_userspace_memory_region2 slot = {
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = SLOT_GFN * PAGE_SIZE,
		.memory_size = SLOT_PAGES * PAGE_SIZE,
	};
	int kvm, vm, memfd;
	void *memory;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	if (vm < 0)
		die("KVM_CREATE_VM");
	memfd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &gmem);
	if (memfd < 0)
		die("KVM_CREATE_GUEST_MEMFD");
	memory = mmap(NULL, slot.memory_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	slot.userspace_addr = (uintptr_t)memory;
	slot.guest_memfd = memfd;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &slot))
		die("KVM_SET_USER_MEMORY_REGION2");
	close(memfd);
	close(kvm);
	return vm;
}

static int convert(uint64_t gfn, uint64_t pages, uint64_t attributes)
{
	struct kvm_memory_attributes request = {
		.address = gfn * PAGE_SIZE,
		.size = pages * PAGE_SIZE,
		.attributes = attributes,
	};

	return ioctl(vm_fds[0], KVM_SET_MEMORY_ATTRIBUTES, &request) ? -errno : 0;
}

/*
 * Asks for random small ranges to be shared, in and around the window of @pages at gfn @window.
 * Those that lie inside must succeed, all others get -EPERM.
 */
static int share_at_random(unsigned long long count, uint64_t window, uint64_t pages)
{
	uint64_t random = 0x9e3779b97f4a7c15, inside = 0;

	for (unsigned long long i = 0; i < count; i++) {
		uint64_t gfn, size;
		int ret;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		gfn = window - pages + (random >> 8) % (3 * pages);
		size = 1 + (random >> 40) % 16;
		ret = convert(gfn, size, 0);
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

static int attach_again(void)
{
	struct bpf_link *new = bpf_map__attach_struct_ops(ops);

	if (!new)
		return -errno;
	/* A second link is what must not be: keep the first one's place for it. */
	attached = new;
	return 0;
}

static int attach(const char *file, int32_t vm_fd)
{
	const struct btf_type *type;
	struct bpf_map *map;
	int err, offset;
	char *value;

	object = bpf_object__open_file(file, NULL);
	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object)
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			ops = map;
	if (!ops)
		return -ENOENT;
	type = btf__type_by_id(bpf_object__btf(object), bpf_map__btf_value_type_id(ops));
	offset = btf_member_offset(bpf_object__btf(object), type, "vm_fd");
	value = bpf_map__initial_value(ops, NULL);
	memcpy(value + offset, &vm_fd, sizeof(vm_fd));
	err = bpf_object__load(object);
	return err ?: attach_again();
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

static int attach_to(const char *file, const char *target)
{
	if (!strcmp(target, "vm"))
		return attach(file, vm_fds[0]);
	if (!strcmp(target, "all"))
		return attach(file, -1);
	if (!strcmp(target, "null"))
		return attach(file, open("/dev/null", O_RDWR | O_CLOEXEC));
	if (!strcmp(target, "closed"))
		return attach(file, UNUSED_FD);
	return -EINVAL;
}

static int command(char *line)
{
	char file[256], target[16];
	unsigned long long count, gfn, pages;

	if (sscanf(line, "private %lli %lli", &gfn, &pages) == 2)
		return convert(gfn, pages, KVM_MEMORY_ATTRIBUTE_PRIVATE);
	if (sscanf(line, "shared %lli %lli", &gfn, &pages) == 2)
		return convert(gfn, pages, 0);
	if (sscanf(line, "share-at-random %lli %lli %lli", &count, &gfn, &pages) == 3)
		return share_at_random(count, gfn, pages);
	if (sscanf(line, "attach %255s %15s", file, target) == 2)
		return attach_to(file, target);
	if (!strcmp(line, "again"))
		return attach_again();
	if (!strcmp(line, "detach"))
		return detach();
	return -ENOSYS;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	char line[512];

	if (count < 1 || count > MAX_VMS)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < count; i++)
		vm_fds[i] = create_vm();
	printf("vms");
	for (int i = 0; i < count; i++)
		printf(" %d", vm_fds[i]);
	printf("\n");

	while (fgets(line, sizeof(line), stdin)) {
		int err;

		line[strcspn(line, "\n")] = '\0';
		err = command(line);
		printf("%s\n", err ? strerrorname_np(-err) ?: "unknown" : "ok");
	}
	return 0;
}
