// SPDX-License-Identifier: GPL-2.0
/*
 * Whether types of vmlinux and of the kvm module are merged: prints "merged" or "as they are" for the kernel that runs,
 * and compares types that are made here.
 */
