// SPDX-License-Identifier: GPL-2.0
/*
 * Creates as many VMs as it is told, converts one page of each, says so and keeps them until its input
 * ends. More VMs than memattr-top has slots cost little memory this way.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "testvm.h"

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0;
	const struct rlimit files = { count + 16, count + 16 };

	if (count <= 0)
		errx(2, "usage: many-vms COUNT");
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "cannot open %d files", count);
	for (int i = 0; i < count; i++)
		set_attributes(create_protected_vm_fd(), 0, PAGE, PRIVATE);
	printf("%d VMs\n", count);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
