/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers of CPUs. */
#ifndef MEMATTR_CPUS_H
#define MEMATTR_CPUS_H

/* All CPUs that this kernel can ever have. */
#define POSSIBLE_CPUS "/sys/devices/system/cpu/possible"

/*
 * Returns one more than the highest number in a list of CPUs such as "0,2-3", or -errno. Numbers may
 * have gaps, so this can be more than there are CPUs.
 */
int cpus_end(const char *path);

#endif
