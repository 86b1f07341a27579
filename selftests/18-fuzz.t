#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The tools' parsers get inputs that are wrong, under the address and undefined behaviour sanitizers: the same ones in
# each run. FUZZ_RUNS and FUZZ_SEED set how many, and which; `make fuzz` takes a million for each parser. Needs no VM.
. "$(dirname "$0")/lib/test.sh"

for program in fuzz fuzz-top; do
	subtest "$program: each parser takes what is wrong" \
		build/selftests/fuzz/$program "${FUZZ_SEED:-1}" "${FUZZ_RUNS:-20000}"
done
finish
