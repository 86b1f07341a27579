/* SPDX-License-Identifier: GPL-2.0 */
/* What parts.bpf.c tells parts.c. */
#ifndef PARTS_H
#define PARTS_H

#define PARTS_MAX	16

/* What the policy was asked about. */
struct part {
	unsigned long long gfn_start, gfn_end;
	unsigned long long start, end;	/* convert: pages of the file; zap: the memslot */
	unsigned long long reason;	/* of a convert */
};

#endif
