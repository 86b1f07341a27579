// SPDX-License-Identifier: GPL-2.0
/*
 * gmem_gate: only given tasks of the host may access guest memory through a guest_memfd.
 *
 * For: VMs whose guest_memfd reaches other processes, e.g. a device backend that should see shared
 * pages, and a debugger or a leaked descriptor that should not. Private pages need no gate: KVM
 * gives them to nobody.
 * Not for: a VMM that is not trusted, as it can write what it reads to anywhere. Nor for taking
 * access back: KVM asks when a page gets into the page tables of a process, and what a process has
 * mapped stays accessible for it until the page becomes private. Attach the policy before other
 * processes map the file.
 *
 * The VMM may access the file unless vmm=no, but not its child processes. Others may if their
 * process, cgroup or executable is allowed. A refused task gets SIGBUS, or EFAULT from a system
 * call.
 *
 *	memattr-policy load gmem_gate --pid PID cgroup=$(stat -c %i /sys/fs/cgroup/backends)
 *	memattr-policy load gmem_gate --pid PID exe_dev=0x$(stat -c %D FILE) \
 *						exe_ino=$(stat -c %i FILE)
 *
 * The policy judges the task that accesses the memory, also if it does so through the mapping of
 * another process, as a debugger does. A worker of io_uring or vhost belongs to the process that it
 * works for. Btrfs and overlayfs tell stat another device than the kernel uses: allow programs that
 * live there by process or cgroup.
 */
#include "memattr.bpf.h"
#include <bpf/bpf_core_read.h>

MEMATTR_PARAM(bool, vmm, true, "allow the process that created the VM");
MEMATTR_PARAM(u32, pid1, 0, "allow this process, by its number outside of containers; 0: none");
MEMATTR_PARAM(u32, pid2, 0, "another one");
MEMATTR_PARAM(u32, pid3, 0, "another one");
MEMATTR_PARAM(u32, pid4, 0, "another one");
MEMATTR_PARAM(u64, cgroup, 0,
	      "allow the cgroup whose directory has this inode number, and those below; 0: none");
MEMATTR_PARAM(u32, exe_dev, 0, "allow the executable on this device, as stat tells it");
MEMATTR_PARAM(u64, exe_ino, 0, "with this inode number; 0: none");

/* cgroup v2 allows deeper hierarchies, but systemd and Kubernetes need less. */
#define MAX_CGROUP_DEPTH 32

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block {
	u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	struct mm_struct *mm;
};
#pragma clang attribute pop

static bool is_allowed_process(void)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;

	return pid && (pid == pid1 || pid == pid2 || pid == pid3 || pid == pid4);
}

static bool is_in_allowed_cgroup(void)
{
	if (!cgroup)
		return false;

	for (int level = 0; level < MAX_CGROUP_DEPTH; level++) {
		u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id || id == cgroup)
			return id;
	}
	return false;
}

/* In the kernel, the minor number is the lower 20 bits; for stat, the major is in the middle. */
static u32 device_for_stat(u32 dev)
{
	u32 major = dev >> 20, minor = dev & ((1U << 20) - 1);

	return (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

static bool runs_allowed_executable(const struct task_struct *task)
{
	struct inode *inode;

	if (!exe_ino)
		return false;
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	return inode && BPF_CORE_READ(inode, i_ino) == exe_ino &&
	       device_for_stat(BPF_CORE_READ(inode, i_sb, s_dev)) == exe_dev;
}

int MEMATTR_CALLBACK(gmem_gate_gmem_fault, struct kvm *kvm,
		     const struct kvm_memattr_gmem_fault_ctx *access)
{
	const struct task_struct *task = (void *)bpf_get_current_task();

	if ((vmm && BPF_CORE_READ(task, mm) == kvm->mm) || is_allowed_process() ||
	    is_in_allowed_cgroup() || runs_allowed_executable(task))
		return 0;
	return -EPERM;
}

MEMATTR_OPS(gmem_gate, gmem_fault);
