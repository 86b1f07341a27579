/* SPDX-License-Identifier: GPL-2.0 */
/* Words for what is counted apart. */
#ifndef PREFAULT_TRACE_KINDS_H
#define PREFAULT_TRACE_KINDS_H

#include <stdint.h>

/* "fault", "call", "map", "window"; "private", ...; "4K", ...; "write", ... "none" or "unknown" if there is none. */
const char *kind_event(uint8_t event);
const char *kind_alias(uint8_t alias);
const char *kind_level(uint8_t level);
const char *kind_access(uint8_t access);

/* Of a window: "fault", "convert", "ioctl". */
const char *kind_reason(uint8_t reason);

/* Of a fault: "fixed", "spurious", ...; below 0 the name of the errno. Of a call: "ok" or the errno. */
const char *kind_result(uint8_t event, int32_t result);

#endif
