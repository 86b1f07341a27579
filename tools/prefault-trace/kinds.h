/* SPDX-License-Identifier: GPL-2.0 */
/* Names for the parts of a kind of event. */
#ifndef PREFAULT_TRACE_KINDS_H
#define PREFAULT_TRACE_KINDS_H

#include <stdint.h>

/* Return "fault", "call", "map" or "window"; "write", .... A value without a name is "unknown". */
const char *kind_event(uint8_t event);
const char *kind_access(uint8_t access);

/* For a window: "fault", "convert" or "ioctl". */
const char *kind_reason(uint8_t reason);

/*
 * For a fault: "fixed", "spurious", ..., or the name of a negative errno. For a call: "ok" or the
 * errno.
 */
const char *kind_result(uint8_t event, int32_t result);

#endif
