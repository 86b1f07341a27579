#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM_SET_MEMORY_ATTRIBUTES used as it is meant to be: the patched kernel does what the stock one
# does. What is tried is in attributes/attributes.c. ATTRIBUTES_OPS=100000 tries more.
. "$(dirname "$0")/lib/test.sh"
. selftests/lib/kernels.sh
ops=${ATTRIBUTES_OPS:-20000}

# The state to which the random operations of the last program led.
final()
{
	sed -n '/# final /{s///p;q}' <<<"$output"
}

on_kernel stock attributes/attributes "random 1 $ops" stays flushes
stock=$(final)
on_kernel "$patched" attributes/attributes "random 1 $ops" "random 2 $ops --ranges" "stays --ranges" flushes listing "race 5"
ok "random 1 $ops ends the same on both" [ "$(final)" = "${stock:-nothing}" ]
finish
