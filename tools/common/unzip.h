/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MEMATTR_UNZIP_H
#define MEMATTR_UNZIP_H

#include <stdio.h>

/*
 * Returns a stream of what @file has, decompressed if it is a gzip file, and takes @file over. A file that was not
 * closed, or is damaged, ends where it cannot be read any further. Returns NULL if out of memory; @file is closed then.
 */
FILE *unzip(FILE *file);

#endif
