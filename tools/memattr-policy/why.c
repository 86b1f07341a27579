// SPDX-License-Identifier: GPL-2.0
/* why: waits until a conversion in place fails because a page is in use, and says who uses it. */
#define _GNU_SOURCE
#include "command.h"
#include "kvm_core.h"
#include "why.skel.h"
#include "why_report.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IN_PLACE "/sys/module/kvm/parameters/gmem_in_place_conversion"

struct why {
	struct why_bpf *bpf;
	struct ring_buffer *ring;
	struct vm vm;
	bool json;
	bool told;
};

static int on_event(void *context, void *data, size_t size)
{
	struct why *why = context;

	(void)size;
	if (why->json)
		why_report_json(stdout, &why->vm, data);
	else
		why_report_text(stdout, &why->vm, data);
	why->told = true;
	return 0;
}

static int need_in_place(void)
{
	FILE *parameter = fopen(IN_PLACE, "re");
	int value = parameter ? fgetc(parameter) : EOF;

	if (parameter)
		fclose(parameter);
	if (value == 'Y')
		return EXIT_OK;
	return diag_fail(EXIT_SYSTEM, "load KVM with kvm.gmem_in_place_conversion=1",
			 "KVM does not convert in place here, so no page can hold up a conversion: "
			 IN_PLACE " is not Y");
}

/* KVM's number of the VM, which no other VM ever has. */
static int find_vm_id(const struct vm *vm, uint64_t *id)
{
	char path[64], line[128];
	bool found = false;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", vm->pid, vm->fd);
	info = fopen(path, "re");
	while (info && !found && fgets(line, sizeof(line), info))
		found = sscanf(line, "kvm_vm_id: %" SCNu64, id) == 1;
	if (info)
		fclose(info);
	if (found)
		return EXIT_OK;
	return diag_fail(EXIT_NO_VM, "memattr-policy show",
			 "cannot read the number of VM %d-%d from %s", vm->pid, vm->fd, path);
}

static int load(struct why *why, uint64_t vm_id)
{
	struct kvm_core core;
	struct diag diag;
	int err = kvm_core_open(&core);

	if (err)
		return diag_fail(EXIT_SYSTEM, NULL, "why: cannot read KVM's types: %s", strerror(-err));
	why->bpf = why_bpf__open_opts(core.options);
	if (!why->bpf) {
		kvm_core_close(&core);
		return diag_fail(EXIT_FAILED, NULL, "why: %s", strerror(errno));
	}
	why->bpf->rodata->only_vm_id = vm_id;
	err = why_bpf__load(why->bpf);
	kvm_core_close(&core);
	if (err) {
		diag_bpf_load(&diag, err);
		return diag_print(&diag, EXIT_SYSTEM);
	}
	why->ring = ring_buffer__new(bpf_map__fd(why->bpf->maps.ring), on_event, why, NULL);
	if (!why->ring)
		return diag_fail(EXIT_FAILED, NULL, "why: cannot map the ring: %s",
				 strerror(errno));
	err = why_bpf__attach(why->bpf);
	if (err)
		return diag_fail(EXIT_SYSTEM, "run it again with -v to see what libbpf says",
				 "why: cannot attach to kvm_gmem_held: %s", strerror(-err));
	return EXIT_OK;
}

/* Without a time limit the timer is never started. */
static int open_timer(unsigned int seconds)
{
	const struct itimerspec limit = { .it_value.tv_sec = seconds };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	timerfd_settime(fd, 0, &limit, NULL);
	return fd;
}

/* The VM's process has ended: nothing can happen any more. */
static bool has_ended(const struct vm *vm)
{
	return kill(vm->pid, 0) && errno == ESRCH;
}

static int wait_for_event(struct why *why, unsigned int seconds)
{
	/* Notices the VM's end. */
	const int poll_ms = 1000;
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(why->ring), .events = POLLIN },
		{ .fd = open_signals(), .events = POLLIN },
		{ .fd = open_timer(seconds), .events = POLLIN },
	};

	while (!why->told) {
		if (poll(fds, 3, poll_ms) < 0 && errno != EINTR)
			return diag_fail(EXIT_FAILED, NULL, "why: poll: %s", strerror(errno));
		/* An event that came just before the signal still counts. */
		ring_buffer__consume(why->ring);
		if (!why->told && has_ended(&why->vm))
			return diag_fail(EXIT_VM_ENDED, NULL, "VM %d-%d (%s) has ended",
					 why->vm.pid, why->vm.fd, why->vm.name);
		if (!why->told && (fds[1].revents || fds[2].revents))
			return diag_fail(
				EXIT_NOTHING, NULL,
				"no conversion of VM %d-%d (%s) failed meanwhile because of a page in use",
				why->vm.pid, why->vm.fd, why->vm.name);
	}
	if (fflush(stdout) || ferror(stdout))
		return diag_no_output(EXIT_FAILED, "the report", -errno);
	return EXIT_OK;
}

int command_why(const struct options *options)
{
	struct why why = { .json = options->json };
	uint64_t vm_id = 0;
	struct diag diag;
	int ret;

	if (!diag_has(DIAG_BPF_RIGHTS, &diag) || !diag_has(DIAG_HELD_TRACEPOINT, &diag))
		return diag_print(&diag, EXIT_SYSTEM);
	ret = need_in_place();
	if (!ret)
		ret = choose_vm(options, &why.vm);
	if (!ret)
		ret = find_vm_id(&why.vm, &vm_id);
	if (!ret)
		ret = load(&why, vm_id);
	if (!ret) {
		fprintf(stderr,
			"%s: waiting for a conversion of VM %d-%d (%s) that fails because of a page in use\n",
			program_invocation_short_name, why.vm.pid, why.vm.fd, why.vm.name);
		ret = wait_for_event(&why, options->timeout_s);
	}
	ring_buffer__free(why.ring);
	why_bpf__destroy(why.bpf);
	return ret;
}
