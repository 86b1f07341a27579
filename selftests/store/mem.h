/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MEM_H
#define MEM_H

#include <stdbool.h>

/* Memory as the store sees it: counted, and failing when a test wants it to. */
struct mem {
	long live;		/* objects not freed */
	unsigned long fail_at;	/* which allocation from now fails; 0: none */
	bool fails_on;		/* and all that follow it */
	bool failed;		/* it did */
	bool nowait_fails;	/* those that must not wait fail, too */
	bool forbidden;		/* whoever allocates is wrong */
	bool readers;		/* other threads read: freeing waits for them */
};

extern struct mem mem;

#endif
