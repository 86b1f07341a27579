/* SPDX-License-Identifier: GPL-2.0 */
/* What a screen's figures rest on: one line on every screen, and a page with the whole of it. */
#ifndef MEMATTR_BASIS_H
#define MEMATTR_BASIS_H

#include "screen.h"
#include "snapshot.h"

/*
 * Draws in line @y what was lost, the tool's own cost, refreshes that came late, the host's KVM and the kinds of hooks
 * behind these @metrics. What does not fit is left out, the most important is first.
 */
struct flow basis_line(int y, const struct snapshot *before, const struct snapshot *now, unsigned int metrics);

/* Draws the page from line @y. Returns the next line. */
int basis_page(int y, const struct snapshot *before, const struct snapshot *now);

#endif
