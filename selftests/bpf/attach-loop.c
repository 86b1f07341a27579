// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches a policy to a VM of another process and detaches it again, many times.
 *
 * usage: attach-loop POLICY.bpf.o NAME PID VMFD CYCLES
 *
 * The policy is loaded once: what is exercised is the kernel's attaching and detaching, while the
 * VM converts memory.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

/* The members of struct kvm_memattr_ops as libbpf presents them: programs by reference. */
struct policy_value {
	struct bpf_program *vm_attach, *vm_detach, *convert, *zap;
	int32_t vm_fd;
};

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct policy_value *value;
	struct bpf_link *link;
	struct bpf_map *map;
	int pidfd, cycles, i;
	size_t size;

	if (argc != 6)
		errx(2, "usage: attach-loop POLICY.bpf.o NAME PID VMFD CYCLES");
	pidfd = syscall(SYS_pidfd_open, atoi(argv[3]), 0);
	if (pidfd < 0)
		err(1, "pid %s", argv[3]);
	object = bpf_object__open(argv[1]);
	map = object ? bpf_object__find_map_by_name(object, argv[2]) : NULL;
	value = map ? bpf_map__initial_value(map, &size) : NULL;
	if (!value || size < sizeof(*value))
		errx(1, "%s: no policy named %s", argv[1], argv[2]);
	value->vm_fd = syscall(SYS_pidfd_getfd, pidfd, atoi(argv[4]), 0);
	if (value->vm_fd < 0)
		err(1, "descriptor %s of pid %s", argv[4], argv[3]);
	if (bpf_object__load(object))
		err(1, "cannot load %s", argv[1]);

	cycles = atoi(argv[5]);
	for (i = 0; i < cycles; i++) {
		link = bpf_map__attach_struct_ops(map);
		if (!link)
			err(1, "cycle %d: cannot attach", i);
		if (bpf_link__destroy(link))
			err(1, "cycle %d: cannot detach", i);
	}
	printf("%d cycles\n", i);
	return 0;
}
