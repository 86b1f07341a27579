#!/bin/sh
# Spin checks a constant instead of an inline LTL formula such as "[] x != 1".
#
# Version:  Spin 6.5.2 (Debian 12: 6.5.2+dfsg-1).
# Expected: the notes of version 6.0 (V6.Updates.gz in the package) say that the predicates in an
#           ltl block can be any valid Promela expression and that macros are no longer needed for
#           them. So "ltl p { [] x != 1 }" should either mean [] (x != 1), as "a U x == 1" does
#           mean a U (x == 1), or be a syntax error.
# Seen:     The number of the token "[]" inside Spin's parser, 333, becomes an operand of the
#           comparison. Spin checks the claim (333 != 1), which is always true, and the verifier
#           reports no error for a model that breaks the property in its first step. The same goes
#           for "always", "<>" and every comparison or sum. The only sign is the formula that
#           "spin -a" prints. With parentheses, the error is found.
# Effect:   A property that is "verified" may not have been looked at. Each comparison after a
#           temporal operator needs parentheses, and the printed formula should be read.
#
# Needs apt-get, dpkg-deb and a C compiler. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download spin=6.5.2+dfsg-1 ||
	{ echo "not tried: the package is not offered here; run apt-get update" >&2; exit 2; }
dpkg-deb -x spin_*.deb root

# It verifies the formula for a model in which x becomes 1 and prints the number of errors.
errors_for() {
	cat > model.pml <<-END
		byte x;
		active proctype writer() { x = 1 }
		ltl property { $1 }
	END
	root/usr/bin/spin -a model.pml > "$2"
	cc -w -o pan pan.c
	./pan -a | sed -n 's/.*errors: \([0-9]*\).*/\1/p'
}

bare=$(errors_for '[] x != 1' bare)
word=$(errors_for 'always x != 1' word)
wrapped=$(errors_for '[] (x != 1)' wrapped)
until=$(errors_for '(x == 0) U x == 1' until)
echo "[] x != 1          errors: $bare     $(grep '^ltl' bare)"
echo "always x != 1      errors: $word     $(grep '^ltl' word)"
echo "[] (x != 1)        errors: $wrapped     $(grep '^ltl' wrapped)"
echo "(x == 0) U x == 1  errors: $until     $(grep '^ltl' until)"
[ "$wrapped" = 1 ] || { echo "CHANGED: the error is not found with parentheses either"; exit 1; }
[ "$until" = 0 ] || { echo "CHANGED: a comparison after U is not understood any more"; exit 1; }
[ "$bare/$word" = 0/0 ] || { echo "CHANGED: the error is found without parentheses"; exit 1; }
echo "as described: the broken property passes unless its comparison is in parentheses"
