// SPDX-License-Identifier: GPL-2.0
/* The records of memattr-top. A program of its own, as the two tools call what they define for the engine alike. */
#include "figures.h"
#include "parsers.h"
#include "records.h"

static const struct tool tool = {
	.name = "memattr-top",
	.sheets = sheets,
	.sheet_count = SHEET_COUNT,
	.lists = top_lists,
	.list_count = LIST_COUNT,
	.measures = measures,
};

static struct sample samples[] = {
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

const struct parser parsers[] = {
	{ "memattr-top-record", samples, sizeof(samples) / sizeof(samples[0]), parse_record },
};
const size_t parser_count = sizeof(parsers) / sizeof(parsers[0]);

void prepare_parsers(void)
{
	prepare_records();
	samples[0] = read_record(tool.name);
}
