#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests prefault-trace: its figures against a VM whose faults are known, and
# against a dump of every single fault; records, stacks, what it says when
# something is missing, and the screen.  This script runs itself again inside the test VMs.
use strict;
use warnings;
use FindBin;
use IPC::Open3;
use JSON::PP;
use List::Util qw(max min sum0);
use POSIX ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TRACE = 'build/bin/prefault-trace';
my $VMM = 'build/selftests/tools/prefault-vmm';
my $DUMP = 'build/selftests/tools/dump';

# On a loaded machine everything that runs in one VM takes less; only a failure waits this long.
use constant PART_S => 300;

# The error that percentiles may have.
use constant MAX_ERROR => 0.07;

# --- what needs no VM ---

sub arguments {
	usage_ok($TRACE, '-d 0', '-d x', '-d nan', '-d 9999', '-n 0', '-n x', '-p 0', '-p -3', '-p x', '--series 0',
		 '--slowest 33', '--slowest x', '--record a --replay b', '--nonsense', 'word');
	fails_with('no such record', 1, qr/cannot open \/nowhere.*No such file.*\n.*try: /, $TRACE,
		   qw(-b --replay /nowhere));
	fails_with('not a record', 1, qr/is not a record.*\n.*try: /, $TRACE, qw(-b --replay), $0);
}

sub unit_tests {
	unit_tests_ok('build/selftests/tools/trace-unit', 'what needs no kernel');
}

# --- a VM with known faults, and the tool ---

# Returns when the VM exists; its guest does not run yet.
sub start_vmm {
	my $vmm = start($VMM, @_);
	my $ready = readline($vmm->{out}) // '';
	$ready eq "ready $vmm->{pid}\n" or diag("no VM: $ready");
	return $vmm;
}

# Lets the guest run to its end, and returns what it did.
sub finish_vmm {
	my $vmm = shift;
	print { $vmm->{in} } "go\n";
	close $vmm->{in};
	stop($vmm);
	return eval { decode_json($vmm->{text}) } // do { fail("the VMM says what it did: $vmm->{said}"); {} };
}

# Returns when counting has begun.
sub start_trace {
	my $trace = start($TRACE, @_);
	close $trace->{in};
	# The hooks are told last before it: one line for each.
	for (1 .. 5) {
		$trace->{said} .= readline($trace->{err}) // '';
	}
	return $trace;
}

sub stop_trace {
	return stop(shift, 'INT');
}

# Returns the last document about a VM.
sub last_vm {
	my ($text, $pid) = @_;
	my @vms = grep { $_->{pid} == $pid } map { @{ decode_json($_)->{vms} } } split /\n/, $text;
	return $vms[-1] // {};
}

sub no_vm {
	my ($out) = fails_with('no VM: says so, and it is not an error', 0, qr/no VM is running that has had a fault/, $TRACE,
			       qw(-b -n 1 -d 0.1));
	like($out, qr/^TIME +PID +NAME .*\n\z/, 'the table is empty');
	fails_with('a process without a VM', 0, qr/process $$ has no VM that has had a fault/, $TRACE,
		   qw(-b -n 1 -d 0.1 -p), $$);
}

# Checks the figures that are exact on every kernel whose functions can be traced.
sub exact_counts {
	my ($line, $did) = @_;
	is($line->{PID}, $did->{pid}, 'process');
	is($line->{FAULTS}, $did->{pf_taken}, 'faults, by KVM\'s own statistics');
	# If two vCPUs need the same page table at once, one of them retries.
	ok($line->{PRIVATE} >= $did->{private_faults} &&
	   $line->{PRIVATE} <= $did->{private_faults} + $line->{RETRIED},
	   'private ones: each page that was not pre-faulted') or diag(explain($line, $did));
	is($line->{PRIVATE} + $line->{SHARED}, $did->{pf_taken}, 'the rest is shared');
	is($line->{AT_4K}, $did->{pf_fixed} + $did->{pf_spurious}, 'mapped as 4K');
	is("$line->{SPURIOUS} $line->{FAILED}", "$did->{pf_spurious} 0", 'spurious ones, none failed');
	is($line->{CALLS}, $did->{calls}, 'calls');
	is($line->{C_FAILED}, $did->{failed_calls}, 'failed calls');
	is($line->{DONE_PG}, $did->{done_pages}, 'pages that they did');
	is($line->{NEW_PG} + $line->{OLD_PG}, $did->{done_pages}, 'of each it is told whether it was new');
	ok($line->{P50_us} > 0 && $line->{P50_us} <= $line->{P90_us} &&
	   $line->{P90_us} <= $line->{P99_us} && $line->{P99_us} <= $line->{MAX_us} &&
	   $line->{C_P50_us} > 0 && $line->{C_P50_us} <= $line->{C_P99_us}, 'percentiles') or
		diag(explain($line));
}

