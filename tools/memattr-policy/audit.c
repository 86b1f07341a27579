// SPDX-License-Identifier: GPL-2.0
/* audit: prints what audit.bpf.c sees, until it is interrupted. */
#define _GNU_SOURCE
#include "audit.skel.h"
#include "audit_record.h"
#include "audit_vms.h"
#include "command.h"
#include "kvm_core.h"
#include "params.h"
#include "stdout.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * This many events are printed before they are flushed and before signals and losses are checked.
 */
#define BATCH 1024

/* A batch fits, so that only flush() writes anything, and sees the errors. */
#define BUFFER_SIZE (BATCH * 1024)

/* It takes this long at most to notice a loss, or a signal that came just before the wait. */
#define WAIT_MS 200

#define NAME "audit"

struct audit {
	struct kvm_core core;	/* until the programs are loaded */
	struct audit_bpf *bpf;
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
 * The second signal ends the process as usual: a reader of the output that has stopped reading
 * would otherwise block it forever.
 */
static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!signal_is_ignored(ends[i]))
			sigaction(ends[i], &action, NULL);
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

static uint64_t skipped_calls(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &len))
		return 0;
	return info.recursion_misses;
}

/*
 * Counts events for which the ring had no room, and calls of the programs that the kernel skipped.
 */
static uint64_t count_lost(const struct audit *audit)
{
	return audit->bpf->bss->lost + skipped_calls(audit->bpf->progs.audit_convert) +
	       skipped_calls(audit->bpf->progs.audit_exit);
}

static int flush(void)
{
	int err = stdout_flush();

	return err ? diag_no_output(EXIT_FAILED, "the audit record", err) : EXIT_OK;
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
	ret = flush();
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
	audit_bpf__detach(audit->bpf);
	/*
	 * Wait for a grace period: a tracepoint's programs run in an RCU read-side critical
	 * section.
	 */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* Learns who the VMs are while they still exist. */
static int learn_vms(void)
{
	struct vm_list list;
	int ret = read_vms(&list, 0);

	if (ret)
		return ret;
	audit_vms_remember(&list);
	vm_list_free(&list);
	return EXIT_OK;
}

static int open_programs(struct audit *audit, const struct options *options)
{
	int err, ret = EXIT_OK;

	err = kvm_core_open(&audit->core);
	if (err)
		return diag_fail(EXIT_SYSTEM, NULL, NAME ": cannot read KVM's types: %s", strerror(-err));
	audit->bpf = audit_bpf__open_opts(audit->core.options);
	if (!audit->bpf)
		return diag_fail(EXIT_FAILED, NULL, NAME ": %s", strerror(errno));
	for (int i = 0; !ret && i < options->setting_count; i++)
		ret = params_set(audit->bpf->obj, NAME, options->settings[i]);
	return ret;
}

static int load(struct audit *audit, uint64_t only_vm_id)
{
	struct diag diag;
	int err;

	err = exit_kinds_load(&audit->record.exit_kinds);
	if (err)
		return diag_fail(EXIT_SYSTEM, NULL,
				 NAME ": cannot read from KVM's BTF why policies leave: %s",
				 strerror(-err));
	audit->bpf->rodata->only_vm_id = only_vm_id;
	/* libbpf rounds it up. */
	bpf_map__set_max_entries(audit->bpf->maps.ring,
				 params_value(audit->bpf->obj, "ring_kib") << 10);
	err = audit_bpf__load(audit->bpf);
	kvm_core_close(&audit->core);
	if (err) {
		diag_bpf_load(&diag, err);
		return diag_print(&diag, EXIT_SYSTEM);
	}
	audit->ring = ring_buffer__new(bpf_map__fd(audit->bpf->maps.ring), on_event, audit, NULL);
	if (!audit->ring)
		return diag_fail(EXIT_FAILED, NULL, NAME ": cannot map the ring: %s",
				 strerror(errno));
	return EXIT_OK;
}

static int record(struct audit *audit, const struct vm *only)
{
	int ret, count = 1;

	catch_signals();
	setvbuf(audit->record.out, NULL, _IOFBF, BUFFER_SIZE);
	ret = learn_vms();
	if (ret)
		return ret;
	ret = audit_bpf__attach(audit->bpf);
	if (ret)
		return diag_fail(EXIT_SYSTEM, "run it again with -v to see what libbpf says",
				 NAME ": cannot attach to KVM's tracepoints: %s", strerror(-ret));

	audit_record_sync(&audit->record);
	audit_record_start(&audit->record, only);
	ret = flush();
	if (!ret)
		ret = print_until_interrupted(audit);
	detach(audit);
	while (!ret && count)
		ret = print_batch(audit, &count);
	if (!ret) {
		audit_record_end(&audit->record, audit->recorded, audit->lost);
		ret = flush();
	}
	fprintf(stderr, "%s: audit: %" PRIu64 " events recorded, %" PRIu64 " lost\n",
		program_invocation_short_name, audit->recorded, audit->lost);
	return ret;
}

int command_audit(const struct options *options)
{
	struct audit audit = { .record = { .out = stdout, .json = options->json } };
	bool one = options->pid || options->vm_id;
	struct vm vm = {};
	struct diag why;
	int ret;

	ret = open_programs(&audit, options);
	if (!ret && (!diag_has(DIAG_BPF_RIGHTS, &why) || !diag_has(DIAG_TRACEPOINTS, &why)))
		ret = diag_print(&why, EXIT_SYSTEM);
	if (!ret && one)
		ret = choose_vm(options, &vm);
	if (!ret)
		ret = load(&audit, vm.id);
	if (!ret)
		ret = record(&audit, one ? &vm : NULL);
	ring_buffer__free(audit.ring);
	exit_kinds_free(&audit.record.exit_kinds);
	audit_bpf__destroy(audit.bpf);
	kvm_core_close(&audit.core);
	return ret;
}

void audit_params_print(bool json)
{
	struct audit_bpf *bpf = audit_bpf__open();

	if (!bpf)
		return;
	if (json)
		params_print_json(bpf->obj, NAME, stdout);
	else
		params_print(bpf->obj, NAME, stdout);
	audit_bpf__destroy(bpf);
}
