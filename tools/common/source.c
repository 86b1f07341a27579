// SPDX-License-Identifier: GPL-2.0
#include "source.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "record.h"

static int cannot(struct diag *why, const char *name, int err)
{
	diag_set(why, "a file elsewhere, in a directory that you may write to", "cannot write to %s: %s", name,
		 strerror(-err));
	return EXIT_FAILED;
}

/* No file may be what is read, nor what another option writes. */
static int open_file(struct source *source, struct output *output, const char *name, struct diag *why)
{
	int err = name ? output_open(output, name) : 0;

	if (err) {
		diag_set(why, "a file in a directory that you may write to", "cannot open %s: %s", name,
			 strerror(-err));
		return EXIT_FAILED;
	}
	if (!name)
		return EXIT_OK;
	if ((source->replay && output_is(output, record_fd(source->replay))) ||
	    (output != &source->record && source->record.name && output_is(output, source->record.fd))) {
		diag_set(why, "another name for one of them", "%s would be overwritten while it is in use", name);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int open_files(struct source *source, struct diag *why)
{
	int status = open_file(source, &source->record, source->args->record, why);

	return status ?: open_file(source, &source->folded, source->args->folded, why);
}

int source_open(struct source *source, const struct tool *tool, const struct args *args, struct diag *why)
{
	int status = EXIT_OK;

	*source = (struct source){ .tool = tool, .args = args, .process = -1 };
	if (args->replay) {
		source->replay = record_open(tool, args->replay, why);
		if (!source->replay)
			return EXIT_FAILED;
	}
	/* Files come last: they are not even made if nothing can be counted. */
	if (!args->replay) {
		source->collector = tool->open(args, why);
		if (!source->collector)
			return EXIT_SYSTEM;
		/* Another process may get its number later. */
		if (args->pid)
			source->process = pidfd_open(args->pid, 0);
	}
	status = open_files(source, why);
	if (!status)
		status = export_open(&source->exporter, tool, args, why);
	if (status) {
		output_close(&source->record);
		output_close(&source->folded);
	}
	return status;
}

void source_want(struct source *source, unsigned int measures, const struct snapshot_vm *vm)
{
	/* Without an exporter there are no metrics. */
	measures |= metrics_needs(&source->exporter.metrics);
	if (source->collector && source->tool->want)
		source->tool->want(source->collector, source->record.name ? ~0U : measures, vm);
}

static bool is_full(struct source *source)
{
	uint64_t limit = source->args->record_limit;

	if (!source->record_full && limit && source->record.written >= limit) {
		source->record_full = true;
		fprintf(stderr, "%s: %s has reached its limit: no more intervals are recorded\n",
			source->tool->name, source->record.name);
	}
	return source->record_full;
}

static int record_snapshot(struct source *source, struct snapshot *s, struct diag *why)
{
	int err;

	if (!source->record.name || is_full(source))
		return EXIT_OK;
	if (!source->recorded)
		record_write_header(source->record.text, source->tool, s);
	record_write(source->record.text, source->recorded, s);
	snapshot_free(source->recorded);
	source->recorded = snapshot_hold(s);
	err = output_flush(&source->record);
	if (!err)
		return EXIT_OK;
	/* Nothing will be added to it, nor is it reported again at the end. */
	snapshot_free(source->recorded);
	source->recorded = NULL;
	return cannot(why, source->record.name, err);
}

#define IN_PLACE "/sys/module/kvm/parameters/gmem_in_place_conversion"

static enum in_place read_in_place(void)
{
	FILE *file = fopen(IN_PLACE, "re");
	int value = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return value == 'Y' || value == '1' ? IN_PLACE_ON : value == EOF ? IN_PLACE_UNKNOWN : IN_PLACE_OFF;
}

/* It asks the kernel once: neither changes while KVM's modules are loaded. */
static void set_host(struct snapshot *snapshot)
{
	static enum host_kvm kvm;
	static enum in_place in_place;

	if (!kvm) {
		kvm = diag_has(DIAG_MEMATTR, NULL) ? KVM_PATCHED : KVM_STOCK;
		in_place = read_in_place();
	}
	snapshot->host_kvm = kvm;
	snapshot->in_place = in_place;
}

static int pass_on(struct source *source, struct snapshot *s, struct diag *why)
{
	int status = record_snapshot(source, s, why);

	return status ?: export_snapshot(&source->exporter, s, why);
}

static bool has_ended(int process)
{
	struct pollfd fd = { .fd = process, .events = POLLIN };

	return process >= 0 && poll(&fd, 1, 0) == 1;
}

struct snapshot *source_next(struct source *source, struct diag *why)
{
	struct snapshot *s;

	*why = (struct diag){};
	if (source->replay) {
		s = record_read(source->replay, why);
	} else {
		/* A process gives back its VMs before it is seen to have ended. */
		source->over = has_ended(source->process);
		s = source->tool->snapshot(source->collector);
		if (s) {
			set_host(s);
			s->late = source->interval ? source->interval->missed : 0;
		} else {
			diag_set(why, "", "out of memory");
		}
	}
	if (s && pass_on(source, s, why)) {
		snapshot_free(s);
		s = NULL;
	}
	return s;
}

int source_rewind(struct source *source, struct diag *why)
{
	struct record_reader *again = record_open(source->tool, source->args->replay, why);

	if (!again)
		return EXIT_FAILED;
	record_close(source->replay);
	source->replay = again;
	return EXIT_OK;
}

/* Returns what was counted up to the end and is not in each snapshot; NULL: there is no such thing. */
static struct snapshot *last_snapshot(struct source *source, struct diag *why)
{
	if (source->replay)
		return source->folded.name ? record_read_last(source->replay, why) : NULL;
	return source->tool->last ? source->tool->last(source->collector) : NULL;
}

static int write_folded(struct source *source, const struct snapshot *last, struct diag *why)
{
	int err;

	if (!source->folded.name || why->cause[0])
		return EXIT_OK;
	if (!last || !last->has_stacks) {
		diag_set(why, "record again with --record and --folded, and end it with q or SIGINT",
			 "the record has no stacks");
		return EXIT_FAILED;
	}
	source->tool->write_folded(source->folded.text, last, source->args->pid);
	err = output_flush(&source->folded);
	return err ? cannot(why, source->folded.name, err) : EXIT_OK;
}

static int write_last(struct source *source, struct diag *why)
{
	struct snapshot *last = last_snapshot(source, why);
	int status = EXIT_OK, err = 0;

	if (last && source->recorded) {
		record_write_last(source->record.text, last);
		err = output_flush(&source->record);
	}
	if (err)
		status = cannot(why, source->record.name, err);
	if (!status)
		status = write_folded(source, last, why);
	snapshot_free(last);
	return status;
}

int source_close(struct source *source)
{
	struct diag why = {};
	const char *record = source->record.name, *folded = source->folded.name;
	int status = EXIT_OK, err;

	export_close(&source->exporter);
	if (source->collector || source->replay)
		status = write_last(source, &why);
	err = output_close(&source->record);
	if (err && !status)
		status = cannot(&why, record, err);
	err = output_close(&source->folded);
	if (err && !status)
		status = cannot(&why, folded, err);
	snapshot_free(source->recorded);
	if (source->collector)
		source->tool->close(source->collector);
	if (source->replay)
		record_close(source->replay);
	if (source->process >= 0)
		close(source->process);
	if (why.cause[0])
		return diag_print(&why, status ?: EXIT_FAILED);
	return status;
}
