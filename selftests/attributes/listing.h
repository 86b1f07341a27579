/* SPDX-License-Identifier: GPL-2.0 */
/* memattr_ranges in debugfs: how much of a VM with many ranges it shows, and where it goes on. */
#ifndef LISTING_H
#define LISTING_H

void test_listing(void);

#endif
