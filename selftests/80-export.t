#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests the metrics of memattr-top: that they are what the guest counted, in the file and by HTTP, in formats that
# the reference parsers take and in which our own check finds nothing wrong; and that no reader holds anything up.
use strict;
use warnings;
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes 'sleep';
use lib "$FindBin::Bin/lib";
use Metrics;
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TOP = 'build/bin/memattr-top';
my $FAULT = 'build/selftests/policy/fault.bpf.o';
my $RECORD = 'selftests/tools/screens/memattr-top.record';
my $PORT = 9123;
my $URL = "http://127.0.0.1:$PORT/metrics";
my $OPENMETRICS = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
# In the checkout, which a VM shares with its host.
my $KEPT = 'build/selftests/export';
my $TMP = "/tmp/export-$$";
mkdir $TMP or die "$TMP: $!";
END { unlink glob "$TMP/*"; rmdir $TMP; }

use constant PART_S => 200;

# --- the formats ---

# Our check finds nothing wrong. The text is kept for the reference parser, which would take long in a VM.
sub is_right {
	my ($text, $openmetrics, $name) = @_;
	is(join("\n", metrics_problems($text, $openmetrics)), '', "$name: nothing is wrong");
	write_file("$KEPT/$name." . ($openmetrics ? 'openmetrics' : 'text'), $text);
}

# The reference implementation reads each text, and finds as many samples as there are.
sub parsers_agree {
	my @names = @_;
	for my $name (@names) {
		my $text = read_file("$KEPT/$name");
		my $module = $name =~ /openmetrics/ ? 'prometheus_client.openmetrics.parser' : 'prometheus_client.parser';
		my ($status, $count, $err) = run('/usr/bin/python3', '-c', <<"END");
from $module import text_string_to_metric_families as families
print(sum(len(family.samples) for family in families(open("$KEPT/$name").read())))
END
		chomp $count;
		is($count, scalar keys %{ read_metrics($text) }, "$name: the reference parser reads all samples") or diag($err);
	}
}

# Each kind of mistake is found.
sub the_check_works {
	my $text = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
	my $histogram = "# HELP h H.\n# TYPE h histogram\n" .
		"h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
	my $open = "# TYPE a counter\n# HELP a A.\na_total 1\n# EOF\n";
	is(join("\n", metrics_problems($text, 0), metrics_problems($histogram, 0), metrics_problems($open, 1)), '',
	   'nothing is wrong with the right ones');
	my @cases = ([ $text, 0, 'a_total\{', 'b_total{' ], [ $text, 0, ' 1$', ' NaN' ], [ $text, 0, ' 1$', ' -1' ],
		     [ $text, 0, '\n\z', '' ], [ $text, 0, 'counter\n', "counter\n\n" ], [ $text, 0, '"c"', '"c",b="c"' ],
		     [ $text, 0, '"c"', "\"\n\"" ], [ $text, 0, '\z', "a_total{b=\"c\"} 2\n" ],
		     [ $text, 0, '\z', "# EOF\n" ], [ $text, 0, '\z', $text ], [ $text, 0, '# HELP.*\n', '' ],
		     [ $histogram, 0, '\+Inf"} 2', '+Inf"} 0' ], [ $histogram, 0, '.*Inf.*\n', '' ],
		     [ $histogram, 0, 'count 2', 'count 3' ], [ $histogram, 0, '.*sum.*\n', '' ],
		     [ $histogram, 0, 'le="1"', 'le="x"' ], [ $histogram, 0, '(h_bucket.*\n)(.*\n)', '$2$1' ],
		     [ $open, 1, '# EOF\n', '' ], [ $open, 1, 'a_total', 'a' ], [ $open, 1, '\z', "a_total{b=\"c\"} 1\n" ],
		     [ $open, 1, '\n# HELP', "\n# UNIT a bytes\n# HELP" ]);
	my @missed;
	for (@cases) {
		my ($right, $openmetrics, $from, $to) = @$_;
		my $wrong = $to =~ /^\$2/ ? $right =~ s/$from/$2$1/r : $right =~ s/$from/$to/mr;
		push @missed, "$from -> $to" unless $wrong ne $right && metrics_problems($wrong, $openmetrics);
	}
	is("@missed", '', scalar(@cases) . ' kinds of mistakes are found');
}