# Tests everything about one run, and records it.
sub one_run {
	my $vmm = start_vmm(qw(-v 2 -t 300 -m 100 -c 32 -s 7));
	my $trace = start_trace(qw(-b --totals -d 600 --slowest 5 --folded /tmp/folded --record /tmp/record));
	my $did = finish_vmm($vmm);
	is(stop_trace($trace), 0, 'SIGINT: ends with 0');
	my @lines = lines($trace->{text});
	is(@lines, 1, 'and with the figures of the interval it cut');
	exact_counts($lines[0], $did);
	like($trace->{said}, qr/lost: 0 events, 0 stacks; own cost: [1-9]\d* ns in [1-9]/,
	     'nothing lost, own cost told');
	return ($trace, $lines[0], $did);
}

sub replays {
	my ($trace, $did) = @_;
	my ($status, $out, $err) = run($TRACE, qw(-b --totals --slowest 5 --replay /tmp/record));
	is($status, 0, 'a replay ends with its record') or diag($err);
	is($out, $trace->{text} || 'something', 'and prints the same');
	is($err, $trace->{said} || 'something', 'and says the same');

	($status, $out) = run($TRACE, qw(-b --totals -c --replay /tmp/record));
	is(join(' ', map { "$_->{VCPU}:$_->{FAULTS}" } sort { $a->{VCPU} <=> $b->{VCPU} } lines($out)),
	   join(' ', map { "$_:$did->{pf_taken_by_vcpu}[$_]" } 0, 1), '--vcpus: of each its own');
	($status, $out) = run($TRACE, qw(-b --totals --replay /tmp/record -p 1));
	like($out, qr/^TIME .*\n\z/, 'another process was not in it');
	($status, $out) = run($TRACE, qw(-b --replay /tmp/record));
	ok((lines($out))[0]{'FAULTS/s'} > 0, 'as rates');
	my ($user, $rates) = run(qw(setpriv --reuid=65534 --regid=65534 --clear-groups),
				 $TRACE, qw(-b --replay /tmp/record));
	is("$user $rates", "0 $out", 'a replay takes no rights');

	write_file('/tmp/cut', substr read_file('/tmp/record'), 0, -100);
	($out, $err) = fails_with('a record that is cut off: says so', 1, qr/cut off or damaged\n.*try: /,
				  $TRACE, qw(-b --replay /tmp/cut));
	fails_with('no place for a record', 1, qr/cannot open \/nowhere\/.*\n.*try: /, $TRACE,
		   qw(-b -n 1 -d 0.1 --record /nowhere/record));
	fails_with('no room for a record', 1, qr/cannot write to \/dev\/full.*\n.*try: /, $TRACE,
		   qw(-b -n 1 -d 0.1 --record /dev/full));
	is((run($TRACE, qw(-b --replay /tmp/record --folded /tmp/again)))[0], 0, 'stacks of a record');
	is(read_file('/tmp/again'), read_file('/tmp/folded'), 'are the same');
	($status, $out) = run($TRACE, qw(-j --totals --replay /tmp/record));
	return $out;
}

