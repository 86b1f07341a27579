/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's binary statistics, of a VM or of a vCPU. */
#ifndef KVMSTAT_H
#define KVMSTAT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens the statistics of the VM or vCPU with this descriptor. For a vCPU that waits as long as the
 * vCPU runs; reading them does not wait.
 */
int open_stats(int fd);
/* Returns false if there is no statistic of that name. */
bool read_stat(int stats_fd, const char *name, uint64_t *value);
/* Reads one statistic of a VM or vCPU, and ends the program if there is none of that name. */
uint64_t kvm_stat(int fd, const char *name);

#endif