# --- what needs no VM ---

sub arguments {
	for (['--textfile metrics', qr/end in \.prom/], ['--textfile .prom', qr/end in \.prom/],
	     ['--listen 9123', qr/not an address/], ['--listen localhost:9123', qr/not an address/],
	     ['--listen ::1:9123', qr/not an address/], ['--listen :0', qr/not an address/],
	     ["--listen :9123 --replay $RECORD", qr/exclude each other/]) {
		my ($options, $text) = @$_;
		fails_with("$options: refused", 2, $text, $TOP, split ' ', $options);
	}
	fails_with('a folder that is not there', 1, qr/cannot write .*No such file.*\n.*try: /, $TOP, '--replay', $RECORD,
		   '--textfile', "$TMP/none/metrics.prom");
}

# A record as metrics: the same figures as in JSON.
sub replayed {
	my $file = "$TMP/metrics.prom";
	write_file("$TMP/victim", "keep\n");
	symlink "$TMP/victim", "$file.new";
	my ($status, $out, $err) = run('sh', '-c', "umask 077 && $TOP --replay $RECORD --textfile $file");
	is("$status $out", '0 ', 'a record: nothing on stdout') or diag($err);
	my $text = read_file($file);
	is_right($text, 0, 'replayed');
	parsers_agree('replayed.text');
	is(sprintf('%o', (stat $file)[2] & 07777), '644', 'everybody may read it');
	is(join(' ', map { s{.*/}{}r } glob "$TMP/*"), 'metrics.prom victim', 'nothing else is left');
	is(read_file("$TMP/victim"), "keep\n", 'and no file that a link by the name of the new one led to was written');

	my $metrics = read_metrics($text);
	my ($last) = reverse split /\n/, (run($TOP, qw(-j --totals --replay), $RECORD))[1];
	for my $vm (@{ decode_json($last)->{vms} }) {
		my %vm = (vm => "$vm->{pid}-$vm->{fd}");
		is(join(' ', map { value_of($metrics, @$_, %vm) // 'none' } ['memattr_vm_exits_total'],
			['memattr_vm_conversions_total', direction => 'private'],
			['memattr_vm_conversions_total', direction => 'shared'], ['memattr_vm_converted_bytes_total'],
			['memattr_vm_requested_bytes_total'], ['memattr_vm_zapped_bytes_total'],
			['memattr_vm_conversion_refusals_total'], ['memattr_vm_conversion_failures_total'],
			['memattr_vm_conversion_holds_total']),
		   join(' ', @$vm{qw(exits to_priv to_shared)}, map({ 4096 * $vm->{$_} } qw(eff_pg req_pg zap_pg)),
			@$vm{qw(denied failed held)}), "the figures of $vm->{name}");
		is(value_of($metrics, 'memattr_vm_conversion_seconds_count', %vm), $vm->{to_priv} + $vm->{to_shared},
		   'and how many latencies');
	}
	($status, $out) = run($TOP, qw(-b --replay), $RECORD, '--textfile', $file);
	like($out, qr/^TIME +PID /, 'with -b, there is a table as well');
}

# docs/metrics.md has each family, and no other; in the same words.
sub documented {
	my $source = read_file('tools/memattr-top/metrics.c');
	my (%exported, %documented);
	while ($source =~ /\{ "(memattr_\w+)", FAMILY_(\w+)/g) {
		$exported{$1 . ({ COUNTER => '_total', INFO => '_info' }->{$2} // '')} = 1;
	}
	cmp_ok(scalar keys %exported, '>', 20, 'there are metrics');
	$documented{$_} = 1 for read_file('docs/metrics.md') =~ /^\| `(memattr_\w+)`/mg;
	is_deeply([ sort keys %documented ], [ sort keys %exported ], 'the documentation has all of them');
}

# --- in the VM ---

sub start_export {
	my $top = start($TOP, @_);
	close $top->{in};
	return $top;
}

# Calls until the condition is true of what it returns.
sub until_true {
	my ($get, $condition, $name) = @_;
	my $end = time + PATIENCE_S;
	my $got;
	while (time < $end) {
		$got = $get->();
		return pass($name) if $condition->($got);
		sleep 0.05;
	}
	fail($name);
	diag($got);
}

sub scrape {
	my ($status, $out) = run('curl', '-sS', '--max-time', 20, '-H', "Accept: $OPENMETRICS", $URL);
	return $out;
}

# curl's output with the headers.
sub ask {
	return (run('curl', '-sSi', '--max-time', 20, @_))[1];
}

# Returns the guest's own counts.
sub finish_guest {
	my $guest = shift;
	go_guest($guest);
	stop($guest);
	return eval { decode_json($guest->{text}) } // do { fail('the guest says what it did'); {} };
}

sub exact {
	my $file = "$TMP/metrics.prom";
	my $guest = start_guest('--name', 'exact "q" \\', qw(--scenario churn --count 300 --vcpus 2));
	my $top = start_export('--textfile', $file, '--by-reason', '-d', 600);
	until_true(sub { read_file($file) }, sub { $_[0] =~ /memattr_vm_exits_total/ }, 'a VM that has not run yet');
	my $before = read_metrics(read_file($file));
	my @counters = grep { /_total\{vm=|_seconds_count/ } keys %$before;
	cmp_ok(scalar @counters, '>', 15, 'has all of its counters');
	is(join(' ', grep { $before->{$_} != 0 } @counters), '', 'and all begin at 0');
	# The guest calls its process by its name, too.
	my $escaped = 'exact \\"q\\" \\\\';
	my $info = qr/\{vm="\d+",name="\Q$escaped\E",pid="$guest->{pid}",comm="\Q$escaped\E",cgroup="\/",container=""\}/;
	ok((grep { /^memattr_vm_info$info$/ } keys %$before), 'name, process and cgroup') or diag(read_file($file));

	my $counted = finish_guest($guest);
	my $ends = time;
	is(stop($top, 'INT') . $top->{text}, '0', 'SIGINT: ends with 0, and has printed nothing');
	my $ended = time;
	my $text = read_file($file);
	is_right($text, 0, 'exact');
	my $metrics = read_metrics($text);
	for (['memattr_vm_exits_total', $counted->{exits}],
	     ['memattr_vm_conversions_total', $counted->{to_private}, direction => 'private'],
	     ['memattr_vm_conversions_total', $counted->{to_shared}, direction => 'shared'],
	     ['memattr_vm_converted_bytes_total', 4096 * $counted->{converted_pages}],
	     ['memattr_vm_requested_bytes_total', 4096 * $counted->{requested_pages}],
	     ['memattr_vm_zapped_bytes_total', 4096 * $counted->{converted_pages}],
	     ['memattr_vm_conversion_seconds_count', $counted->{conversions}],
	     ['memattr_vm_conversion_noops_total', 0], ['memattr_vm_conversion_refusals_total', 0],
	     ['memattr_policy_ejections_total', 0], ['memattr_vm_policy_ejected', 0], ['memattr_lost_events_total', 0],
	     ['memattr_kernel_patched', 1], ['memattr_in_place_conversion', 0]) {
		my ($name, $expected, @labels) = @$_;
		is(value_of($metrics, $name, @labels), $expected, "$name @labels");
	}
	my $when = value_of($metrics, 'memattr_snapshot_timestamp_seconds');
	ok($ends <= $when && $when <= $ended, 'when it was') or diag("$when, not from $ends to $ended");
	plausible_sum($metrics, $counted);
	by_reason($metrics, $counted);
}

# Adds up all samples with this name whose labels match.
sub sum_of {
	my ($metrics, $name, $labels) = @_;
	my $sum = 0;
	$sum += $metrics->{$_} for grep { /^$name\{/ && $_ =~ $labels } keys %$metrics;
	return $sum;
}

sub by_reason {
	my ($metrics, $counted) = @_;
	is(sum_of($metrics, 'memattr_vm_exits_by_reason_total', qr/reason="/), $counted->{exits}, 'exits by reason');
	is(sum_of($metrics, 'memattr_vm_user_exits_total', qr/reason="\w+"/), $counted->{kvm_run_returns},
	   'exits to userspace');
	is(sum_of($metrics, 'memattr_vm_faults_total', qr/level=/), $counted->{stage2_faults}, 'faults by alias and level');
	cmp_ok(sum_of($metrics, 'memattr_vm_faults_total', qr/alias="private"/), '>', 0, 'among them private ones');
	is(sum_of($metrics, 'memattr_vm_chain_conversions_total', qr/link="convert"/), $counted->{conversions},
	   'conversions that have chains');
	is(sum_of($metrics, 'memattr_vm_chain_conversions_total', qr/link="exit"/), $counted->{conversions}, 'an exit for each');
	cmp_ok(sum_of($metrics, 'memattr_vm_chain_seconds_total', qr/link="fault"/), '>', 0, 'and the time of what follows');
	cmp_ok(sum_of($metrics, "memattr_vm_${_}_seconds_total", qr/./), '>', 0, "the time of $_") for qw(exit fault zap);
}

# The guest waits for each conversion for as long as KVM takes, and some more.
sub plausible_sum {
	my ($metrics, $counted) = @_;
	my $sum = value_of($metrics, 'memattr_vm_conversion_seconds_sum');
	ok($sum > 0 && $sum <= $counted->{guest_run_s} * 2, 'the sum of the latencies') or diag($sum, explain($counted));
	cmp_ok(value_of($metrics, 'memattr_bpf_seconds_total'), '>', 0, 'the own cost in the kernel');
	cmp_ok(value_of($metrics, 'memattr_process_cpu_seconds_total'), '>', 0, 'and in userspace');
}

# Without what changes by itself, or if the machine is busy.
sub lasting {
	my $samples = shift;
	return { map { /_cpu_seconds|timestamp|memattr_bpf|late_intervals/ ? () : ($_ => $samples->{$_}) } keys %$samples };
}

sub http {
	my $file = "$TMP/both.prom";
	my $guest = start_guest('--name', 'served', qw(--scenario churn --duration 1000));
	my $top = start_export('--textfile', $file, '--listen', ":$PORT", '-d', '0.1');
	go_guest($guest);
	until_true(\&scrape, sub { $_[0] =~ /direction="shared"\} [1-9]/ }, 'OpenMetrics by HTTP');
	my $half = 0;
	for (1 .. 40) {
		$half++ if metrics_problems(read_file($file), 0);
		sleep 0.02;
	}
	is($half, 0, 'whoever reads the file gets all of it');
	# Now nothing is counted any more. The first snapshot of a later second has all that was.
	halt($guest->{pid});
	my $halted = time;
	until_true(sub { snapshot_time($file) }, sub { $_[0] > $halted }, 'the guest stands still');
	my $text = scrape();
	is_right($text, 1, 'served');
	my $plain = ask($URL);
	like($plain, qr{^HTTP/1\.1 200 OK\r\n.*Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r\n}s,
	     'who asks for nothing gets text');
	$plain =~ s/^.*?\r\n\r\n//s;
	is_right($plain, 0, 'served');
	is_deeply(lasting(read_metrics($plain)), lasting(read_metrics($text)), 'both formats have the same samples');
	is_deeply(lasting(read_metrics(read_file($file))), lasting(read_metrics($text)), 'and the file has them, too');

	like(ask('-H', "Accept: $OPENMETRICS", $URL),
	     qr{Content-Type: application/openmetrics-text; version=1\.0\.0; charset=utf-8\r\n.*# EOF\n\z}s,
	     'who asks for OpenMetrics gets it');
	my $head = ask('-I', $URL);
	ok($head =~ m{^HTTP/1\.1 200 OK\r\n.*\r\n\r\n\z}s && $head =~ /^Content-Length: [1-9]\d{2,}\r$/m, 'HEAD') or diag($head);
	like(ask("http://127.0.0.1:$PORT/other"), qr{^HTTP/1\.1 404 .*at /metrics}s, 'another path: says which');
	like(ask("http://127.0.0.1:$PORT/"), qr{^HTTP/1\.1 200 .*at /metrics}s, 'and the first one');
	like(ask(qw(-X POST --data-binary x), $URL), qr{^HTTP/1\.1 405 .*Allow: GET, HEAD\r\n}s, 'POST: not allowed');
	my ($status, $out, $err) = run('curl', '-sS', '-w', '%{num_connects} ', map { ('-o', '/dev/null', $_) } $URL, $URL);
	is($out, '1 0 ', 'a connection is good for many requests') or diag($err);
	fails_with('a port in use', 1, qr/cannot listen on :$PORT: Address already in use\n.*try: ss -ltnp/, $TOP,
		   '--listen', ":$PORT");
	hostile($file);
	kill KILL => $guest->{pid};
	stop($guest);
	until_true(\&scrape, sub { $_[0] !~ /name="served"/ }, 'a VM that has ended is dropped');
	is(stop($top, 'TERM') . $top->{text}, '0', 'SIGTERM: ends with 0');
	is(join(' ', glob "$TMP/both*"), $file, 'and leaves a whole file and nothing else');
	is(join("\n", metrics_problems(read_file($file), 0)), '', 'in which nothing is wrong');
}

sub snapshot_time {
	return value_of(read_metrics(read_file(shift)), 'memattr_snapshot_timestamp_seconds') // 0;
}

# Readers that do not read, and that say nonsense.
sub hostile {
	my $file = shift;
	my @silent = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$PORT") // () } 1 .. 40;
	cmp_ok(scalar @silent, '>=', 32, 'many readers who say nothing');
	for my $socket (@silent[0 .. 15]) {
		print $socket "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" x 20;
		$socket->flush;
	}
	my $time = snapshot_time($file);
	until_true(sub { snapshot_time($file) }, sub { $_[0] >= $time + 2 }, 'do not hold up the collector');
	close $_ for @silent;
	until_true(\&scrape, sub { $_[0] =~ /# EOF\n\z/ }, 'and when they have gone, others are served');
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$PORT");
	print $socket "\0\xff nonsense " x 5000, "\r\n\r\n";
	shutdown $socket, 1;
	my $answer = join '', <$socket>;
	unlike($answer, qr/200 OK/, 'nonsense gets no figures');
	$answer = ask('-H', 'X: ' . 'x' x 60000, $URL);
	like($answer, qr{^HTTP/1\.1 4\d\d }, 'nor does a header that is too long');
	like(scrape(), qr/# EOF\n\z/, 'and afterwards all is as before');
}

# -p leaves out the others.
sub one_process {
	my ($one, $two) = map { start_guest('--name', $_, qw(--count 10)) } qw(one two);
	my $top = start_export('--textfile', "$TMP/one.prom", '-p', $two->{pid}, '-d', '0.1');
	until_true(sub { read_file("$TMP/one.prom") }, sub { $_[0] =~ /name="two"/ }, '-p: this process');
	unlike(read_file("$TMP/one.prom"), qr/name="one"/, 'and no other');
	finish_guest($_) for $one, $two;
	is(stop($top), 0, 'ends with the process');
}

sub other_addresses {
	my $top = start_export('--listen', '[::1]:9124', '-d', '0.1');
	until_true(sub { ask('-g', 'http://[::1]:9124/metrics') }, sub { $_[0] =~ /memattr_vms 0\n/ }, 'IPv6');
	my ($status) = run('curl', '-sS', 'http://127.0.0.1:9124/metrics');
	is($status, 7, 'nobody listens elsewhere');
	is(stop($top, 'INT'), 0, 'SIGINT: ends with 0');
	$top = start_export('-b', '--listen', ':9124', '-d', '0.1');
	like(readline($top->{out}), qr/^TIME /, '-b prints a table as well');
	is(stop($top, 'TERM'), 0, 'and SIGTERM ends that with 0');
}

# A policy that is ejected before anybody asks.
sub ejected {
	my $guest = start_guest('--name', 'freed', qw(--scenario churn --duration 1000 --rate 50));
	my $loader = load_policy($FAULT, '--pid', $guest->{pid}, 'convert_ret=7');
	go_guest($guest);
	# It ends when its policy has been ejected.
	stop($loader);
	my $began = time;
	my $top = start_export('--listen', ":$PORT", '-d', '0.1');
	until_true(\&scrape, sub { $_[0] =~ /policy_ejections_total\{.*\} 1$/m }, 'an ejection from before');
	my $metrics = read_metrics(scrape());
	is(value_of($metrics, 'memattr_vm_policy_ejected', name => 'freed'), 1, 'the VM has no policy because of it');
	my $when = value_of($metrics, 'memattr_policy_last_ejection_timestamp_seconds');
	my $now = time;
	ok($began <= $when && $when <= $now, 'and when that was noticed') or diag("$when, not from $began to $now");
	$loader = load_policy($FAULT, '--pid', $guest->{pid}, 'convert_ret=0');
	until_true(\&scrape, sub { $_[0] =~ /vm_policy_info\{.*policy="fault"\} 1$/m }, 'the next policy');
	$metrics = read_metrics(scrape());
	my ($most) = read_file('docs/metrics.md') =~ /^A VM has at most (\d+) series/m;
	is(scalar(grep { /name="freed"/ } keys %$metrics), $most, 'as many series for a VM as the documentation says');
	is(value_of($metrics, 'memattr_vm_policy_ejected'), 0, 'now it has one');
	is(value_of($metrics, 'memattr_policy_last_ejection_timestamp_seconds'), $when, 'the time stays');
	cmp_ok(value_of($metrics, 'memattr_policy_calls_total'), '>', 0, 'calls of policies');
	stop($top, 'TERM');
	stop($loader, 'INT');
	kill KILL => $guest->{pid};
	stop($guest);
}

sub disk_full {
	run(qw(mount -t tmpfs -o size=64k none), $TMP);
	my $top = start_export('--textfile', "$TMP/full.prom", '-d', '0.1');
	until_true(sub { read_file("$TMP/full.prom") }, sub { $_[0] =~ /memattr_vms/ }, 'a small disk');
	# Whenever the tool replaces its file, there is room for another one.
	my $rest = start('sh', '-c', "while :; do cat /dev/zero >>$TMP/rest; sleep 0.02; done 2>/dev/null");
	is(stop($top), 1, 'when it is full: ends with 1');
	stop($rest, 'KILL');
	like($top->{said}, qr/cannot write .*full\.prom: No space left on device\n.*try: /, 'says so');
	is(join("\n", metrics_problems(read_file("$TMP/full.prom"), 0)), '', 'the last whole file is still there');
	ok(!-e "$TMP/full.prom.new", 'and no other one');
	run('umount', $TMP);
}

# --- the stock kernel ---

sub stock {
	my $guest = start_guest('--name', 'stock', qw(--scenario churn --count 100));
	my $top = start_export('--textfile', "$TMP/stock.prom", '-d', 600);
	until_true(sub { read_file("$TMP/stock.prom") }, sub { $_[0] =~ /memattr_vm_exits_total/ }, 'a VM that has not run yet');
	my $counted = finish_guest($guest);
	stop($top, 'INT');
	my $text = read_file("$TMP/stock.prom");
	is_right($text, 0, 'stock');
	my $metrics = read_metrics($text);
	is(value_of($metrics, 'memattr_vm_exits_total', vm => "$guest->{pid}-$guest->{vm_fd}"), $counted->{exits},
	   'exits of a VM without a number of KVM');
	is(value_of($metrics, 'memattr_vm_conversions_total', direction => 'private'), $counted->{to_private}, 'conversions');
	is(value_of($metrics, 'memattr_kernel_patched'), 0, 'the kernel is not patched');
	is(join(' ', grep { /requested|refusals|failures|holds|noops|conversion_seconds|polic|prefault|zap_sec/ } sort keys %$metrics), '',
	   'what is not measured is absent');
}

my %parts = (
	'the part on the patched kernel' => sub {
		exact();
		http();
		one_process();
		other_addresses();
		ejected();
		disk_full();
	},
	'the part on the stock kernel' => \&stock,
);

run_parts(PART_S, \%parts, sub {
	mkdir $KEPT;
	unlink glob "$KEPT/*";
	unit_tests_ok('build/selftests/tools/metrics-unit', 'metrics-unit, which needs no kernel');
	the_check_works();
	arguments();
	replayed();
	documented();
	in_vm('the part on the patched kernel', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
	in_vm('the part on the stock kernel', 'stock', PART_S);
	# On a given kernel, there is no part on the stock kernel.
	parsers_agree(qw(exact.text served.openmetrics served.text), $ENV{MEMATTR_KERNEL} ? () : 'stock.text');
});
