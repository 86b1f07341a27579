#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A test must fail if what it tests says nothing at all. The helpers of all tests see to that, which is tested here,
# and no test goes around them. `selftests/lib/mute` shows the same of a whole test. Needs no VM.
. "$(dirname "$0")/lib/test.sh"

# fails COMMAND...: the command fails, and not because it is not there.
fails()
{
	"$@"
	status=$?
	[ $status -ne 0 ] && [ $status -lt 126 ]
}

# with TEXT COMMAND...: the last argument of the command is a file with this text, in which \n is a newline.
with()
{
	printf %b "$1" >"$tmp/file"
	shift
	"$@" "$tmp/file"
}

# --- shell ---
ok "json_is" with '{"a": 1}\n' json_is '.a == 1'
ok "json_is: it is not" with '{"a": 2}\n' fails json_is '.a == 1'
for text in '' '\n' '{"a": 1}{"a": 1}' 'null' '[]'; do
	ok "json_is: '$text' is not a document of which something is true" with "$text" fails json_is '.a? == 1'
done
ok "json_is: what there is not, is not true" with '[]\n' fails json_is '.[].a == 1'
ok "json_is: one of two is not all" with '[{"a": 1}, {"a": 2}]\n' fails json_is '.[].a == 1'
ok "json_is: no such file" fails json_is . "$tmp/nosuch"

ok "lacks" with 'one\ntwo\n' lacks three
ok "lacks: a line without an end" with 'one' lacks three
ok "lacks: it has it" with 'one\ntwo\n' fails lacks two
ok "lacks: an empty file lacks nothing" with '' fails lacks three
ok "lacks: nor does a file that is not there" fails lacks three "$tmp/nosuch"

is_tap()
{
	is_whole_tap <"$1"
}
ok "TAP" with '# x\nok 1 - a\n1..1\n' is_tap
ok "TAP of several programs" with '1..1\nok 1 - a\nok 1 - a\nok 2 - b # SKIP no\n1..2\n' is_tap
ok "TAP that says why there is no test" with '1..0 # SKIP no KVM\n' is_tap
for text in '' 'ok 1 - a\n' '1..0\n' '1..2\nok 1 - a\n' '1..1\nnot ok 1 - a\n' '1..1\nok 1 - a\nok 2 - b\n'; do
	ok "not TAP: '$text'" with "$text" fails is_tap
done
subtest_fails()
{
	[ "$(tests=0; subtest x "$@" | tail -n 1)" = 'not ok 1 - x' ]
}
ok "a subtest that says nothing" subtest_fails true
ok "one that fails" subtest_fails sh -c 'echo 1..1; echo ok 1; exit 1'

# --- Perl ---
# perl_fails CODE: with the tests' libraries, in a folder whose VM runner says nothing.
mkdir -p "$tmp/selftests/vm"
cp /bin/true "$tmp/selftests/vm/run"
perl_fails()
{
	(cd "$tmp" && perl -I"$OLDPWD/selftests/lib" -MTest::More -MTool -MGuest -MSource -e "$1; done_testing") |
		tee /dev/stderr | grep -q '^not ok 1 - it$'
}
ok "unit tests that say nothing" perl_fails 'unit_tests_ok("true", "it")'
ok "a part in a VM that says nothing" perl_fails 'in_vm("x", "x", 1); ok(!Test::More->builder->is_passing) or exit;
	print "not ok 1 - it\n"'
ok "a guest without a summary" perl_fails '($status, $summary) = (0, {}); summary_ok("it", 0, q($_{denied} == 0))'
ok "nothing to be looked at" perl_fails 'some("things"); print "not ok 1 - it\n" if !Test::More->builder->is_passing'

# --- C ---
no_test()
{
	echo '#include "tap.h"
	int main(void) { return finish_tests(); }' |
		gcc -x c -Iselftests/lib - -x c selftests/lib/tap.c -o "$tmp/no-test" && fails "$tmp/no-test"
}
ok "a program that tests nothing" no_test

# --- no test goes around that ---
mapfile -t scripts < <(git ls-files 'selftests/*.t' 'selftests/*.sh' selftests/demo | xargs grep -lE '^#!.*sh$|shellcheck shell')
ok "there are tests in shell" [ ${#scripts[@]} -gt 30 ]
# Not this one, which names what it looks for.
mapfile -t others < <(printf '%s\n' "${scripts[@]}" | grep -vx "${script#"$PWD/"}")
# none PATTERN FILE...: an extended regular expression.
none()
{
	[ $# -gt 1 ] && fails grep -nE "$@"
}
ok "jq -e only with -s" none '\bjq (-[a-z]+ )*-[a-df-rt-z]*e[a-rt-z]* ' "${others[@]}"
# Waiting for a line is something else.
not_waiting=$tmp/not-waiting
sed -e '/^[[:space:]]*while /d' -e '/; do$/d' -e '/^[[:space:]]*#/d' "${scripts[@]/selftests\/lib\/test.sh/}" 2>/dev/null >"$not_waiting"
ok "no line is missed in what may be empty" none '(^|[^@[:alnum:]])! (.*\| *)?grep' "$not_waiting"
mapfile -t cmocka < <(git grep -l '<cmocka.h>' -- '*.c')
ok "skip() of cmocka 1.1.5 fails" none '\bskip\(' "${cmocka[@]}"
finish
