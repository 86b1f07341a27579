// SPDX-License-Identifier: GPL-2.0
/* audit: prints what audit.bpf.c sees, until it is interrupted. */
#define _GNU_SOURCE
#include "audit_record.h"
#include "audit_vms.h"
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* This many events are printed before they are flushed and before signals and losses are checked. */
#define BATCH 1024

/* A batch fits, so that only flush() writes anything, and sees the errors. */
#define BUFFER_SIZE (BATCH * 1024)

/* It takes this long at most to notice a loss, or a signal that came just before the wait. */
#define WAIT_MS 200

#define PROGRAMS 2
static const char * const program_names[PROGRAMS] = { "audit_convert", "audit_exit" };

struct audit {
	struct policy file;
	struct bpf_program *programs[PROGRAMS];
	struct bpf_link *links[PROGRAMS];
	struct bpf_map *control;
	struct ring_buffer *ring;
	struct audit_record record;
	uint64_t recorded;	/* events that are written */
	uint64_t lost;		/* events that are reported as lost */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

/*
 * The second signal ends the process as usual: a reader of the output that has stopped reading would
 * otherwise block it forever.
 */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* If the reader is gone, that is an error like a full disk. */
	signal(SIGPIPE, SIG_IGN);
}

static int on_event(void *context, void *data, size_t size)
{
	const struct audit_event *event = data;
	struct audit *audit = context;

	(void)size;
	if (event->kind == AUDIT_CONVERT)
		audit_record_convert(&audit->record, audit_vms_find(&event->vm), data);
	else
		audit_record_exit(&audit->record, audit_vms_find(&event->vm), data);
	return 0;
}

/* Counts events for which the ring had no room, and calls of the programs that the kernel skipped. */
static uint64_t count_lost(const struct audit *audit)
{
	struct audit_control control = {};
	uint32_t first = 0;
	uint64_t lost;

	bpf_map_lookup_elem(bpf_map__fd(audit->control), &first, &control);
	lost = control.lost;
	for (int i = 0; i < PROGRAMS; i++) {
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);

		if (!bpf_prog_get_info_by_fd(bpf_program__fd(audit->programs[i]), &info, &len))
			lost += info.recursion_misses;
	}
	return lost;
}

static int flush(const struct audit *audit)
{
	if (!fflush(audit->record.out) && !ferror(audit->record.out))
		return EXIT_OK;
	return diag_no_output(EXIT_FAILED, "the audit record", -errno);
}

/* Prints the events in the ring, at most a batch. *@count says how many it printed. */
static int print_batch(struct audit *audit, int *count)
{
	uint64_t lost;
	int ret;

	audit_record_sync(&audit->record);
	*count = ring_buffer__consume_n(audit->ring, BATCH);
	if (*count < 0)
		return diag_fail(EXIT_FAILED, NULL, "audit: cannot read the ring: %s",
				 strerror(-*count));
	lost = count_lost(audit);
	if (lost > audit->lost)
		audit_record_lost(&audit->record, lost - audit->lost);
	audit->lost = lost;
	ret = flush(audit);
	if (!ret)
		audit->recorded += *count;
	return ret;
}

static int print_until_interrupted(struct audit *audit)
{
	struct pollfd ring = { .fd = ring_buffer__epoll_fd(audit->ring), .events = POLLIN };
	int ret = EXIT_OK, count;

	while (!ret && !interrupted) {
		if (poll(&ring, 1, WAIT_MS) < 0 && errno != EINTR)
			return diag_fail(EXIT_FAILED, NULL, "audit: poll: %s", strerror(errno));
		ret = print_batch(audit, &count);
	}
	return ret;
}

