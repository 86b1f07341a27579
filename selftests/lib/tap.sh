# SPDX-License-Identifier: GPL-2.0
# TAP in shell scripts. What a test says is kept in $tmp.
# shellcheck shell=sh
tests=0
shows=

# result STATUS NAME: a test's line.
result()
{
	tests=$((tests + 1))
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $tests - $2"
}

# ok NAME COMMAND...: the command succeeds, or what it says is shown, and the files that $shows names.
ok()
{
	test_name=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then
		result 0 "$test_name"
	else
		result 1 "$test_name"
		# shellcheck disable=SC2086
		cat "$tmp/said" $shows | sed 's/^/# /'
	fi
}

# is_whole_tap: reads TAP, in which each plan counts the tests that are there, and none has failed. A program
# that has said nothing, or has planned no test without a reason, has not tested anything.
is_whole_tap()
{
	awk '/^(not )?ok / { tests++; failed += /^not/ }
		/^1\.\.[0-9]+/ { plans++; planned += substr($1, 4); empty += $1 == "1..0" && !/# SKIP ./ }
		END { exit !(plans && planned == tests && !failed && !empty) }'
}

# subtest NAME COMMAND...: the command's TAP. $output is what it says.
subtest()
{
	test_name=$1
	shift
	output=$("$@")
	status=$?
	echo "$output" | sed 's/^/    /'
	[ "$status" -ne 0 ] || echo "$output" | is_whole_tap || { status=1; echo "# this is not whole TAP"; }
	result "$status" "$test_name"
}

# note PATTERN: what the last test said of this kind, a basic regular expression, as comments.
note()
{
	grep -- "$1" "$tmp/said" | sed 's/^[# ]*/# /'
}

finish()
{
	echo "1..$tests"
}
