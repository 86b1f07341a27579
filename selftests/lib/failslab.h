/* SPDX-License-Identifier: GPL-2.0 */
/* Makes allocations of this task fail. */
#ifndef FAILSLAB_H
#define FAILSLAB_H

#include <stdbool.h>

/* Returns false if the kernel cannot. */
bool open_failslab(void);

/*
 * From here on to the end the nth allocation fails, and if that lasts all others after it: if an
 * xarray gets no node without waiting it tries once more, so a single failure hardly ever matters.
 */
void begin_failing(unsigned int nth, bool lasting);
/* Returns whether there were so many allocations. */
bool end_failing(void);

#endif
