// SPDX-License-Identifier: GPL-2.0
/* The summary, as text and as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "json.h"
#include "kvmstat.h"
#include "replay.h"
#include "vmm.h"

static void sum_counts(const struct vm *vm, struct counts *sum)
{
	uint64_t *sums = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	/* In which order the vCPUs asked differs from run to run, so even the digests are summed up. */
	for (unsigned int id = 0; id < vm->opt->vcpus; id++) {
		const uint64_t *counts = (const uint64_t *)&vm->vcpus[id].counts;

		for (size_t i = 0; i < sizeof(*sum) / sizeof(*sums); i++)
			sums[i] += counts[i];
	}
}

static uint64_t convert_percentile(const struct counts *sum, double percent)
{
	__u64 buckets[H2_BUCKETS];

	for (unsigned int i = 0; i < H2_BUCKETS; i++)
		buckets[i] = sum->convert_ns[i];
	return h2_percentile(buckets, percent);
}

static uint64_t all_denied(const struct counts *counts)
{
	uint64_t denied = 0;

	for (int err = 0; err <= ERRNO_MAX; err++)
		denied += counts->denied[err];
	return denied;
}

static double run_seconds(const struct vm *vm)
{
	int64_t end_ns = vm->start_ns;

	for (unsigned int id = 0; id < vm->opt->vcpus; id++)
		if (vm->vcpus[id].ran_ns > end_ns)
			end_ns = vm->vcpus[id].ran_ns;
	return (end_ns - vm->start_ns) / 1e9;
}

static double seconds_of(const struct timeval *time)
{
	return time->tv_sec + time->tv_usec / 1e6;
}

static const char *errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return err && name ? name : "other";
}

const char *const scenario_names[] = {
	[BOOT_ACCEPT] = "boot-accept",
	[CHURN] = "churn",
	[PING_PONG] = "ping-pong",
	[SPARSE] = "sparse",
	[SWEEP] = "sweep",
	[REPLAY] = "replay",
	NULL
};

static void json_denied(struct json *json, const struct counts *sum)
{
	json_u64(json, "denied", all_denied(sum));
	json_object(json, "denied_by_errno");
	for (int err = 0; err <= ERRNO_MAX; err++)
		if (sum->denied[err])
			json_u64(json, errno_name(err), sum->denied[err]);
	json_object_end(json);
}

static void json_options(struct json *json, const struct options *opt)
{
	json_string(json, "name", opt->name);
	json_string(json, "scenario", scenario_names[opt->scenario]);
	json_u64(json, "vcpus", opt->vcpus);
	json_u64(json, "mem_bytes", opt->mem_bytes);
	json_u64(json, "chunk_bytes", opt->chunk_bytes);
	json_u64(json, "seed", opt->seed);
	json_real(json, "rate", opt->rate);
	json_bool(json, "keep", opt->keep);
	json_bool(json, "in_place", opt->in_place);
}

static void json_replay(struct json *json, const struct vm *vm)
{
	const struct replay_counts *counts = replay_counts(vm->replay);

	json_object(json, "replay");
	json_string(json, "file", vm->opt->replay);
	json_real(json, "speed", vm->opt->replay_speed);
	json_u64(json, "lines", counts->lines);
	json_u64(json, "conversions", counts->conversions);
	json_u64(json, "touches", counts->touches);
	json_u64(json, "by_no_vcpu", counts->by_no_vcpu);
	json_object(json, "left_out");
	json_u64(json, "failed_conversions", counts->failed_conversions);
	json_u64(json, "unmapped_faults", counts->unmapped_faults);
	json_u64(json, "outside_events", counts->outside_events);
	json_u64(json, "other_vm_events", counts->other_vm_events);
	json_u64(json, "other_events", counts->other_events);
	json_u64(json, "unreadable_lines", counts->unreadable_lines);
	json_object_end(json);
	json_object_end(json);
}

static void json_bytes(struct json *json, const char *key, int64_t bytes)
{
	if (bytes < 0)
		json_null(json, key);
	else
		json_u64(json, key, bytes);
}