/* A program that still runs after its link is gone is in the middle of an event: wait for it. */
static void detach(struct audit *audit)
{
	for (int i = 0; i < PROGRAMS; i++) {
		bpf_link__destroy(audit->links[i]);
		audit->links[i] = NULL;
	}
	/* Wait for a grace period: a tracepoint's programs run in an RCU read-side critical section. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static int attach(struct audit *audit)
{
	for (int i = 0; i < PROGRAMS; i++) {
		audit->links[i] = bpf_program__attach(audit->programs[i]);
		if (!audit->links[i])
			return diag_fail(EXIT_SYSTEM, "run it again with -v to see what libbpf says",
					 "audit: cannot attach %s: %s", program_names[i],
					 strerror(errno));
	}
	return EXIT_OK;
}

static int set_only(const struct audit *audit, uint64_t kvm)
{
	struct audit_control control = { .only_kvm = kvm };
	uint32_t first = 0;

	if (bpf_map_update_elem(bpf_map__fd(audit->control), &first, &control, BPF_ANY))
		return diag_fail(EXIT_FAILED, NULL, "audit: cannot set the VM: %s", strerror(errno));
	return EXIT_OK;
}

/* Learns who the VMs are while they still exist, and sets *@kvm to the address of @only, if given. */
static int list_vms(const struct audit *audit, FILE *list, const struct vm *only, uint64_t *kvm)
{
	struct audit_vm_fd seen;

	while (fread(&seen, sizeof(seen), 1, list)) {
		struct vm vm = *audit_vms_find(&seen.vm);

		/* Without debugfs this is the only known descriptor. */
		if (vm.fd == UNKNOWN_FD && seen.vm.pid) {
			vm.fd = seen.fd;
			audit_vms_add(&seen.vm, &vm);
		}
		if (only && seen.vm.pid == only->pid && seen.fd == only->fd)
			*kvm = seen.vm.kvm;
	}
	if (!only)
		return EXIT_OK;
	if (!*kvm)
		return diag_fail(EXIT_NO_VM, "memattr-policy show",
				 "audit: no process has a descriptor of VM %d-%d any more", only->pid,
				 only->fd);
	return set_only(audit, *kvm);
}

static int find_vms(const struct audit *audit, const struct vm *only)
{
	struct bpf_link *link;
	FILE *list = NULL;
	uint64_t kvm = 0;
	int fd, ret;

	link = bpf_program__attach_iter(bpf_object__find_program_by_name(audit->file.obj,
									 "audit_list"), NULL);
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	if (fd >= 0)
		list = fdopen(fd, "r");
	if (list)
		ret = list_vms(audit, list, only, &kvm);
	else
		ret = diag_fail(EXIT_SYSTEM, "run it again with -v to see what libbpf says",
				"audit: cannot list the VMs: %s", strerror(errno));
	if (list)
		fclose(list);
	else if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return ret;
}

static int load(struct audit *audit, const struct options *options)
{
	struct bpf_object *obj = audit->file.obj;
	struct bpf_map *ring = bpf_object__find_map_by_name(obj, AUDIT_RING);
	int ret;

	ret = exit_kinds_load(&audit->record.exit_kinds);
	if (ret)
		return diag_fail(EXIT_SYSTEM, NULL,
				 "audit: cannot read from KVM's BTF why policies leave: %s",
				 strerror(-ret));
	audit->control = bpf_object__find_map_by_name(obj, AUDIT_CONTROL);
	for (int i = 0; i < PROGRAMS; i++)
		audit->programs[i] = bpf_object__find_program_by_name(obj, program_names[i]);
	/* libbpf rounds it up. */
	bpf_map__set_max_entries(ring, params_value(&audit->file, "ring_kib") << 10);
	ret = policy_load(&audit->file, options->verbose);
	if (ret)
		return ret;
	audit->ring = ring_buffer__new(bpf_map__fd(ring), on_event, audit, NULL);
	if (!audit->ring)
		return diag_fail(EXIT_FAILED, NULL, "audit: cannot map the ring: %s",
				 strerror(errno));
	return EXIT_OK;
}

static int record(struct audit *audit, const struct vm *only)
{
	int ret, count = 1;

	catch_signals();
	setvbuf(audit->record.out, NULL, _IOFBF, BUFFER_SIZE);
	ret = find_vms(audit, only);
	if (!ret)
		ret = attach(audit);
	if (ret)
		return ret;

	audit_record_sync(&audit->record);
	audit_record_start(&audit->record, only);
	ret = flush(audit);
	if (!ret)
		ret = print_until_interrupted(audit);
	detach(audit);
	while (!ret && count)
		ret = print_batch(audit, &count);
	if (!ret) {
		audit_record_end(&audit->record, audit->recorded, audit->lost);
		ret = flush(audit);
	}
	fprintf(stderr, "%s: audit: %" PRIu64 " events recorded, %" PRIu64 " lost\n",
		program_invocation_short_name, audit->recorded, audit->lost);
	return ret;
}

int command_audit(const struct options *options)
{
	struct audit audit = { .record = { .out = stdout, .json = options->json } };
	struct diag why;
	struct vm vm;
	int ret;

	ret = policy_open(&audit.file, "audit");
	for (int i = 0; !ret && i < options->setting_count; i++)
		ret = params_set(&audit.file, options->settings[i]);
	if (!ret && (!diag_has(DIAG_BPF_RIGHTS, &why) || !diag_has(DIAG_TRACEPOINTS, &why)))
		ret = diag_print(&why, EXIT_SYSTEM);
	if (!ret && options->pid)
		ret = choose_vm(options, &vm);
	if (!ret)
		ret = load(&audit, options);
	if (!ret)
		ret = record(&audit, options->pid ? &vm : NULL);
	for (int i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(audit.links[i]);
	ring_buffer__free(audit.ring);
	exit_kinds_free(&audit.record.exit_kinds);
	policy_close(&audit.file);
	return ret;
}
