// SPDX-License-Identifier: GPL-2.0
/* The summary, as text and as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm.h"

/* The octave of a value above LATENCY_STEPS, see latency_add(). */
static unsigned int octave_of(uint64_t ns)
{
	return 64 - __builtin_clzll(ns) - __builtin_ctz(LATENCY_STEPS);
}

/* Octave 0 counts each ns below LATENCY_STEPS, octave n from LATENCY_STEPS << (n - 1) on. */
void latency_add(struct latency *latency, uint64_t ns)
{
	unsigned int octave = ns < LATENCY_STEPS ? 0 : octave_of(ns);
	unsigned int step;

	if (octave < LATENCY_OCTAVES) {
		step = octave ? (ns >> (octave - 1)) - LATENCY_STEPS : ns;
	} else {
		octave = LATENCY_OCTAVES - 1;
		step = LATENCY_STEPS - 1;
	}
	latency->buckets[octave][step]++;
	latency->count++;
}

/* The highest value in the bucket that the percentile lies in. */
static uint64_t latency_percentile(const struct latency *latency, unsigned int percent)
{
	uint64_t wanted = (latency->count * percent + 99) / 100;
	uint64_t seen = 0;

	if (!latency->count)
		return 0;
	for (uint64_t octave = 0; octave < LATENCY_OCTAVES; octave++) {
		for (uint64_t step = 0; step < LATENCY_STEPS; step++) {
			seen += latency->buckets[octave][step];
			if (seen < wanted)
				continue;
			return octave ? ((LATENCY_STEPS + step + 1) << (octave - 1)) - 1 : step;
		}
	}
	return UINT64_MAX;
}

static void latency_merge(struct latency *into, const struct latency *from)
{
	into->count += from->count;
	for (unsigned int octave = 0; octave < LATENCY_OCTAVES; octave++)
		for (unsigned int step = 0; step < LATENCY_STEPS; step++)
			into->buckets[octave][step] += from->buckets[octave][step];
}

static void sum_counts(const struct vm *vm, struct counts *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int id = 0; id < vm->opt->vcpus; id++) {
		const struct counts *counts = &vm->vcpus[id].counts;

		sum->to_shared += counts->to_shared;
		sum->to_private += counts->to_private;
		sum->converted_pages += counts->converted_pages;
		sum->asked += counts->asked;
		sum->requested_pages += counts->requested_pages;
		sum->refused_eagain += counts->refused_eagain;
		sum->retries += counts->retries;
		for (int err = 0; err <= ERRNO_MAX; err++)
			sum->denied[err] += counts->denied[err];
		sum->gave_up += counts->gave_up;
		sum->kvm_run_returns += counts->kvm_run_returns;
		sum->exits += counts->exits;
		sum->host_verified_pages += counts->host_verified_pages;
		sum->guest_verified_pages += counts->guest_verified_pages;
		/* In which order the vCPUs got there differs from run to run. */
		sum->sequence += counts->sequence;
		latency_merge(&sum->convert_ns, &counts->convert_ns);
	}
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

static const char *errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return err && name ? name : "other";
}

static void json_string(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

const char *scenario_name(enum scenario scenario)
{
	static const char *const names[] = {
		[BOOT_ACCEPT] = "boot-accept",
		[CHURN] = "churn",
		[PING_PONG] = "ping-pong",
		[SPARSE] = "sparse",
	};

	return names[scenario];
}

static void report_json(const struct vm *vm, const struct counts *sum, const char *ended)
{
	const struct options *opt = vm->opt;
	double seconds = run_seconds(vm);
	const char *comma = "";

	printf("{\"name\":");
	json_string(opt->name);
	printf(",\"scenario\":\"%s\",\"vcpus\":%u", scenario_name(opt->scenario), opt->vcpus);
	printf(",\"mem_bytes\":%" PRIu64 ",\"chunk_bytes\":%" PRIu64, opt->mem_bytes,
	       opt->chunk_bytes);
	printf(",\"seed\":%" PRIu64 ",\"rate\":%g,\"keep\":%s", opt->seed, opt->rate,
	       opt->keep ? "true" : "false");
	printf(",\"ended\":\"%s\"", ended);
	printf(",\"asked\":%" PRIu64 ",\"conversions\":%" PRIu64 ",\"to_shared\":%" PRIu64
	       ",\"to_private\":%" PRIu64, sum->asked, sum->to_shared + sum->to_private,
	       sum->to_shared, sum->to_private);
	printf(",\"requested_pages\":%" PRIu64 ",\"converted_pages\":%" PRIu64,
	       sum->requested_pages, sum->converted_pages);
	printf(",\"refused_eagain\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"gave_up\":%" PRIu64,
	       sum->refused_eagain, sum->retries, sum->gave_up);
	printf(",\"denied\":%" PRIu64 ",\"denied_by_errno\":{", all_denied(sum));
	for (int err = 0; err <= ERRNO_MAX; err++) {
		if (!sum->denied[err])
			continue;
		printf("%s\"%s\":%" PRIu64, comma, errno_name(err), sum->denied[err]);
		comma = ",";
	}
	printf("},\"guest_run_s\":%.6f,\"conversions_per_s\":%.1f", seconds,
	       seconds ? (sum->to_shared + sum->to_private) / seconds : 0);
	printf(",\"convert_ns_p50\":%" PRIu64 ",\"convert_ns_p99\":%" PRIu64,
	       latency_percentile(&sum->convert_ns, 50), latency_percentile(&sum->convert_ns, 99));
	printf(",\"exits\":%" PRIu64 ",\"kvm_run_returns\":%" PRIu64, sum->exits,
	       sum->kvm_run_returns);
	printf(",\"guest_verified_pages\":%" PRIu64 ",\"host_verified_pages\":%" PRIu64,
	       sum->guest_verified_pages, sum->host_verified_pages);
	printf(",\"sequence\":\"%016" PRIx64 "\"", sum->sequence);
	if (vm->failure) {
		printf(",\"exit_code\":%d,\"error\":", vm->failure);
		json_string(vm->failure_text);
	}
	printf("}\n");
}

static void report_text(const struct vm *vm, const struct counts *sum, const char *ended)
{
	const struct options *opt = vm->opt;
	double seconds = run_seconds(vm);

	printf("%s: %s, %" PRIu64 " MiB, chunks of %" PRIu64 " KiB, seed %" PRIu64 ", vCPUs: %u\n",
	       opt->name, scenario_name(opt->scenario), opt->mem_bytes >> 20,
	       opt->chunk_bytes >> 10, opt->seed, opt->vcpus);
	printf("ended           %s\n", ended);
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
	       latency_percentile(&sum->convert_ns, 50) / 1e3,
	       latency_percentile(&sum->convert_ns, 99) / 1e3);
	printf("exits           %" PRIu64 ", %" PRIu64 " of them to the VMM\n", sum->exits,
	       sum->kvm_run_returns);
	printf("verified pages  %" PRIu64 " by the guest, %" PRIu64 " by the host\n",
	       sum->guest_verified_pages, sum->host_verified_pages);
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
	fprintf(stderr, "memattr-guest: %s\n", vm->failure_text);
	if (!vm->opt->json)
		return;
	printf("{\"exit_code\":%d,\"error\":", vm->failure);
	json_string(vm->failure_text);
	printf("}\n");
}
