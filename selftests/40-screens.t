#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests what the tools make of a record, which needs neither root nor KVM: whole screens against those in
# tools/screens/, the names of figures in every format and in the manuals, files, and the time that it takes.
# With MEMATTR_SCREENS=write it writes the screens anew, for a reader to compare.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
my %tool = map { $_ => "build/bin/$_" } qw(memattr-top prefault-trace);
my $TRACE = $tool{'prefault-trace'};
my $TMP = "/tmp/screens-$$";
# Each screen has a server of its own: one that is ending would take the next screen with it.
my $servers = 0;
mkdir $TMP or die "$TMP: $!";

# The records are of this zone's times, and have names that are not ASCII.
@ENV{qw(TZ LC_ALL NO_COLOR)} = ('UTC', 'C.UTF-8', 1);
delete $ENV{ARGP_HELP_FMT};
# Nobody's saved screens.
$ENV{XDG_CONFIG_HOME} = $TMP;

sub record_of {
	return "selftests/tools/screens/$_[0].record";
}

# Makes a record of prefault-trace. Returns its name.
sub make_record {
	my ($name, @options) = @_;
	my ($status, $out, $err) = run('selftests/tools/mkrecord', @options);
	is($status, 0, "a record: @options") or diag($err);
	write_file("$TMP/$name", $out);
	return "$TMP/$name";
}

# --- screens ---

# Runs a tool on a terminal of this size, presses keys when the record has ended, and returns the screen that matches.
sub screen_of {
	my ($size, $command, $seen, @keys) = @_;
	my ($width, $height) = split /x/, $size;
	my @tmux = ('tmux', '-L', "screens-$$-" . $servers++, '-f', '/dev/null');
	run(@tmux, 'new-session', '-d', '-x', $width, '-y', $height, $command);
	my $end = time + PATIENCE_S;
	my ($screen, $before) = ('', '');
	# A screen that is half drawn changes until the next look.
	while (time < $end) {
		$before = $screen;
		$screen = (run(@tmux, qw(capture-pane -p)))[1];
		if ($screen =~ /END OF RECORD/ && @keys) {
			run(@tmux, 'send-keys', splice @keys);
			next;
		}
		last if !@keys && $screen =~ $seen && $screen eq $before;
		select undef, undef, undef, 0.05;
	}
	run(@tmux, 'kill-server');
	return $screen;
}

# The words of a tool's views, in the order of their numbers.
sub views_of {
	my $name = shift;
	my ($status, $out, $err) = run($tool{$name}, '-b', '--view', 'nonesuch');
	my @views = split /, /, ($err =~ /--view (.*)/)[0] // '';
	@views or fail("$name has views");
	return @views;
}

