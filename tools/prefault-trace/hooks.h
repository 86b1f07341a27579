/* SPDX-License-Identifier: GPL-2.0 */
/* Which event of this kernel each metric is taken from. */
#ifndef PREFAULT_TRACE_HOOKS_H
#define PREFAULT_TRACE_HOOKS_H

#include "ladder.h"

struct prefault_trace_bpf;

extern const struct ladder ladder;

/* As ladder_select(), but for what one hook means for another. */
int hooks_select(const struct hooks *found, struct prefault_trace_bpf *bpf);

#endif
