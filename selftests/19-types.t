#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which types our BPF objects are adapted to. Where the kvm module is not from vmlinux's build, they are merged, and the
# module's win. Merging costs time at each load, so it is left out where the two are from one build.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/kernels.sh
on_kernel stock tools/types-unit apart
on_kernel patched tools/types-unit apart
on_kernel debian tools/types-unit merged
finish