sub golden_screens {
	for my $name (sort keys %tool) {
		for my $view (views_of($name)) {
			for my $size ('80x24', '120x40', '300x100') {
				my $file = "selftests/tools/screens/$name-$view-$size.txt";
				my $command = "$tool{$name} -d 0.1 --view $view --replay " . record_of($name);
				my $screen = screen_of($size, $command, qr/END OF RECORD/);
				write_file($file, $screen) if ($ENV{MEMATTR_SCREENS} // '') eq 'write';
				is($screen, read_file($file), "$name, view $view at $size");
			}
		}
	}
}

# Enter shows the marked VM only, Esc all again; the VM stays marked.
sub drilling {
	my $command = "$TRACE -d 0.1 --replay " . record_of('prefault-trace');
	my $in = screen_of('100x24', $command, qr/vCPUs? of/, 'Down', 'Down', 'Enter');
	like($in, qr/2 vCPUs of sandbox.*~.*83de4b7/, 'Enter: the marked VM, by its name');
	is(join(' ', $in =~ /^ *(\d+) \S+ +[01] /mg), '1502 1502', 'its vCPUs and no other');
	my $out = screen_of('100x24', $command, qr/\d VMs/, 'Down', 'Down', 'Enter', 'Escape');
	is(join(' ', $out =~ /^ *(\d+) \S+ +all /mg), '1650 1502 1388 1204', 'Esc: all VMs again');
}

# Wherever the line is broken, no character of a stack is lost.
sub wide_screens {
	my $record = make_record('frames', qw(--frames 24 --slow 1));
	for my $size ('80x60', '300x20', '400x20') {
		my $screen = screen_of($size, "$TRACE -d 0.1 --replay $record", qr/\ASlowest.*_24/s, 'l');
		my $text = $screen =~ s/\s*\n\s*//gr;
		my @missing = grep { index($text, sprintf 'kvm_some_rather_long_function_name_%02d', $_) < 0 } 1 .. 24;
		is("@missing", '', "$size: all frames");
	}
}

# A shell stops the tool and lets it go on.
sub stopped {
	my @tmux = ('tmux', '-L', "screens-$$-" . $servers++, '-f', '/dev/null');
	run(@tmux, qw(new-session -d -x 100 -y 24), 'PS1=ready: bash --norc');
	my @steps = (
		["$tool{'memattr-top'} -d 0.2 --replay " . record_of('memattr-top'), qr/END OF RECORD/, 'the screen in a shell'],
		['C-z', qr/Stopped.*ready:/s, 'Ctrl-Z: the shell again'],
		['fg', qr/END OF RECORD.*q Quit/s, 'fg: the screen again'],
		['q', qr/ready:\s*\z/, 'q: the shell, and nothing of the screen'],
	);
	for my $step (@steps) {
		my ($key, $seen, $what) = @$step;
		my ($end, $screen) = (time + PATIENCE_S, '');
		run(@tmux, 'send-keys', $key, length $key > 3 || $key eq 'fg' ? 'Enter' : ());
		while (time < $end && $screen !~ $seen) {
			select undef, undef, undef, 0.1;
			$screen = (run(@tmux, qw(capture-pane -p)))[1];
		}
		like($screen, $seen, $what);
	}
	run(@tmux, 'kill-server');
}

# Only some VMs; all again; an interval of the record that is earlier; what W saves is there at the next start.
sub pressed_keys {
	my $command = "$tool{'memattr-top'} -d 0.1 --replay " . record_of('memattr-top');
	my $some = screen_of('100x24', $command, qr/ 2 VMs with inst /, '/', 'i', 'n', 's', 't', 'Enter');
	is(join(' ', $some =~ /^ *(\d+) \S+ +[\d.]+k /mg), '1388 1204', '/: some VMs');
	my $all = screen_of('100x24', $command, qr/ 4 VMs /, 'f', 'i', 'n', 's', 't', 'Enter', 'r');
	is(join(' ', $all =~ /^ *(\d+) \S+ +[\d.]+k /mg), '1650 1502 1388 1204', 'r: all again');
	my $record = make_record('long', qw(--snapshots 30));
	$command = "$TRACE -d 0.1 --totals --replay $record";
	my ($end) = (split /\n/, (run($TRACE, qw(-b --totals --replay), $record))[1])[-1] =~ /^(\S+)/;
	$end //= 'no interval';
	my ($last) = screen_of('100x24', "$command", qr/END OF RECORD.*all/s) =~ /trace (\S+)/;
	is($last, $end, 'a record of 30 intervals on the screen ends as it does in batch output');
	my $paused = screen_of('100x24', $command, qr/PAUSED/, 'Space', '{');
	ok($paused =~ /PAUSED/ && $paused !~ / $end /, '{: an earlier interval') or diag($paused);
	like(screen_of('100x24', $command, qr/END OF RECORD/, '{', '}', '}'), qr/ $end /, '}: the end again');
	local $ENV{XDG_CONFIG_HOME} = "$TMP/config";
	$command = "$tool{'memattr-top'} --replay " . record_of('memattr-top');
	like(screen_of('100x24', "$command -d 0.1", qr/saved in/, '4', '>', 'W'), qr/saved in \Q$TMP\E/, 'W: says where');
	my $saved = read_file("$TMP/config/memattr/memattr-top");
	like($saved, qr/\Adelay 0\.1\nview conversions\nsort vms exits\n.*^sort conversions eff_pg$/ms, 'what');
	like(screen_of('100x24', $command, qr/END OF RECORD/), qr/conversions of 4 VMs  every 0.1 s/, 'and it is back');
	like((run($tool{'memattr-top'}, '-b', '--replay', record_of('memattr-top')))[1], qr/^TIME .* EXITS/, 'but not in batch output');
}

# --- one name for one figure ---

# The keys of a table's headings, without the units that they add.
sub keys_of {
	my ($text, $separator) = @_;
	my ($heading) = split /\n/, $text;
	return [ map { lc s/(?:\/s|_us|_ns|_%|_percent|_bytes)$//r } grep { !/^(?:TIME|time|interval_ns|ended)$/ }
		 split $separator, $heading ];
}

sub figure_names {
	my ($name, $view) = @_;
	my ($status, $batch) = run($tool{$name}, '-b', '--view', $view, '--replay', record_of($name));
	is($status, 0, "$name: -b --view $view");
	my $keys = keys_of((run($tool{$name}, '--csv', '--view', $view, '--replay', record_of($name)))[1], qr/,/);
	cmp_ok(scalar @$keys, '>', 4, 'CSV has figures');
	is_deeply(keys_of($batch, qr/ +/), $keys, 'batch output has the same, under the same names');
	my ($document) = split /\n/, (run($tool{$name}, '-j', '--replay', record_of($name)))[1];
	my @objects = map { ($_, ref $_->{$view} ? @{ $_->{$view} } : ()) } @{ decode_json($document)->{vms} };
	my %json = map { (s/_(?:ns|percent|bytes)$//r => 1) } map { keys %$_ } @objects;
	my @missing = grep { !$json{$_} && $_ ne 'vcpu' } @$keys;
	is("@missing", '', 'and JSON');
	my ($columns) = read_file("docs/man/$name.8") =~ /^\.SH COLUMNS\n(.*?)^\.SH /ms;
	my %named = map { ($_ => 1) } map { /\b([a-z][a-z0-9_]+)\b/g } grep { /^\.BR? / } split /\n/, $columns;
	@missing = grep { !$named{$_} } @$keys;
	is("@missing", '', 'and the manual names each');
}

# What is not known is null in JSON and empty in CSV, text too.
sub unknown {
	my $record = "$TMP/stock";
	write_file($record, read_file(record_of('memattr-top')) =~ s/^measured .*/measured exits/mr);
	my @vms = map { @{ decode_json($_)->{vms} } } split /\n/, (run($tool{'memattr-top'}, '-j', '--replay', $record))[1];
	my @parts = map { map { @$_ } grep { ref eq 'ARRAY' } values %$_ } @vms;
	my %known = map { my $who = $_; map { ($_ => 1) } grep { defined $who->{$_} && ref $who->{$_} ne 'ARRAY' } keys %$who }
		@vms, @parts;
	is(join(' ', sort keys %known), 'alias ended exits fd level link name pid reason vcpu', 'the rest is null');
	my ($heading, $line) = split /\n/, (run($tool{'memattr-top'}, '--csv', '--replay', $record))[1];
	my %field;
	@field{split /,/, $heading} = split /,/, $line;
	is(join(' ', sort grep { length $field{$_} } keys %field), 'ended exits interval_ns name pid time',
	   'and empty in CSV');
}

# A compressed record shows the same; so does one that was not closed, as far as it goes.
sub compressed {
	my ($plain, $zipped) = ("$TMP/again", "$TMP/again.gz");
	run('sh', '-c', "cp $_[0] $plain; gzip -c $plain >$zipped");
	my $shown = (run($TRACE, '-b', '--replay', $plain))[1] || 'something';
	is((run($TRACE, '-b', '--replay', $zipped))[1], $shown, 'a compressed record');
	is((run('sh', '-c', "$TRACE -b --replay - <$zipped"))[1], $shown, 'from a pipe');
	my $bytes = -s $zipped;
	run('truncate', '-s', int($bytes / 2), $zipped);
	my ($status, $cut) = run($TRACE, '-b', '--replay', $zipped);
	ok(length $cut && index($shown, substr($cut, 0, 200)) == 0, 'half of one shows what it has') or diag($cut);
}

# --- files ---

sub files {
	my $record = make_record('stacks', qw(--stacks 5));
	my $without = make_record('no-stacks');
	my $text = read_file($record);
	fails_with('the input is not an output', 2, qr/would be overwritten.*\n.*try: /, $TRACE, '-b', '--replay', $record,
		   '--folded', $record);
	is(read_file($record), $text, 'and is as it was');
	write_file("$TMP/keep", "keep\n");
	fails_with('no stacks: says so', 1, qr/has no stacks/, $TRACE, '-b', '--replay', $without, '--folded', "$TMP/keep");
	is(read_file("$TMP/keep"), "keep\n", 'before a file is touched');
	fails_with('no stacks for a new file', 1, qr/has no stacks/, $TRACE, '-b', '--replay', $without, '--folded',
		   "$TMP/new");
	ok(!-e "$TMP/new", 'which is not even made');
	for my $name (sort keys %tool) {
		for my $format ('-b', '-j', '--csv') {
			fails_with("$name $format on a full disk", 1, qr/cannot write.*No space left on device/, 'sh', '-c',
				   "$tool{$name} $format --replay " . record_of($name) . ' >/dev/full');
		}
	}
	fails_with('stacks on a full disk', 1, qr/cannot write.*No space left on device/, $TRACE, '-b', '--replay', $record,
		   '--folded', '/dev/full');
	my ($status, $out) = run('sh', '-c', "$TRACE -b --replay - --folded - <$record");
	is($status, 0, '- is stdin and stdout');
	is(scalar(grep { /^vmm-1000;\S+ 5000$/ } split /\n/, $out), 5, 'which has the stacks and nothing else');
	is(scalar(split /\n/, $out), 5, 'five of them');
	fails_with("$_: refused", 2, qr/prefault-trace: /, $TRACE, split) for '-j --folded -', '-b --record - --folded -',
		'--replay -', '--folded -', '-b --record-limit 3', '-b --record-limit 0 --record x';
	$out = (run($TRACE, qw(-b --folded -), '--replay', make_record('lost', qw(--stacks 1 --lost 7))))[1];
	like($out, qr/^\[7_stacks_lost\] 0$/m, 'folded stacks tell what is missing');
	($status) = run('bash', '-c', "$TRACE -b --replay $record --folded $TMP/folded | head -1; exit \${PIPESTATUS[0]}");
	# It depends on who is faster whether the tool writes to a pipe that is closed, and ends by SIGPIPE as others do.
	like($status, qr/^(?:0|141)$/, 'a reader that has read enough');
	is(scalar(split /\n/, read_file("$TMP/folded")), 5, 'the stacks are complete');
}

# Names that would break the format, and bytes that are not UTF-8.
sub odd_names {
	my $record = make_record('odd', '--stacks', 1);
	write_file($record, read_file($record) =~ s/ vmm-1000;/ b\xfcro%0a%20;-1000;/r =~ s/ vm2 / a%09b\x1b[31m\xc2\x9b%0ac /gr);
	my ($status, $out) = run($TRACE, '-b', '--replay', $record, '--folded', "$TMP/odd.folded");
	is($status, 0, 'odd names');
	ok($out =~ /\S/ && $out !~ /[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'no control character in batch output') or diag($out);
	is(scalar(split /\n/, $out), 1 + 2 * 2, 'and one line for each VM');
	my $folded = read_file("$TMP/odd.folded");
	ok($folded =~ /\S/ && utf8::decode($folded), 'folded stacks are UTF-8');
	fails_with('a record of another tool', 1, qr/another tool/, $TRACE, '-b', '--replay', record_of('memattr-top'));
}

# --- time and size ---

# The CPU time that an interval takes.
sub cpu_s {
	my ($format, @size) = @_;
	my @times;
	for my $snapshots (2, 10) {
		my $record = make_record('large', @size, '--snapshots', $snapshots);
		my @before = times;
		run('sh', '-c', "$TRACE $format --replay $record >$TMP/shown");
		my @after = times;
		-s "$TMP/shown" or return 'inf';
		push @times, $after[2] + $after[3] - $before[2] - $before[3];
	}
	return ($times[1] - $times[0]) / 8;
}

sub linear {
	for my $format ('-b', '-j') {
		my $small = cpu_s($format, qw(--vms 100 --vcpus 16 --kinds 4));
		my $large = cpu_s($format, qw(--vms 500 --vcpus 16 --kinds 4));
		diag(sprintf '%s: %.3f s an interval for 100 VMs, %.3f s for 500', $format, $small, $large);
		# Five times the work; quadratic would be 25 times.
		cmp_ok($large, '<', 12 * $small + 0.05, "$format: time is proportional to the number of vCPUs");
	}
}

# The manual says how much an hour takes; an operator who records for hours wants at most 50 MB.
sub record_sizes {
	my ($status) = run('sh', '-c', "build/selftests/tools/record-size 10 120 1 | gzip >$TMP/busy.gz");
	my $hour_mb = (-s "$TMP/busy.gz") * 30 / 1e6;
	diag(sprintf 'an hour of 100 VMs, ten of them busy, by 1 s: %.0f MB', $hour_mb);
	ok($hour_mb > 5 && $hour_mb <= 50, 'an hour of 100 VMs, ten of them busy, by 1 s: at most 50 MB, compressed');
}

golden_screens();
wide_screens();
drilling();
pressed_keys();
stopped();
for my $name (sort keys %tool) {
	figure_names($name, $_) for views_of($name);
}
unknown();
files();
compressed(make_record('zip', qw(--snapshots 40)));
odd_names();
linear();
record_sizes();
run('rm', '-r', $TMP);
done_testing();
