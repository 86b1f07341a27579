// SPDX-License-Identifier: GPL-2.0
/* What memattr-top reads. A program of its own, as the two tools call what they define for the engine alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "files.h"
#include "listen.h"
#include "memmap_ranges.h"
#include "metrics.h"
#include "parsers.h"
#include "records.h"
#include "saved.h"
#include "tap.h"

static const struct tool tool = {
	TOOL_TABLES("memattr-top", top_lists),
	.metrics = &top_metrics,
};

static struct sample record_samples[] = {
	{},	/* see prepare_parsers() */
	SAMPLE("memattr-record 3 memattr-top\nmeasured exits conversions requests zaps policy\n"
	       "hook exits tp_btf:kvm_exit %\nhook VM%20end fentry:kvm_arch_destroy_vm %\n"
	       "keys snapshot time_ns wall lost_events cost_known bpf_ns bpf_runs idle_listed\n"
	       "keys vm birth pid creator_tid fd ended name policy policy_known ejected left left_text exits to_private "
	       "to_shared noop denied failed held requested_pages effective_pages zap_pages latency\n"
	       "snapshot 1000000000 1795000000 0 1 0 0 1\n"
	       "vm 1 1204 1204 12 0 web-17 ratelimit 1 0 % % 3600 120 60 15 0 0 0 2400 1920 1920 96:120,112:60\n"
	       "vm 2 1388 1388 12 0 b\xc3\xbcro%207 % 1 1 seal:bad-return convert()%20returned%207 72 24 12 3 1 4 1 48 "
	       "38 38 96:24,112:12\n"
	       "end\n"
	       "snapshot 2000000000 1795000001 3 1 5000 20 1\n"
	       "vm 1 1204 1204 12 1 web-17 % 1 0 ratelimit:detach % 3700 121 61 15 1 2 1 2401 1921 1921 96:121,112:61\n"
	       "end\n"),
	SAMPLE("memattr-record 3 memattr-top\nmeasured policy\nkeys snapshot time_ns\n"
	       "keys vm birth left left_text policy\nsnapshot 1\nvm 1 % a %\nend\nsnapshot 1\nvm 1 a:b % c\nvm 2 % % %\nend\n"),
	SAMPLE("memattr-record 3 memattr-top\nmeasured exits\nkeys snapshot time_ns\n"
	       "keys vm birth exits exits latency latency\nsnapshot 1\nvm 1 7 8 0:1 495:2,496:3\nend\n"
	       "snapshot 2\nend\n"),
};

static bool parse_record(const char *input, size_t len)
{
	struct args args = { .delay_s = 1 };

	return parse_record_of(&tool, &args, input, len);
}

/* --- files --- */

static const struct sample range_samples[] = {
	SAMPLE("0x1000-0x3000 2 private\n0x5000-0x6000 1 private\n0x100000000-0x140000000 262144 private\n"),
	SAMPLE("0x0-0x1000 1 private\nmore from 0x8000 on: write this address to the file, then read\n"),
};

static bool parse_ranges(const char *input, size_t len)
{
	/* What was read before, up to where the input goes on. */
	char before[] = "0x0-0x4000 4 private\n0x8000-0xa000 2 private\nmore from 0x9000 on\n";
	FILE *first = fmemopen(before, sizeof(before) - 1, "r"), *second = fmemopen((void *)input, len, "r");
	struct gfn_ranges ranges = {};
	uint64_t end = 0;
	bool good = true;

	if (first && second && !gfn_ranges_parse(&ranges, first))
		gfn_ranges_parse(&ranges, second);
	for (size_t i = 0; i < ranges.count; i++) {
		good &= ranges.ranges[i].start < ranges.ranges[i].end && (!i || ranges.ranges[i].start > end);
		end = ranges.ranges[i].end;
	}
	if (first)
		fclose(first);
	if (second)
		fclose(second);
	gfn_ranges_free(&ranges);
	return good || complain("ranges overlap, or are not in order");
}

static const struct sample saved_samples[] = {
	SAMPLE("delay 0.5\nview exits\ntotals\nsort vms exits\nreverse conversions eff_pg\nsort chains exits\n"),
	SAMPLE("delay 0,1\nview nosuch\nreverse vms nosuch\nsort nosuch exits\n"),
};

static bool parse_saved(const char *input, size_t len)
{
	struct saved saved = { .delay_s = 1 };
	bool good;

	fake_files(input, len);
	saved_read(&tool, &saved);
	fake_files(NULL, 0);
	good = saved.delay_s >= DELAY_MIN_S && saved.delay_s <= DELAY_MAX_S && saved.sheet >= 0 &&
	       saved.sheet < tool.sheet_count;
	for (int i = 0; i < tool.sheet_count; i++)
		good &= saved.orders[i].sort >= 0 &&
			(!saved.orders[i].sort || saved.orders[i].sort < tool.sheets[i].column_count);
	return good || complain("what is saved cannot be");
}

/* --- the server of metrics --- */

static const struct sample address_samples[] = {
	SAMPLE("127.0.0.1:9100"), SAMPLE("[::1]:9100"), SAMPLE(":65535"), SAMPLE("0.0.0.0:1"),
	SAMPLE("[fe80::0123:4567:89ab:cdef]:80"), SAMPLE("localhost:80"), SAMPLE("[]:80"), SAMPLE("[:80"),
};

static bool parse_address(const char *input, size_t len)
{
	struct sockaddr_storage address;
	socklen_t size = 0;

	(void)len;
	return !listen_parse(input, &address, &size) || (size && size <= sizeof(address));
}

static const struct sample accept_samples[] = {
	SAMPLE("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"),
	SAMPLE("text/*; q=nan, application/openmetrics-text ;version=2 ;q=1e999"), SAMPLE("*/*"), SAMPLE(";;,;q=,="),
};

static bool parse_accept(const char *input, size_t len)
{
	const struct metrics_format *format = metrics_format_for(input);

	(void)len;
	return format == &metrics_text || format == &metrics_openmetrics;
}

const struct parser parsers[] = {
	PARSER("memattr-top-record", record_samples, parse_record),
	PARSER("memattr_ranges", range_samples, parse_ranges),
	PARSER("saved", saved_samples, parse_saved),
	PARSER("listen", address_samples, parse_address),
	PARSER("accept", accept_samples, parse_accept),
};
const size_t parser_count = sizeof(parsers) / sizeof(parsers[0]);

void prepare_parsers(void)
{
	/* Whose name is in the path of what is saved does not matter, but there has to be one. */
	setenv("HOME", "/nonexistent", 1);
	prepare_records();
	record_samples[0] = read_record(tool.name);
}
