/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's binary statistics, of a VM or of a vCPU. */
#ifndef KVMSTAT_H
#define KVMSTAT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The statistics of the VM or vCPU with this descriptor. Opening a vCPU's waits as long as the vCPU
 * runs, reading them does not.
 */
int open_stats(int fd);
/* Returns whether there is one of that name. */
bool read_stat(int stats_fd, const char *name, uint64_t *value);
/* One value of a VM or a vCPU, which must be there. */
uint64_t kvm_stat(int fd, const char *name);

#endif
