/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small HTTP server that tells Prometheus the metrics of the last snapshot. It has a thread of its own: however
 * slow its readers are, whoever takes the snapshots never waits for them.
 */
#ifndef MEMATTR_LISTEN_H
#define MEMATTR_LISTEN_H

#include <sys/socket.h>

#include "diag.h"
#include "metrics.h"

struct listener;

/*
 * Reads "ADDRESS:PORT", where the address is a number, of IPv6 in brackets; without one it is 127.0.0.1, because
 * whoever can connect can read what the VMs are called. Returns false if @text is something else.
 */
bool listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *size);

/* @text has been parsed before. Returns NULL on failure, and @why says why. */
struct listener *listen_open(const char *text, const struct metrics *metrics, struct diag *why);
/* From now on readers get these figures. */
void listen_publish(struct listener *listener, struct snapshot *s);
void listen_close(struct listener *listener);

#endif
