// SPDX-License-Identifier: GPL-2.0
#include "views.h"
int live_run(struct source *source, const struct view_options *options)
{
	return batch_run(source, options);
}