static void json_footprint(struct json *json, const struct vm *vm)
{
	struct footprint footprint;

	measure_footprint(vm, &footprint);
	json_bytes(json, "resident_bytes", footprint.resident);
	json_bytes(json, "gmem_bytes", footprint.gmem);
	json_bytes(json, "anonymous_bytes", footprint.anonymous);
	json_bytes(json, "rss_bytes", footprint.rss);
	json_bytes(json, "memcg_current_bytes", footprint.memcg_current);
	json_bytes(json, "memcg_peak_bytes", footprint.memcg_peak);
}

static void json_failure(struct json *json, const struct vm *vm)
{
	json_u64(json, "exit_code", vm->failure);
	json_string(json, "error", vm->failure_text);
}

/* What the conversions cost the host. */
static void json_work(struct json *json, const struct counts *sum)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	json_u64(json, "dropped_pages", sum->dropped_pages);
	json_u64(json, "stage2_faults", sum->stage2_faults);
	json_u64(json, "host_faults", usage.ru_minflt);
	json_real(json, "system_cpu_s", seconds_of(&usage.ru_stime));
}

/* What the guest has of huge pages at the end. */
static void json_mappings(struct json *json, const struct vm *vm)
{
	json_u64(json, "huge_mappings", kvm_stat(vm->vm_fd, "pages_2m"));
}

static void report_json(const struct vm *vm, const struct counts *sum, const char *ended)
{
	const uint64_t conversions = sum->to_shared + sum->to_private;
	double seconds = run_seconds(vm);
	struct json json = { .out = stdout };
	char sequence[20];

	json_object(&json, NULL);
	json_options(&json, vm->opt);
	json_string(&json, "ended", ended);
	json_u64(&json, "asked", sum->asked);
	json_u64(&json, "conversions", conversions);
	json_u64(&json, "to_shared", sum->to_shared);
	json_u64(&json, "to_private", sum->to_private);
	json_u64(&json, "requested_pages", sum->requested_pages);
	json_u64(&json, "converted_pages", sum->converted_pages);
	json_u64(&json, "refused_eagain", sum->refused_eagain);
	json_u64(&json, "retries", sum->retries);
	json_u64(&json, "gave_up", sum->gave_up);
	json_denied(&json, sum);
	json_real(&json, "guest_run_s", seconds);
	json_real(&json, "conversions_per_s", seconds ? conversions / seconds : 0);
	json_u64(&json, "convert_ns_p50", convert_percentile(sum, 50));
	json_u64(&json, "convert_ns_p99", convert_percentile(sum, 99));
	json_u64(&json, "exits", sum->exits);
	json_u64(&json, "kvm_run_returns", sum->kvm_run_returns);
	json_u64(&json, "guest_verified_pages", sum->guest_verified_pages);
	json_u64(&json, "host_verified_pages", sum->host_verified_pages);
	snprintf(sequence, sizeof(sequence), "%016" PRIx64, sum->sequence);
	json_string(&json, "sequence", sequence);
	json_work(&json, sum);
	json_mappings(&json, vm);
	json_footprint(&json, vm);
	if (vm->replay)
		json_replay(&json, vm);
	if (vm->failure)
		json_failure(&json, vm);
	json_object_end(&json);
	json_newline(&json);
}

static const char *mib_text(char *text, size_t size, int64_t bytes)
{
	if (bytes < 0)
		snprintf(text, size, "n/a");
	else
		snprintf(text, size, "%.1f", bytes / (double)(1 << 20));
	return text;
}

static void text_footprint(const struct vm *vm)
{
	struct footprint footprint;
	char a[24], b[24], c[24], d[24];

	measure_footprint(vm, &footprint);
	printf("memory, MiB     %s resident: %s guest_memfd, %s anonymous; RSS %s\n",
	       mib_text(a, sizeof(a), footprint.resident), mib_text(b, sizeof(b), footprint.gmem),
	       mib_text(c, sizeof(c), footprint.anonymous), mib_text(d, sizeof(d), footprint.rss));
	printf("memcg, MiB      %s, peak %s\n",
	       mib_text(a, sizeof(a), footprint.memcg_current),
	       mib_text(b, sizeof(b), footprint.memcg_peak));
}

