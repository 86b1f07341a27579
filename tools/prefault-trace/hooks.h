/* SPDX-License-Identifier: GPL-2.0 */
/* Which event of this kernel each metric comes from. */
#ifndef PREFAULT_TRACE_HOOKS_H
#define PREFAULT_TRACE_HOOKS_H

#include "fallback.h"

struct prefault_trace_bpf;

extern const struct fallback fallback;

/* Like fallback_select(), but also turns off hooks that another active hook makes redundant. */
int hooks_select(const struct hooks *found, struct prefault_trace_bpf *bpf);

#endif
