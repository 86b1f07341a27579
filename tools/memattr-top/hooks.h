/* SPDX-License-Identifier: GPL-2.0 */
/* Which event of this kernel each metric comes from. */
#ifndef MEMATTR_TOP_HOOKS_H
#define MEMATTR_TOP_HOOKS_H

#include "ladder.h"

extern const struct ladder ladder;

#endif
