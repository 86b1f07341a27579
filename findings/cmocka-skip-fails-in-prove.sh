#!/bin/sh
# A test that calls cmocka's skip() passes for cmocka and fails for prove.
#
# Version:  cmocka 1.1.5 (Debian 12: 1.1.5-2.1), read by perl's prove.
# Expected: cmocka.h describes skip() as not executing the test and marking it as skipped, and
#           cmocka can print the Test Anything Protocol (CMOCKA_MESSAGE_OUTPUT=TAP). The
#           specification of that protocol, under "Skipping tests", shows a skipped test as an
#           "ok" line with the directive SKIP, so a harness should count this test as skipped.
# Seen:     The line is "not ok 2 # SKIP name". The program itself ends with 0, so that it passes
#           when it is run directly. prove counts the same run as failed: unlike TODO, SKIP does
#           not turn "not ok" into a pass there.
# Effect:   The same test binary is green in one runner and red in the other, on exactly the
#           machines where a feature is missing. Under prove, return from the test instead.
#
# Needs apt-get, dpkg-deb, a C compiler and prove. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download libcmocka0=1.1.5-2.1 libcmocka-dev=1.1.5-2.1 ||
	{ echo "not tried: a package is not offered here; run apt-get update" >&2; exit 2; }
for deb in *.deb; do
	dpkg-deb -x "$deb" root
done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu*)
CMOCKA_MESSAGE_OUTPUT=TAP
export LD_LIBRARY_PATH CMOCKA_MESSAGE_OUTPUT

cat > tests.c <<'END'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_adds(void **state)
{
	(void)state;
	assert_int_equal(1 + 1, 2);
}

static void test_needs_hardware(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds),
		cmocka_unit_test(test_needs_hardware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
END
cc -Iroot/usr/include -o tests tests.c -L"$LD_LIBRARY_PATH" -lcmocka

direct=0
./tests > output 2>&1 || direct=$?
harness=0
prove -Q --exec '' ./tests > summary 2>&1 || harness=$?
echo "output of the program, which ends with $direct:"
cat output
echo "prove, which ends with $harness:"
cat summary
grep -q '^not ok 2 .*SKIP' output || { echo "CHANGED: a skipped test is not written as not ok"; exit 1; }
[ "$direct" -eq 0 ] || { echo "CHANGED: the program does not end with 0"; exit 1; }
[ "$harness" -ne 0 ] || { echo "CHANGED: prove accepts the skipped test"; exit 1; }
echo "as described: the program ends with 0, prove ends with $harness for the same run"
