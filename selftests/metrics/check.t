#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests the metrics of memattr-top, the dashboard and the alerts with real servers: those of Debian 12 and 13, and Prometheus 3.
# `make check-metrics` calls this; it is not part of `make check`, because it downloads the servers.
#
#   RELEASES="bookworm trixie sid"   whose servers
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes 'sleep';
use lib "$FindBin::Bin/../lib";
use Metrics;
use Tool;

chdir "$FindBin::Bin/../.." or die "$FindBin::Bin/../..: $!";

my @RELEASES = split ' ', $ENV{RELEASES} // 'bookworm trixie sid';
my $TOP = 'build/bin/memattr-top';
my $FAULT = 'build/selftests/policy/fault.bpf.o';
my $ALERTS = 'docs/metrics/alerts.yml';
my $DASHBOARD = 'docs/metrics/dashboard.json';
my $RECORD = 'selftests/tools/screens/memattr-top.record';
my $TMP = "/tmp/metrics-$$";
mkdir $TMP or die "$TMP: $!";
END { unlink glob "$TMP/*"; rmdir $TMP; }

use constant PART_S => 400;
# A Prometheus in an emulated machine that has one core takes its time.
use constant SERVER_PATIENCE_S => 120;

# --- what promtool says ---

sub promtool {
	my ($release, $bin) = @_;
	my ($status, $out, $err);
	run($TOP, '--replay', $RECORD, '--textfile', "$TMP/metrics.prom");
	($status, $out, $err) = run('sh', '-c', "$bin/promtool check metrics <$TMP/metrics.prom");
	is("$status$out$err", '0', "$release: promtool check metrics has nothing to say");
	($status, $out, $err) = run("$bin/promtool", qw(check rules --lint=all --lint-fatal), $ALERTS);
	ok($status == 0 && $out =~ /SUCCESS: \d+ rules/, "$release: the alerts are rules") or diag($out, $err);
	($status, $out, $err) = run("$bin/promtool", qw(test rules docs/metrics/alerts-test.yml));
	ok($status == 0 && "$out$err" =~ /SUCCESS/, "$release: and fire when they should") or diag($out, $err);
}

# Each alert has a test in which it fires.
sub alerts_are_tested {
	my %alerts = map { ($_ => 1) } read_file($ALERTS) =~ /- alert: (\w+)/g;
	my %fires;
	my $alert;
	for (split /\n/, read_file('docs/metrics/alerts-test.yml')) {
		$alert = $1 if /alertname: (\w+)/;
		$fires{$alert} = 1 if /exp_alerts:(?! \[\])/;
	}
	is_deeply([ sort keys %fires ], [ sort keys %alerts ], 'each alert fires in a test');
}

# --- the expressions ---

sub dashboard {
	my $dashboard = decode_json(read_file($DASHBOARD));
	my @expressions = map { $_->{expr} } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
	push @expressions, map { $_->{expr} } @{ $dashboard->{annotations}{list} };
	# What Grafana puts in.
	return map { s/\$__rate_interval/1m/gr =~ s/\$\w+/.*/gr } @expressions;
}

sub alerts {
	return read_file($ALERTS) =~ /^ +expr: (.*)$/mg;
}