static void text_work(const struct counts *sum)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("work            %" PRIu64 " pages dropped, %" PRIu64 " stage-2 faults, %ld host faults, "
	       "%.2f s in the kernel\n", sum->dropped_pages, sum->stage2_faults, usage.ru_minflt,
	       seconds_of(&usage.ru_stime));
}

static void text_replay(const struct vm *vm)
{
	const struct replay_counts *counts = replay_counts(vm->replay);

	printf("replayed        %" PRIu64 " conversions (%" PRIu64 " of other threads than vCPUs), %" PRIu64
	       " touches, from %" PRIu64 " lines of %s\n", counts->conversions, counts->by_no_vcpu,
	       counts->touches, counts->lines, vm->opt->replay);
	printf("left out        %" PRIu64 " conversions that failed, %" PRIu64 " faults that mapped nothing, %"
	       PRIu64 " events outside of the memory,\n"
	       "                %" PRIu64 " events of other VMs, %" PRIu64 " of other kinds, %" PRIu64
	       " lines that are no events\n", counts->failed_conversions, counts->unmapped_faults,
	       counts->outside_events, counts->other_vm_events, counts->other_events,
	       counts->unreadable_lines);
}

/* What the run was: only scenarios have chunks. */
static void text_head(const struct options *opt)
{
	printf("%s: %s, %" PRIu64 " MiB", opt->name, scenario_names[opt->scenario], opt->mem_bytes >> 20);
	if (opt->scenario != REPLAY)
		printf(", chunks of %" PRIu64 " KiB, seed %" PRIu64, opt->chunk_bytes >> 10, opt->seed);
	printf(", vCPUs: %u\n", opt->vcpus);
}

static void report_text(const struct vm *vm, const struct counts *sum, const char *ended)
{
	const struct options *opt = vm->opt;
	double seconds = run_seconds(vm);

	text_head(opt);
	printf("ended           %s\n", ended);
	printf("backing         %s\n", opt->in_place ? "one guest_memfd, converted in place" :
	       "anonymous memory for shared pages, a guest_memfd for private ones");
	printf("asked for       %" PRIu64 " conversions, %" PRIu64 " pages\n", sum->asked,
	       sum->requested_pages);
	printf("converted       %" PRIu64 " to shared, %" PRIu64 " to private, %" PRIu64 " pages\n",
	       sum->to_shared, sum->to_private, sum->converted_pages);
	printf("refused         %" PRIu64 " EAGAIN, %" PRIu64 " retries, %" PRIu64 " given up\n",
	       sum->refused_eagain, sum->retries, sum->gave_up);
	printf("denied          %" PRIu64, all_denied(sum));
	for (int err = 0; err <= ERRNO_MAX; err++)
		if (sum->denied[err])
			printf(", %" PRIu64 " %s", sum->denied[err], errno_name(err));
	printf("\nguest run time  %.3f s, %.0f conversions/s\n", seconds,
	       seconds ? (sum->to_shared + sum->to_private) / seconds : 0);
	printf("ioctl           p50 %.1f us, p99 %.1f us\n",
	       convert_percentile(sum, 50) / 1e3,
	       convert_percentile(sum, 99) / 1e3);
	printf("exits           %" PRIu64 ", %" PRIu64 " of them to the VMM\n", sum->exits,
	       sum->kvm_run_returns);
	printf("verified pages  %" PRIu64 " by the guest, %" PRIu64 " by the host\n",
	       sum->guest_verified_pages, sum->host_verified_pages);
	text_work(sum);
	text_footprint(vm);
	if (vm->replay)
		text_replay(vm);
}

void report(struct vm *vm, const char *ended)
{
	struct counts sum;

	sum_counts(vm, &sum);
	if (vm->opt->json)
		report_json(vm, &sum, ended);
	else
		report_text(vm, &sum, ended);
	if (vm->failure)
		fprintf(stderr, "memattr-guest: %s\n", vm->failure_text);
}

/* Where nothing has run that could be summed up. */
void report_failure(const struct vm *vm)
{
	struct json json = { .out = stdout };

	fprintf(stderr, "memattr-guest: %s\n", vm->failure_text);
	if (!vm->opt->json)
		return;
	json_object(&json, NULL);
	json_failure(&json, vm);
	json_object_end(&json);
	json_newline(&json);
}
