// SPDX-License-Identifier: GPL-2.0
#include "trace.h"

#include "figures.h"
#include "files.h"
#include "records.h"
#include "use.h"

static const struct tool tool = {
	TOOL_TABLES("prefault-trace", trace_lists),
	.json_end = json_slowest,
	.batch_end = print_slowest,
	.write_folded = write_folded,
};

bool parse_record(const char *input, size_t len)
{
	struct trace_args args = { .args.delay_s = 1, .slowest = 3 };

	return parse_record_of(&tool, &args.args, input, len);
}

bool parse_use(const char *input, size_t len)
{
	struct use use = {};

	fake_files(input, len);
	use_read(&use, "1-3", 1);
	fake_files(NULL, 0);
	return true;
}
