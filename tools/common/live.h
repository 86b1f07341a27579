/* SPDX-License-Identifier: GPL-2.0 */
/* The screen: one table, a menu to sort it by, a prompt for the delay, a page of help. */
#ifndef MEMATTR_LIVE_H
#define MEMATTR_LIVE_H

#include "source.h"

/* Opens the source when the screen says so. Returns the exit status, which is 0 after a signal that ends it. */
int live_run(const struct tool *tool, const struct args *args);

#endif
