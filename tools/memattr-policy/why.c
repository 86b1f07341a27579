// SPDX-License-Identifier: GPL-2.0
/* why: waits until a conversion in place fails because a page is in use, and says who uses it. */
#define _GNU_SOURCE
#include "command.h"
#include "kvm_core.h"
#include "process.h"
#include "vm_text.h"
#include "why.skel.h"
#include "why_report.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IN_PLACE "/sys/module/kvm/parameters/gmem_in_place_conversion"

struct why {
	struct why_bpf *bpf;
	struct ring_buffer *ring;
	struct vm vm;
	struct process process;	/* the VM's */
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

static int report_nothing(const struct why *why, bool ended)
{
	char text[VM_TEXT_LEN];

	vm_text(&why->vm, text);
	if (ended)
		return diag_fail(EXIT_VM_ENDED, NULL, "%s has ended", text);
	return diag_fail(EXIT_NOTHING, NULL,
			 "no conversion of %s failed meanwhile because of a page in use", text);
}

static int wait_for_event(struct why *why, unsigned int seconds)
{
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(why->ring), .events = POLLIN },
		{ .fd = open_signals(), .events = POLLIN },
		{ .fd = open_timer(seconds), .events = POLLIN },
		{ .fd = why->process.pidfd, .events = POLLIN },
	};

	while (!why->told) {
		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			return diag_fail(EXIT_FAILED, NULL, "why: poll: %s", strerror(errno));
		/* An event that came just before the signal still counts. */
		ring_buffer__consume(why->ring);
		if (!why->told && process_has_ended(&why->process))
			return report_nothing(why, true);
		if (!why->told && (fds[1].revents || fds[2].revents))
			return report_nothing(why, false);
	}
	return EXIT_OK;
}

int command_why(const struct options *options)
{
	struct why why = { .json = options->json, .process.pidfd = -1 };
	char text[VM_TEXT_LEN];
	struct diag diag;
	int ret;

	if (!diag_has(DIAG_BPF_RIGHTS, &diag) || !diag_has(DIAG_HELD_TRACEPOINT, &diag))
		return diag_print(&diag, EXIT_SYSTEM);
	ret = need_in_place();
	if (!ret)
		ret = choose_vm(options, &why.vm);
	/* When its process ends, nothing can happen any more. */
	if (!ret && process_open(&why.process, why.vm.pid))
		ret = report_nothing(&why, true);
	if (!ret)
		ret = load(&why, why.vm.id);
	if (!ret) {
		fprintf(stderr,
			"%s: waiting for a conversion of %s that fails because of a page in use\n",
			program_invocation_short_name, vm_text(&why.vm, text));
		ret = wait_for_event(&why, options->timeout_s);
	}
	process_close(&why.process);
	ring_buffer__free(why.ring);
	why_bpf__destroy(why.bpf);
	return ret;
}
