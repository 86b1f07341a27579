/* SPDX-License-Identifier: GPL-2.0 */
/* Says who holds a page, as text or JSON. */
#ifndef MEMATTR_WHY_REPORT_H
#define MEMATTR_WHY_REPORT_H

#include "vm.h"
#include "why_event.h"

#include <stdio.h>

void why_report_text(FILE *out, const struct vm *vm, const struct why_event *event);
void why_report_json(FILE *out, const struct vm *vm, const struct why_event *event);

#endif
