/* SPDX-License-Identifier: GPL-2.0 */
/* One stage-2 fault, as dump.bpf.c hands it over. */
struct dumped_fault {
	__u64 ns;
	__u32 pid;
};
