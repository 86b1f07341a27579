#!/bin/sh
# "jq -e" is satisfied with a program that printed nothing.
#
# Version:  jq 1.6 (Debian 12: 1.6-2.1+deb12u3).
# Expected: jq(1) describes --exit-status as 4 if no valid result was ever produced. A tool whose
#           output is empty produces none, whatever the filter asks of it.
# Seen:     With a filter that produces nothing, "empty", the status is 4 as described. With input
#           that holds no document, an empty file or white space, the status is 0 for every
#           filter, also for one that is always false.
# Effect:   "tool --json | jq -e '.vms | length == 3'" passes in a test script when the tool crashes
#           before it prints anything: a pipeline's status is jq's. Reading all documents into an
#           array, "jq -es 'length == 1 and (.[0] | ...)'", notices.
#
# Needs apt-get and dpkg-deb; the packages have 0.4 MB. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

for package in jq=1.6-2.1+deb12u3 libjq1=1.6-2.1+deb12u3 libonig5=6.9.8-1; do
	apt-get -qq -o APT::Sandbox::User=root download "$package" ||
		{ echo "not tried: $package is not offered here; run apt-get update" >&2; exit 2; }
done
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done
jq=root/usr/bin/jq
LD_LIBRARY_PATH=$(echo "$PWD"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH

# The status of jq -e with filter $1 for the text $2.
status_for() {
	status=0
	printf %s "$2" | "$jq" -e "$1" > out.log 2>&1 || status=$?
	echo "$status"
}

"$jq" --version
echo "'.ok' of a document in which it is false: status $(status_for .ok '{"ok": false}')"
echo "'empty' of a document: status $(status_for empty '{"ok": true}')"
echo "'.ok' of nothing: status $(status_for .ok '')"
echo "'false' of white space: status $(status_for false ' ')"
[ "$(status_for .ok '{"ok": false}')" -eq 1 ] || { echo "CHANGED: false is not 1"; exit 1; }
[ "$(status_for empty '{"ok": true}')" -eq 4 ] || { echo "CHANGED: no result is not 4"; exit 1; }
[ "$(status_for .ok '')" -eq 0 ] || { echo "CHANGED: no input is not 0"; exit 1; }
[ "$(status_for false ' ')" -eq 0 ] || { echo "CHANGED: white space is not 0"; exit 1; }
echo "as described: every filter is satisfied with an input without a document"
