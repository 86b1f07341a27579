// SPDX-License-Identifier: GPL-2.0
#include "source.h"

#include <errno.h>
#include <string.h>

#include "record.h"

static struct snapshot *replay(struct source *source, struct diag *why)
{
	struct snapshot *s;
	int err = record_read(source->replay, &s);

	if (err == -EINVAL)
		diag_set(why, "record it again; the intervals before the damage are valid",
			 "%s is cut off or damaged", source->replay_name);
	else if (err)
		diag_set(why, "", "%s", strerror(-err));
	return s;
}

struct snapshot *source_next(struct source *source, struct diag *why)
{
	struct snapshot *s;
	int err;

	*why = (struct diag){};
	if (source->replay)
		return replay(source, why);
	s = collector_snapshot(source->collector);
	if (!s) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	err = source->record ? record_write(source->record, s) : 0;
	if (err) {
		diag_set(why, "--record with a file elsewhere", "cannot write to %s: %s",
			 source->record_name, strerror(-err));
		snapshot_free(s);
		return NULL;
	}
	return s;
}