sub dashboard_is_right {
	my $dashboard = decode_json(read_file($DASHBOARD));
	ok($dashboard->{schemaVersion} >= 36 && $dashboard->{schemaVersion} <= 39, 'old versions of Grafana take the dashboard');
	my %ids = map { ($_->{id} => 1) } @{ $dashboard->{panels} };
	is(keys %ids, @{ $dashboard->{panels} }, 'each panel has a number of its own');
	cmp_ok(scalar(dashboard()), '>', 20, 'it has expressions');
	is(join(' ', grep { !/memattr_/ } dashboard()), '', 'of memattr');
	my @fixed = grep { /\[/ && !/\[(?:1|10)m\]/ } dashboard();
	is("@fixed", '', 'whose ranges depend on how often the server scrapes');
	is(join(' ', grep { /le="/ } dashboard(), alerts()), '', 'no expression names a bucket: Prometheus 3 renames them');
}

# --- in the VM ---

sub start_server {
	my ($log, @command) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $log;
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	return $pid;
}

sub end_server {
	my $pid = shift;
	kill TERM => $pid;
	waitpid $pid, 0;
	return $?;
}

sub query {
	my $expression = shift;
	my ($status, $out) = run('curl', '-sS', '--max-time', 30, '--data-urlencode', "query=$expression",
				 'http://127.0.0.1:9090/api/v1/query');
	my $answer = eval { decode_json($out) } // {};
	return ($answer->{status} // '') eq 'success' ? $answer->{data}{result} : undef;
}

# The value of the only series; '': there is none yet.
sub value {
	my $found = query(shift) // [];
	return @$found == 1 ? $found->[0]{value}[1] : '';
}

sub becomes {
	my ($expected, $expression, $name) = @_;
	my $end = time + SERVER_PATIENCE_S;
	my $value;
	do {
		$value = value($expression);
		return pass($name) if $value eq $expected;
		sleep 1;
	} while time < $end;
	is($value, $expected, $name) or diag($expression);
}

sub write_config {
	my $release = shift;
	write_file("$TMP/prometheus.yml", <<"END");
global: {scrape_interval: 2s, evaluation_interval: 2s}
rule_files: [$FindBin::Bin/../../$ALERTS]
scrape_configs:
  - job_name: direct
    static_configs: [{targets: ['127.0.0.1:9123']}]
  - job_name: textfile
    static_configs: [{targets: ['127.0.0.1:9100']}]
END
}

sub start_servers {
	my $bin = shift;
	return (start_server("$TMP/exporter.log", "$bin/prometheus-node-exporter", '--collector.disable-defaults',
			     '--collector.textfile', "--collector.textfile.directory=$TMP/textfiles",
			     '--web.listen-address=127.0.0.1:9100'),
		start_server("$TMP/prometheus.log", "$bin/prometheus", "--config.file=$TMP/prometheus.yml",
			     "--storage.tsdb.path=$TMP/tsdb", '--web.listen-address=127.0.0.1:9090',
			     # Debian's package has the consoles elsewhere, or not at all.
			     "--web.console.templates=$TMP", "--web.console.libraries=$TMP"));
}

# What the servers have of the guest that was counted.
sub samples {
	my ($release, $counted) = @_;
	for my $job ('direct', 'textfile') {
		my $of = "{job=\"$job\", name=\"counted\"";
		becomes($counted->{exits}, "max_over_time(memattr_vm_exits_total$of}[30m])", "$release, $job: exits");
		for (['memattr_vm_conversions_total', $counted->{to_private}, 'direction="private"'],
		     ['memattr_vm_conversions_total', $counted->{to_shared}, 'direction="shared"'],
		     ['memattr_vm_converted_bytes_total', 4096 * $counted->{converted_pages}],
		     ['memattr_vm_conversion_seconds_count', $counted->{conversions}],
		     ['memattr_vm_conversion_seconds_bucket', $counted->{conversions}, 'le="+Inf"']) {
			my ($name, $expected, $label) = @$_;
			is(value("max_over_time($name$of" . ($label ? ", $label" : '') . '}[30m])'), $expected,
			   "$release, $job: $name " . ($label // ''));
		}
		# The first samples are from before the guest ran.
		is(value("min_over_time(memattr_vm_exits_total$of}[30m])"), 0, "$release, $job: counted from 0 on");
	}
	is(value('max_over_time(node_textfile_scrape_error[30m])'), 0, "$release: node_exporter has read every file");
	my $buckets = query('memattr_vm_conversion_seconds_bucket{job="direct", name="freed"}') // [];
	is(scalar @$buckets, 13, "$release: a histogram has 13 buckets");
}

sub expressions {
	my $release = shift;
	my @empty = grep { !@{ query($_) // [] } } dashboard();
	is(join("\n", @empty), '', "$release: each expression of the dashboard has a result");
	my @wrong = grep { !defined query($_) } alerts();
	is(join("\n", @wrong), '', "$release: each expression of the alerts is understood");
}

sub servers {
	my ($release, $bin) = @_;
	mkdir "$TMP/textfiles";
	write_config($release);
	# A policy that is ejected before anybody scrapes.
	my $freed = start_guest('--name', 'freed', qw(--scenario churn --duration 3000 --rate 5));
	my $loader = load_policy($FAULT, '--pid', $freed->{pid}, 'convert_ret=7');
	go_guest($freed);
	stop($loader);
	$loader = load_policy($FAULT, '--pid', $freed->{pid}, 'convert_ret=0');
	my $ended = start_guest('--name', 'ejected', qw(--scenario churn --duration 3000 --rate 5));
	my $other = load_policy($FAULT, '--pid', $ended->{pid}, 'convert_ret=7');
	go_guest($ended);
	stop($other);
	my $counted = start_guest('--name', 'counted', qw(--scenario churn --count 300));
	# The last figures of a VM are there for some scrapes.
	my $top = start_server("$TMP/top.log", $TOP, '--textfile', "$TMP/textfiles/memattr.prom", '--listen', ':9123',
			       qw(--by-reason -d 10));
	my @servers = start_servers($bin);
	for my $job ('direct', 'textfile') {
		becomes(0, "memattr_vm_exits_total{job=\"$job\", name=\"counted\"}", "$release, $job: a VM that has not run");
	}
	go_guest($counted);
	stop($counted);
	samples($release, eval { decode_json($counted->{text}) } // {});
	becomes(1, 'ALERTS{alertname="MemattrPolicyEjected", name="ejected", job="direct", alertstate="firing"}',
		"$release: the alert of an ejection before the first scrape fires");
	becomes(1, 'ALERTS{alertname="MemattrPolicyEjected", name="freed", job="direct", alertstate="firing"}',
		"$release: also when the VM has another policy by then");
	expressions($release);
	is(end_server($top), 0, "$release: memattr-top ends with 0");
	end_server($_) for reverse @servers;
	my @complaints = grep { /level=(?:warn|error)/i && !/exiting gracefully|running as root/ } split /\n/,
		read_file("$TMP/prometheus.log") . read_file("$TMP/exporter.log");
	is(join("\n", @complaints), '', "$release: no server complains");
}

my %parts = map { ("the servers of $_" => do { my $release = $_; sub { servers($release, @_) } }) } @RELEASES;

run_parts(PART_S, \%parts, sub {
	alerts_are_tested();
	dashboard_is_right();
	for my $release (@RELEASES) {
		my ($status, $dir, $err) = run('selftests/metrics/servers', $release);
		chomp $dir;
		is($status, 0, "$release: the servers are there") or diag($err), next;
		promtool($release, "$dir/bin");
		in_vm("the servers of $release", [$ENV{MEMATTR_KERNEL} // 'patched', '--mem', 2048], PART_S, "$dir/bin");
	}
});
