#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The page of benchmarks' results, and what compares two folders of them.
. "$(dirname "$0")/lib/test.sh"

bench/page >"$tmp/page"
ok "docs/performance.md is made of the results" cmp "$tmp/page" docs/performance.md

# Other versions of gnuplot draw otherwise.
plots_are_of_results()
{
	for plot in "$tmp"/plots/*.svg; do
		grep -q '</svg>' "$plot" && [ "$(tail -n 1 "$plot")" = "$(tail -n 1 "bench/results/${plot##*/}")" ] || return 1
	done
}
mkdir "$tmp/plots"
ok "plots are drawn" bench/plots "$tmp/plots"
ok "those that are saved are made of the results" plots_are_of_results
shown=$(sed -n 's/^.*](\.\.\/bench\/results\/\(.*\.svg\))$/\1/p' docs/performance.md | sort)
ok "all are on the page, and no other" test "$shown" = "$(cd "$tmp/plots" && ls -- *.svg)"

mkdir "$tmp/a" "$tmp/b"
echo '[{"work": "walk", "cost": 1000, "faults": 3}, {"work": "sparse", "cost": 10}]' >"$tmp/a/some.json"

# compare TEXT: the results to compare with; the exit status and the output are kept.
compare()
{
	echo "$1" >"$tmp/b/some.json"
	bench/compare "$tmp/a" "$tmp/b" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

compare "$(cat "$tmp/a/some.json")"
ok "equal results: 0, and nothing to tell" test "$status:$(wc -c <"$tmp/out")" = 0:0
compare '[{"work": "walk", "cost": 1009, "faults": 3}, {"work": "sparse", "cost": 10}]'
ok "0.9 % more: the same" test "$status:$(wc -c <"$tmp/out")" = 0:0
compare '[{"work": "walk", "cost": 1011, "faults": 3}, {"work": "sparse", "cost": 10}]'
ok "1.1 % more: 1" test $status = 1
ok "and which figure it is" grep -q "^more .*some/walk .*cost 1000 -> 1011 (+1.1 %)" "$tmp/out"
compare '[{"work": "walk", "cost": 900, "faults": 3}, {"work": "sparse", "cost": 10}]'
ok "less: 0, and which" eval '[ $status = 0 ] && grep -q "^less .*1000 -> 900" "$tmp/out"'
compare '[{"work": "walk", "cost": 1000}, {"work": "sparse", "cost": 10}, {"work": "new", "cost": 1}]'
ok "one is missing: 1, and which" eval '[ $status = 1 ] && grep -q "^missing .*some/walk .*faults 3" "$tmp/out"'
ok "one is new" grep -q "^new .*some/new .*cost 1" "$tmp/out"
compare 'not JSON'
ok "no results in a file: 2" test $status = 2
ok "no folder: 2, and what makes results" eval '
	bench/compare "$tmp/none" "$tmp/b" 2>"$tmp/err"; [ $? = 2 ] && grep -q "make bench" "$tmp/err"'
ok "wrong usage: 2" eval 'bench/compare "$tmp/a" >"$tmp/out" 2>&1; [ $? = 2 ]'
finish
