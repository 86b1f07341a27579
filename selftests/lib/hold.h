/* SPDX-License-Identifier: GPL-2.0 */
/* Holds a page of this process as a buffer that is registered with io_uring, one at a time. */
#ifndef HOLD_H
#define HOLD_H

/* Returns 0 or an errno. */
int try_hold(void *page);
/* Ends the program if it fails. */
void hold(void *page);
void release(void);

#endif
