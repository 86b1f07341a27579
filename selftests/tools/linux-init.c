// SPDX-License-Identifier: GPL-2.0
/* The first and only process of a real Linux guest: says that it is up, and switches the guest off. */
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	printf("the guest is up\n");
	fflush(stdout);
	sleep(1);
	reboot(RB_POWER_OFF);
	return 1;
}
