// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the ns of each stage-2 fault of process PID, from "ready" until its input ends. Exit status 1 if
 * one was lost.
 *
 * usage: dump PID
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "dump.h"
#include "dump.skel.h"
#include "policy.h"

static int print_fault(void *ctx, void *record, size_t size)
{
	const struct dumped_fault *fault = record;

	(void)size;
	if (fault->pid == *(const __u32 *)ctx)
		printf("%llu\n", fault->ns);
	return 0;
}

int main(int argc, char **argv)
{
	__u32 pid = argc == 2 ? atoi(argv[1]) : 0;
	struct ring_buffer *ring;
	struct dump_bpf *bpf;

	if (!pid)
		errx(2, "usage: dump PID");
	bpf = dump_bpf__open_opts(kvm_open_options());
	if (!bpf || dump_bpf__load(bpf) || dump_bpf__attach(bpf))
		errx(1, "cannot attach");
	ring = ring_buffer__new(bpf_map__fd(bpf->maps.faults), print_fault, &pid, NULL);
	if (!ring)
		errx(1, "no ring buffer");
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (ring_buffer__consume(ring) < 0)
		errx(1, "cannot read");
	if (bpf->bss->lost)
		errx(1, "%llu lost", bpf->bss->lost);
	return 0;
}
