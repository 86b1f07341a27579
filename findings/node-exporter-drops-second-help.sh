#!/bin/sh
# node_exporter drops the series of a text file whose HELP differs, and reports no scrape error.
#
# Version:  node_exporter 1.5.0 (Debian 12: prometheus-node-exporter 1.5.0-1+b6).
# Expected: two valid files *.prom hold the same metric for two virtual machines. They differ in
#           one word of the HELP text, as they do for a while when the program that writes them is
#           updated. The exporter's own HELP line promises that node_textfile_scrape_error is 1
#           after an error with a file. So either both series are served, or that metric becomes 1
#           and an alert on it fires.
# Seen:     The series of the second file is missing. node_textfile_scrape_error is 0,
#           node_scrape_collector_success is 1, both files have their modification time in
#           node_textfile_mtime_seconds, and the status is 200. The one trace in the metrics is
#           promhttp_metric_handler_errors_total{cause="gathering"}, and it shows up one scrape late.
# Effect:   HELP texts are part of a metric's interface: a changed one removes VMs from the
#           monitoring. Alert on the increase of that counter too.
#
# Needs apt-get, dpkg-deb and curl; the exporter listens on the loopback address for two requests.
# Exit status: 0 as described, 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
exporter=
trap '[ -z "$exporter" ] || kill "$exporter" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download prometheus-node-exporter=1.5.0-1+b6 ||
	{ echo "not tried: the package is not offered here; run apt-get update" >&2; exit 2; }
dpkg-deb -x prometheus-node-exporter_*.deb root

# $1 is the name of the VM and $2 a word of the HELP text.
write_metrics() {
	cat > "files/$1.prom" <<-END
		# HELP vm_private_pages Pages of $2 VM that are private.
		# TYPE vm_private_pages gauge
		vm_private_pages{vm="$1"} 512
	END
}

mkdir files
write_metrics first the
write_metrics second each
port=$((20000 + $$ % 10000))
root/usr/bin/prometheus-node-exporter --collector.disable-defaults --collector.textfile \
	--collector.textfile.directory=files --web.listen-address="127.0.0.1:$port" 2> log &
exporter=$!

# It prints the status and leaves the metrics in the file named by $1.
scrape() {
	curl -s --noproxy '*' --retry 20 --retry-delay 1 --retry-connrefused \
		-o "$1" -w '%{http_code}' "http://127.0.0.1:$port/metrics"
}

shown='^(vm_private|node_textfile|node_scrape_collector_success|promhttp.*errors)'
status=$(scrape metrics) || { echo "not tried: the exporter does not answer" >&2; cat log >&2; exit 2; }
scrape metrics.next > /dev/null
echo "status $status"
grep -E "$shown" metrics
echo "and in the next scrape:"
grep 'errors_total.*gathering' metrics.next

fail() {
	echo "CHANGED: $1"
	exit 1
}

grep -q '^vm_private_pages{vm="first"}' metrics || fail "the first file's series is missing"
! grep -q '^vm_private_pages{vm="second"}' metrics || fail "the second file's series is served"
grep -qx 'node_textfile_scrape_error 0' metrics || fail "node_textfile_scrape_error is not 0"
[ "$status" = 200 ] || fail "the status is not 200"
[ "$(grep -c '^node_textfile_mtime_seconds' metrics)" -eq 2 ] || fail "a file has no time"
grep -q 'gathering"} 1' metrics.next || fail "the counter of gathering errors is not 1"
echo "as described: one VM's series is missing while node_textfile_scrape_error is 0"
