/* SPDX-License-Identifier: GPL-2.0 */
/* Which event of this kernel each metric comes from. */
#ifndef MEMATTR_TOP_HOOKS_H
#define MEMATTR_TOP_HOOKS_H

#include "fallback.h"

extern const struct fallback fallback;

#endif