sub json {
	my ($text, $did, $folded) = @_;
	my $document = eval { decode_json($text) };
	is(ref $document, 'HASH', 'JSON') or diag($text);
	my $vm = $document->{vms}[0];
	my @series = map { @{ $_->{series} } } @{ $vm->{vcpus} };
	is($vm->{faults}, $did->{pf_taken}, 'the same faults');
	is(sum0(map { $_->{event} eq 'fault' ? $_->{count} : 0 } @series), $did->{pf_taken},
	   'the kinds of them add up');
	is(sum0(map { $_->[1] } @{ $vm->{fault_ns}{histogram} }), $did->{pf_taken},
	   'and so does the histogram');
	is($vm->{calls}, $did->{calls}, 'the same calls');
	ok((grep { $_->{event} eq 'fault' && $_->{alias} eq 'shared' && $_->{access} eq 'exec' &&
		   $_->{result} eq 'fixed' && $_->{level} eq '4K' } @series), 'the fault on the guest\'s code');
	is($document->{lost_events}, 0, 'nothing lost');

	my @slowest = @{ $document->{slowest} };
	is(@slowest, 10, 'the slowest faults');
	is_deeply([ map { $_->{ns} } @slowest ], [ sort { $b <=> $a } map { $_->{ns} } @slowest ], 'in order');
	ok(@slowest && !(grep { $_->{gpa} >= 1 << 32 || $_->{pid} != $did->{pid} } @slowest), 'where they were');
	my $exact = max(map { $_->{ns} } @slowest);
	my $read = $vm->{max_ns};
	ok(abs($read - $exact) <= $exact * MAX_ERROR, 'the slowest is the maximum') or diag("$read, $exact");
	ok(@slowest && !(grep { !grep { /^kvm_vcpu_ioctl$/ } @{ $_->{stack} } } @slowest), 'with the kernel\'s stacks');
	ok(@slowest && !(grep { grep { /bpf|^0x/ } @{ $_->{stack} } } @slowest), 'nothing of the tracing in them') or
		diag(explain(\@slowest));

	my @stacks = map { [ /^(\S+) (\d+)$/ ] } split /\n/, $folded;
	ok(@stacks && !(grep { @$_ != 2 || $_->[0] !~ /^prefault-vmm-$did->{pid};.*;kvm_vcpu_ioctl;.*\[/ } @stacks),
	   'folded stacks') or diag($folded);
	is(sum0(map { $_->[1] } @stacks), $vm->{fault_ns}{total} + $vm->{call_ns}{total},
	   'they sum up to all of the time');
}

# --- further runs ---

# Checks percentiles against a dump of the same faults.
sub percentiles {
	my $vmm = start_vmm(qw(-v 2 -t 5000 -r 5));
	my $pid = open3(my $in, my $dump, undef, $DUMP, $vmm->{pid});
	readline $dump;
	my $trace = start_trace(qw(-j --totals -d 600));
	my $did = finish_vmm($vmm);
	stop_trace($trace);
	close $in;
	my @ns = sort { $a <=> $b } map { chomp; $_ } readline $dump;
	waitpid $pid, 0;
	is($?, 0, 'every fault is in the dump');
	is(@ns, $did->{pf_taken}, 'all there were');
	my $vm = last_vm($trace->{text}, $vmm->{pid});
	is($vm->{faults}, @ns, 'and all are counted');
	is($vm->{fault_ns}{total}, sum0(@ns), 'their time is exact');
	my %percents = (p50 => 50, p90 => 90, p99 => 99, p99_9 => 99.9, max => 100);
	for my $name (sort keys %percents) {
		my $exact = $ns[POSIX::ceil($percents{$name} * @ns / 100) - 1];
		ok(abs($vm->{fault_ns}{$name} - $exact) <= $exact * MAX_ERROR, "$name within 7 %") or
			diag("$vm->{fault_ns}{$name}, not $exact");
	}
	like($trace->{said}, qr/lost: 0 events/, 'nothing lost');
}

# Runs two VMs and asks for one of them; a VM that has ended is shown once more.
sub two_vms {
	my $one = start_vmm(qw(-t 20 -n one));
	my $two = start_vmm(qw(-t 30 -n two));
	my $only = start_trace(qw(-b --totals -d 600 -p), $two->{pid});
	my $all = start_trace(qw(-j --totals -d 0.2 --record /tmp/all));
	my %did = map { ($_->{pid} => finish_vmm($_)) } $one, $two;
	# Until both have ended, and are gone.
	while (defined(my $line = readline $all->{out})) {
		$all->{text} .= $line;
		last if (() = $all->{text} =~ /"ended":true/g) == 2 && !@{ decode_json($line)->{vms} };
	}
	is(stop_trace($only), 0, '-p');
	is(join(' ', map { "$_->{NAME} $_->{FAULTS}" } lines($only->{text})),
	   "two $did{$two->{pid}}{pf_taken}", 'only that process');
	stop_trace($all);
	for my $vmm ($one, $two) {
		my $last = last_vm($all->{text}, $vmm->{pid});
		is($last->{faults}, $did{$vmm->{pid}}{pf_taken}, 'the last figures have all of it');
		ok($last->{ended}, 'and that it ended');
	}
	my @documents = map { decode_json($_) } split /\n/, $all->{text};
	is(@{ $documents[-1]{vms} }, 0, 'then they are gone');
	my ($status, $out) = run($TRACE, qw(-j --totals --replay /tmp/all));
	is($out, $all->{text}, 'the replay of intervals is the same');
	fails_with('stacks were not asked for: says so', 1, qr/no stacks\n.*try: /, $TRACE,
		   qw(-b --replay /tmp/all --folded /tmp/none));
}

# Runs a VM with these arguments. Returns what was counted, and what the VM did.
sub count_all {
	my $vmm = start_vmm(@_);
	my $trace = start_trace(qw(-b --totals -d 600 -p), $vmm->{pid});
	my $did = finish_vmm($vmm);
	stop_trace($trace);
	return ((lines($trace->{text}))[0], $did);
}

# Shared 4 KiB pages are mapped ahead one by one, a huge page at once.
sub shared_pages {
	my ($line, $did) = count_all(qw(-t 0 -s 50 -P));
	is("@$line{qw(FAULTS AT_4K CALLS DONE_PG NEW_PG OLD_PG)}", "1 1 $did->{calls} 50 50 0",
	   'shared pages mapped ahead: only the guest\'s code faults');
	($line, $did) = count_all(qw(-t 0 -s 512 -H));
	is("@$line{qw(FAULTS AT_4K AT_2M)}", '2 1 1', 'a huge page: one fault');
	is($did->{pf_taken}, 2, 'as KVM\'s statistics have it');
	($line, $did) = count_all(qw(-t 0 -s 512 -c 512 -P -H));
	is("@$line{qw(FAULTS AT_2M CALLS DONE_PG NEW_PG OLD_PG)}", '1 0 1 512 512 0',
	   'a huge page mapped ahead: all of its pages');
}

# Tests how much the guest used of what was mapped ahead, and pre-faults that came too late.
sub what_use {
	# The guest touches 50 of each round's 100 pages; the pages dropped or left at the end are unused.
	my ($line) = count_all(qw(-v 2 -t 50 -m 100 -r 3));
	is("@$line{qw(NEW_PG TOUCHED_PG UNUSED_PG UNTOUCHED_PG USED_% PREFAULTED)}", '600 300 300 0 50.0 0',
	   'half of what was mapped ahead was for nothing');
	($line) = count_all(qw(-t 0 -s 50 -P));
	is("@$line{qw(NEW_PG TOUCHED_PG UNUSED_PG USED_%)}", '50 50 0 100.0', 'shared pages: all were of use');
	($line, my $did) = count_all(qw(-t 0 -s 50 -P -W));
	is("@$line{qw(FAULTS PREFAULTED)} $did->{pf_taken}", '51 50 51',
	   'write-protected ones: each faults all the same');
	($line) = count_all(qw(-t 0 -s 512 -c 512 -P -H -W));
	is("@$line{qw(TOUCHED_PG UNUSED_PG PREFAULTED)}", '512 0 512',
	   'a huge page that is split: its pages are as before');
	($line) = count_all(qw(-t 10));
	is("@$line{qw(TOUCHED_PG UNUSED_PG UNTOUCHED_PG USED_%)}", '0 0 0 -', 'nothing was mapped ahead');
}

# Tests what the guest has not touched yet while the VM still runs.
sub use_of_living {
	my $vmm = start_vmm(qw(-t 50 -m 100));
	my $trace = start_trace(qw(-j -d 0.2));
	print { $vmm->{in} } "go\n";
	my ($last, @seen);
	while (defined(my $text = readline $trace->{out})) {
		$last = last_vm($text, $vmm->{pid});
		push @seen, $last->{use} if $last->{use};
		last if $last->{ended};
	}
	close $vmm->{in};
	waitpid $vmm->{pid}, 0;
	stop_trace($trace);
	is_deeply($last->{use}, { mapped_pages => 100, touched_pages => 50, unused_pages => 50,
				  untouched_pages => 0 }, 'at its end: 50 of 100 pages') or diag(explain(\@seen));
	ok(@seen && !(grep { $_->{mapped_pages} < $_->{touched_pages} + $_->{unused_pages} + $_->{untouched_pages} }
	     grep { defined $_->{mapped_pages} } @seen), 'never more than were mapped');
}

# Tests a policy that proposes 9 pages around each fault on private memory.
sub count_windows {
	my ($touched, @wanted) = @_;
	my $policy = load_policy(qw(build/selftests/policy/fault.bpf.o --all window_flags=1), @wanted);
	my $vmm = start_vmm('-t', $touched);
	my $trace = start_trace(qw(-j --totals -d 600));
	finish_vmm($vmm);
	stop_trace($trace);
	stop($policy, 'INT');
	return last_vm($trace->{text}, $vmm->{pid});
}

# A policy that wants 9 pages around each fault of private memory.
sub windows {
	my $vm = count_windows(90, 'window_end_add=9');
	is($vm->{private}, 10, 'has one fault for 9 pages');
	is("@$vm{qw(windows wanted_pg granted_pg)}", '10 90 90', 'a window for each') or diag(explain($vm));
	is("@$vm{qw(new_pg old_pg)}", '80 10',
	   'the page that faulted was mapped already');
	is($vm->{use}{touched_pages}, 80, 'all of them were of use');
	is_deeply([ map { "$_->{reason} $_->{count}" } grep { $_->{event} eq 'window' }
		    map { @{ $_->{series} } } @{ $vm->{vcpus} } ], [ 'fault 10' ], 'and why');
}

# There is no window either if the policy proposes nothing, or nothing in the memslot.
sub no_windows {
	for my $wanted ('window_end_add=0', 'window_start_add=100000 window_end_add=100009') {
		my $vm = count_windows(9, split ' ', $wanted);
		is("$vm->{private} $vm->{windows}", '9 0', "no window for $wanted");
	}
}

sub too_many {
	my $vmm = start_vmm(qw(-t 20 -s 3));
	my $trace = start_trace(qw(-b --totals -d 600 --series 1));
	my $did = finish_vmm($vmm);
	stop_trace($trace);
	my ($line) = lines($trace->{text});
	my ($lost) = $trace->{said} =~ /lost: (\d+) events/;
	is($line->{FAULTS} + $lost, $did->{pf_taken}, 'no room: what is not counted is lost');
	cmp_ok($lost, '>', 0, 'and told');
	like($trace->{said}, qr/try: a larger --series/, 'and what helps');
}

# Whatever ends it, the files are complete; and what was missed is not made up for.
sub ways_to_end {
	my $vmm = start_vmm(qw(-t 200));
	my %trace = map { $_ => start_trace(qw(-b --totals -d 600 --folded), "/tmp/folded.$_", '--record', "/tmp/record.$_") }
		qw(HUP TERM QUIT);
	my $slow = start_trace(qw(-j -d 0.2));
	finish_vmm($vmm);
	for my $signal (sort keys %trace) {
		is(stop($trace{$signal}, $signal), 0, "SIG$signal: ends with 0");
		my ($status, $out) = run($TRACE, qw(-b --totals --folded -), '--replay', "/tmp/record.$signal");
		is($out, read_file("/tmp/folded.$signal"), 'the record is complete, and has the stacks');
		like($out, qr/^prefault-vmm-$vmm->{pid};/m, 'as does their file');
	}
	my ($status, $out, $err) = run('bash', '-c', "set -o pipefail; $TRACE -b -n 2 -d 0.1 --record - | $TRACE -b --replay -");
	ok($status == 0 && $out =~ /^TIME .*\n/, 'a record through a pipe') or diag($err);
	kill STOP => $slow->{pid};
	sleep 3;
	kill CONT => $slow->{pid};
	sleep 2;
	stop_trace($slow);
	my @long = grep { $_ > 0.35e9 } my @ns = map { decode_json($_)->{interval_ns} } split /\n/, $slow->{text};
	ok(@long >= 1 && (sort { $b <=> $a } @ns)[0] > 2.5e9, 'three seconds that were missed are one interval') or diag("@ns");
	ok(@ns > 1 && !(grep { $_ < 0.05e9 } @ns[0 .. $#ns - 1]), 'and no short ones follow') or diag("@ns");
}

# VMs come and go at the same addresses: the next VM gets the room of the previous one, but not its counts.
sub one_after_another {
	my $trace = start_trace(qw(-j --totals -d 0.1 --series 8));
	my (@did, @counted);
	for (1 .. 6) {
		my $vmm = start_vmm('-t', 10 * $_);
		push @did, finish_vmm($vmm);
		# Wait until the VM is gone.
		while (defined(my $line = readline $trace->{out})) {
			$trace->{text} .= $line;
			last if $line =~ /"ended":true/;
		}
	}
	stop_trace($trace);
	for my $did (@did) {
		push @counted, last_vm($trace->{text}, $did->{pid})->{faults};
	}
	is("@counted", join(' ', map { $_->{pf_taken} } @did), 'VMs one after another');
	like($trace->{said}, qr/lost: 0 events/, 'take up no more room than one');
}

# --- the screen ---

my $COLOUR = qr/\e\[(?:\d+;)*[349][0-7]/;

sub start_live {
	start_on_screen(qr/FAULT|ended/, @_);
}

sub live {
	my $faults = shift;
	my $vmm = start_vmm(qw(-v 2 -t 40 -m 10 -n aaa));
	start_live(160, 30, $TRACE, '-d 0.3');
	see(qr/no VM is running that has had a fault/, 'no VM yet');
	start_live(160, 30, $TRACE, '-d 60');
	see(qr/counting has begun; the first figures come after 60 s/, 'and what the screen waits for');
	finish_vmm($vmm);
	start_live(160, 30, $TRACE, '--totals -d 0.3 --replay /tmp/record');
	see(qr/END OF RECORD/, 'a replay on the screen');
	see(qr/^lost 0  own [\d.]+%  late \d+  patched, in place o(?:ff|n)  tp_btf faults pre-faults mapped ahead.*debugfs use\b/m,
	    'nothing lost, and the events behind it');
	press('i');
	see(qr/^faults +tp_btf:kvm_stage2_fault\n.*^mapped ahead +tp_btf:kvm_prefault_map\n.*^use +debugfs:mmu_prefault_stat\n/ms,
	    'i: the events by name');
	see(qr/^BPF cost \d+\.\d+% of a CPU, [1-9]\d* ns\/event$/m, 'the own cost');
	press('x');
	see(qr/^ +\d+ prefault-vmm +all +$faults +4\d\d +1\d /m, 'faults of the VM');
	press('v');
	see(qr/ 2 vCPUs (?=.*^ +\d+ prefault-vmm +0 +20\d )(?=.*^ +\d+ prefault-vmm +1 +20\d )/ms, 'of its vCPUs');
	press('v', 'l');
	see(qr/Slowest faults.*gpa 0x.*prefault-vmm-\d+ .*kvm_vcpu_ioctl/s, 'the slowest');
	press('x', 'h');
	see(qr/this page/, 'help');
	resize(150, 30);
	press('q');
	see(qr/q Quit/, 'back, whatever the size is now');
	resize(160, 30);
	press('>');
	press('F6');
	see(qr/Sort by/, 'the menu to sort');
	press('Down', 'Enter');
	press('d');
	see(qr/Delay in seconds/, 'the prompt for the delay');
	press('5', 'Enter');
	see(qr/every 5 s/, 'it is set');
	press('Right', 'Right');
	see(qr/NAME +VCPU +SHRD/, 'further columns');
	resize(20, 3);
	see(qr/^ +PID NAME/, '20x3: the heading');
	resize(1, 1);
	resize(80, 24);
	see(qr/q Quit/, '1x1 and back');
	press('q');
	see_end('q: ends with 0, the terminal as before');

	start_live(80, 24, $TRACE, '-d 0.3');
	press('Space');
	see(qr/PAUSED/, 'pause');
	unlike(tmux('capture-pane -ep'), $COLOUR, 'no colours where nothing is wrong');
	press('C-c');
	see_end('Ctrl-C: the same');
	tmux("respawn-pane -k 'TERM=nonsense sh /tmp/live.sh $TRACE'");
	see(qr/type 'nonsense'.*^ended 1 sane$/ms, 'a terminal of unknown type: says so');
}

# Colours mark what is missing; on the patched kernel nothing is.
sub live_stock {
	start_live(120, 24, $TRACE, '-d 0.3');
	see(qr/n\/a windows use  .*mapped ahead\(\*\)/, 'what is missing, and what is not quite right');
	like(tmux('capture-pane -ep'), $COLOUR, 'in colours');
	press('i');
	see(qr/\(\*\) .*may count as new/, 'that i explains');
	press('x', 'h', 'h');
	see(qr/^There is more: .*man prefault-trace$/m, 'as much as there is room for');
	press('x', 'q');
	see_end('q: ends with 0, the terminal as before');
	start_live(120, 24, 'NO_COLOR=1', $TRACE, '-d 0.3');
	see(qr/n\/a windows/, 'NO_COLOR');
	unlike(tmux('capture-pane -ep'), $COLOUR, 'without colours');
	press('q');
	see_end('q: the same');
}

# --- missing things ---

# Without fentry only the tracepoint at a fault remains.
sub no_fentry {
	write_file('/proc/sys/kernel/ftrace_enabled', 0);
	my $vmm = start_vmm(qw(-t 50 -m 10));
	my $trace = start_trace(qw(-b --totals -d 600));
	my $did = finish_vmm($vmm);
	stop_trace($trace);
	my ($line) = lines($trace->{text});
	is($line->{FAULTS}, $did->{pf_taken}, 'no fentry: faults are counted');
	is("@$line{qw(PRIVATE AT_4K FAILED P50_us CALLS C_P50_us DONE_PG NEW_PG OLD_PG)}",
	   join(' ', ('n/a') x 9), 'the rest is n/a');
	like($trace->{said}, qr/faults: tp_btf:kvm_page_fault \(.*pre-faults: n\/a \(sysctl kernel.ftrace_enabled is 0\)/s,
	     'the causes');
	write_file('/proc/sys/kernel/ftrace_enabled', 1);
}

# VMs with private memory need the TDP MMU, so other VMs are used.
sub no_tdp_mmu {
	my $modules = shift;
	my ($kvm, $vendor) = unload_kvm();
	for ([ "$kvm.ko", 'tdp_mmu=0' ], [ ($vendor =~ tr/_/-/r) . '.ko' ]) {
		my ($module, @arguments) = @$_;
		my ($status, $out, $err) = run('busybox', 'insmod', "$modules/$module", @arguments);
		diag($err) if $status;
	}
	fails_with('without the TDP MMU: nobody counts what becomes of pages', 0,
		   qr/use: n\/a \(only the TDP MMU counts it: modprobe kvm tdp_mmu=1\)/, $TRACE,
		   qw(-b -n 1 -d 0.1));
}

my %parts = (
	'the part on the patched kernel' => sub {
		my $modules = shift;
		start_tmux();
		no_vm();
		my ($trace, $line, $did) = one_run();
		for my $hook ('faults: tp_btf:kvm_stage2_fault', 'pre-faults: tp_btf:kvm_pre_fault_memory',
			      'mapped ahead: tp_btf:kvm_prefault_map', 'windows: tp_btf:kvm_memattr_prefault',
			      'use: debugfs:mmu_prefault_stat') {
			like($trace->{said}, qr/^prefault-trace: $hook$/m, $hook);
		}
		is($line->{NEW_PG}, $did->{new_pages}, 'new pages are those of the first time');
		is("@$line{qw(TOUCHED_PG UNUSED_PG USED_%)}", "$did->{new_pages} 0 100.0", 'all were touched');
		json(replays($trace, $did), $did, read_file('/tmp/folded'));
		percentiles();
		two_vms();
		shared_pages();
		what_use();
		use_of_living();
		windows();
		no_windows();
		too_many();
		one_after_another();
		ways_to_end();
		live($did->{pf_taken});
		no_tdp_mmu($modules);
	},
	'the part on the stock kernel' => sub {
		start_tmux();
		no_vm();
		my ($trace, $line, $did) = one_run();
		like($trace->{said}, qr/^prefault-trace: $_/m, $_) for
			'faults: fexit:kvm_tdp_page_fault', 'pre-faults: fexit:kvm_vcpu_ioctl',
			'mapped ahead: fexit:kvm_tdp_page_fault \(.*may count as new\)',
			'windows: n/a \(this kernel has no event for it\)',
			'use: n/a \(this kernel does not count it\)';
		is("@$line{qw(PREFAULTED WINDOWS TOUCHED_PG UNUSED_PG UNTOUCHED_PG USED_%)}",
		   join(' ', ('n/a') x 6), 'the rest is n/a');
		json(replays($trace, $did), $did, read_file('/tmp/folded'));
		shared_pages();
		live_stock();
		no_fentry();
		needs_ok($TRACE);
	},
);

run_parts(PART_S, \%parts, sub {
	unit_tests();
	arguments();
	in_vm('the part on the stock kernel', 'stock', PART_S);
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
	my ($status, $dir) = run('kernel-patches/kernel', 'path', $kernel);
	chomp $dir;
	in_vm('the part on the patched kernel', $kernel, PART_S, "$dir/modules");
});
