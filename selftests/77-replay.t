#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-guest --replay: perf records a guest, and a replay of the recording, which perf records as well, does
# the same.
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Guest;
use Tool;

no warnings 'portable';	# gpas have more than 32 bits

use constant {
	WORK_GPA => 0x100000000,
	PAGE => 4096,
	PRIVATE_FAULT => 1 << 49,
	WRITE_FAULT => 2,
	FIXED => 5,
	# A busy guest's hours.
	EVENTS => 1_000_000,
	EVENTS_PER_CONVERSION => 10_000,
	# The VMM and its VM take some MiB; the recording has more than a hundred.
	MEMORY_MAX => 32 << 20,
	LIMIT_S => 500,
};

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my @events = map { ('-e', "kvm:$_") } qw(kvm_memattr_convert kvm_stage2_fault);

# Records the guest with perf, from its start, as text. Its summary is in $summary then.
sub record {
	my ($text, @args) = @_;
	my ($code, $out, $said) = run(qw(perf record -q -B -N -m 2048 -o /tmp/perf.data), @events, '--', $guest, '--json', @args);

	$status = $code;
	$summary = eval { JSON::PP::decode_json($out) } || {};
	$err = $said;
	is($status, 0, "perf records: @args") or diag($out, $said);
	system("perf script -i /tmp/perf.data >$text 2>/tmp/perf.err");
	unlike(read_file('/tmp/perf.err') . $said, qr/lost/i, 'nothing is lost');
}

# tools/scripts/recording says of it, among other lines, these.
sub recording_says {
	my ($name, $path, @lines) = @_;
	my ($code, $out, $said) = run('tools/scripts/recording', $path);

	ok($code == 0 && $said eq '', "$name: recording sums it up") or diag($out, $said);
	like($out, $_, "$name: and says $_") for @lines;
	return $out;
}

# What happened in a recording, in the work memory.
sub happened {
	my $path = shift;
	my (%by_thread, %touched);
	my $all = { conversions => 0, pages => 0, touches => 0 };

	open my $file, '<', $path or die "$path: $!";
	while (<$file>) {
		if (/gfns \[(\S+), (\S+)\) .* attributes (\S+) -> (\S+) requested \S+ effective (\d+) .* ret 0 /) {
			$all->{conversions}++;
			$all->{pages} += $5;
			$by_thread{$1}{"$1-$2 $3 -> $4"}++;
		} elsif (/vcpu (\d+) gpa (\S+) error_code (\S+) .* ret (\d+) /) {
			my ($vcpu, $gpa, $error, $ret) = ($1, hex $2, hex $3, $4);
			next if $gpa < WORK_GPA || $ret != FIXED;
			$all->{touches}++;
			$touched{sprintf '%x %d %s', $gpa / PAGE, $vcpu, $error & PRIVATE_FAULT ? 'private' : 'shared'}++;
		}
	}
	return { %$all, list => \%by_thread, touched => \%touched };
}

# Records @args, and its replay with these options: both have done the same.
sub same {
	my ($name, $options, @args) = @_;

	record('/tmp/original', @args);
	my $original = happened('/tmp/original');
	my ($row, $faults) = (sprintf('%dK +%d +%d', $summary->{chunk_bytes} / 1024, @$summary{qw(to_private to_shared)}),
			      $summary->{stage2_faults});
	my $said = recording_says($name, '/tmp/original', qr/: $original->{conversions} conversions in /,
				  qr/^  size .*\n(?:  \d.*\n)*?  $row\n/m);
	my ($mapped, $rest) = $said =~ /^  faults: (\d+), (\d+) more/m;
	is(($mapped // 0) + ($rest // 0), $faults, "$name: and says how many faults the guest has had");
	record('/tmp/again', '--replay', '/tmp/original', @$options);
	my $again = happened('/tmp/again');
	for my $what (qw(conversions pages touches)) {
		ok($original->{$what} > 0, "$name: there are $what");
		is($again->{$what}, $original->{$what}, "$name: as many $what");
	}
	is_deeply($again->{list}, $original->{list}, "$name: the same conversions");
	is_deeply($again->{touched}, $original->{touched}, "$name: the same first touches");
	summary_ok("$name: the summary tells it", 0, "\$_{replay}{conversions} == $original->{conversions}",
		   "\$_{replay}{touches} == $original->{touches}", '$_{ended} eq "finished"');
}

sub test_same {
	my @args = qw(--no-thp --vcpus 2 --scenario);

	same('churn', [qw(--no-thp --replay-speed 0)], @args, qw(churn --mem 4 --count 40));
	same('boot-accept', [qw(--no-thp --replay-speed 0)], @args, qw(boot-accept --mem 4 --chunk 64K));
	same('sparse', [qw(--no-thp)], @args, qw(sparse --mem 1 --count 50));
}

sub test_same_in_place {
	same('boot-accept in place', [qw(--in-place --replay-speed 0)],
	     qw(--in-place --vcpus 2 --scenario boot-accept --mem 2 --chunk 64K));
}

# Lines as perf prints them.
sub conversion {
	my ($thread, $time, $vm, $gfn, $pages, $old, $new, $ret) = @_;
	return sprintf "%16s [000] %12.6f: kvm:kvm_memattr_convert: vm_id %d vm_pid 9 gfns [%#x, %#x) ino 0 pages [0, 0) " .
		"reason 0 attributes %s -> %s requested %d effective %d policy none verdict 0 ret %d lock_ns 1\n",
		$thread, $time, $vm, $gfn, $gfn + $pages, $old, $new, $pages, $pages, $ret;
}

sub fault {
	my ($thread, $time, $vm, $vcpu, $gpa, $error, $ret) = @_;
	return sprintf "%16s [000] %12.6f:    kvm:kvm_stage2_fault: vm_id %d vm_pid 9 vcpu %d gpa %#x error_code %#x level 1 " .
		"prefaulted 0 ret %d ns 5\n", $thread, $time, $vm, $vcpu, $gpa, $error, $ret;
}

my $gfn = WORK_GPA / PAGE;

# Both vCPUs, by names and by their threads; what cannot be replayed; and lines that are none of perf's.
sub mixed_recording {
	return join '',
		conversion('vmm 11', 1, 7, $gfn, 16, '0', '0x8', 0),
		fault('worker 12', 1.1, 7, 1, WORK_GPA + 3 * PAGE, PRIVATE_FAULT | WRITE_FAULT, FIXED),
		conversion('worker 12', 1.2, 7, $gfn + 2, 2, '0x8', '0', 0),
		conversion('CPU 0/KVM 13', 1.3, 7, $gfn, 1, '0x8', '0', 0),
		fault('CPU 0/KVM 13', 1.5, 7, 0, WORK_GPA + 3 * PAGE, 0, FIXED),
		conversion('CPU 0/KVM 13', 1.4, 7, $gfn, 1, '0x8', '0', -11),
		fault('CPU 0/KVM 13', 1.4, 7, 0, WORK_GPA, 0, 1),
		fault('CPU 0/KVM 13', 1.4, 7, 0, 0x100000, 0, FIXED),
		fault('CPU 0/KVM 13', 1.4, 7, 64, WORK_GPA, 0, FIXED),
		fault('CPU 0/KVM 13', 1.4, 8, 0, WORK_GPA, 0, FIXED),
		"CPU 0/KVM 13 [000] 1.4: kvm:kvm_exit: reason npf rip 0x0 info 0 0\n",
		"# a remark\n", "\n", 'x' x 5000, "\n",
		"kvm:kvm_stage2_fault: vm_id 7 vcpu 0 gpa 0x100000000\n",
		"a 1 [000] 1.4: kvm:kvm_stage2_fault: vm_id 7 vcpu 0 gpa 0x1000000000000000000 error_code 0 ret 5\n";
}

sub test_counts {
	my $file = '/tmp/mixed';

	write_file($file, mixed_recording());
	guest_ok('every line is replayed or counted', 0,
		 ['$_{replay}{lines} == 16', '$_{replay}{conversions} == 3', '$_{replay}{touches} == 2',
		  '$_{replay}{by_no_vcpu} == 1', '$_{conversions} == 3', '$_{converted_pages} == 19', '$_{vcpus} == 2',
		  '$_{mem_bytes} == 2 << 20', '$_{replay}{left_out}{failed_conversions} == 1',
		  '$_{replay}{left_out}{unmapped_faults} == 1', '$_{replay}{left_out}{outside_events} == 2',
		  '$_{replay}{left_out}{other_vm_events} == 1', '$_{replay}{left_out}{other_events} == 1',
		  '$_{replay}{left_out}{unreadable_lines} == 5'], '--replay', $file, '--replay-speed', 0);
	guest_ok('pauses last as long as recorded', 0, ['$_{guest_run_s} >= 0.5'], '--replay', $file);
	guest_ok('pauses last half as long', 0, ['$_{guest_run_s} >= 0.25'], '--replay', $file, '--replay-speed', 2);
	guest_ok('the other VM', 0, ['$_{replay}{touches} == 1 && $_{replay}{left_out}{other_vm_events} == 9'],
		 '--replay', $file, '--replay-vm', 8);
	guest_ok('memory that begins elsewhere', 0, ['$_{replay}{touches} == 3', '$_{mem_bytes} > 4 << 30'],
		 '--replay', $file, qw(--replay-base 0 --replay-speed 0));
	my ($code, $out) = run($guest, '--replay', $file, '--replay-speed', 0);
	like($out, qr/^replayed +3 conversions \(1 of other.*\nleft out +1 conversions.*1 faults.*2 events.*\n +1 events.* 1 of.* 5 lines/m,
	     'the summary as text');
}

# Needs no VM.
sub test_summary {
	my $folder = shift;
	my $conversions = EVENTS / EVENTS_PER_CONVERSION;
	my $faults = EVENTS - $conversions;

	write_file("$folder/mixed", mixed_recording());
	recording_says('every kind of line', "$folder/mixed",
		       qr/^VM 7, process 9: 3 conversions in 0\.500 s, 1 more failed, 0 changed nothing$/m,
		       qr/^  size +to private +to shared\n  4K +0 +1\n  8K +0 +1\n  64K +1 +0\n  to and fro: 0 ranges/m,
		       qr/^  faults: 4, 1 more mapped nothing; 0 pages mapped ahead\n  level .*\n  4K +1 +3\n/m,
		       qr/^  used after a conversion: 3 of 3, after 100000 us \(median\), 300000 us \(longest\)$/m,
		       qr/^VM 8, process 9: 0 conversions .*\n.*\n  faults: 1, 0 more /m);
	my @turns = map { conversion('vmm 11', $_, 7, $gfn, 512, $_ & 1 ? ('0', '0x8') : ('0x8', '0'), 0) } 1 .. 60;
	write_file("$folder/turns", join '', @turns, fault('vmm 11', 61, 7, 0, WORK_GPA + 511 * PAGE, 0, FIXED));
	recording_says('a range that turns', "$folder/turns",
		       qr/^  2M +30 +30\n  to and fro: 1 ranges, 59 times\n +0x100000000 +2M  59 times$/m,
		       qr/^  used after a conversion: 1 of 60, after 1000000 us/m);
	recording_says('a million events', "$folder/million", qr/: $conversions conversions in /,
		       qr/^  faults: $faults, 0 more /m);
	fails_with('recording: there is nothing in it', 1, qr/no event.*\ntry: perf record/, 'tools/scripts/recording', '/dev/null');
	fails_with('recording: no such file', 2, qr/cannot read/, 'tools/scripts/recording', '/nonexistent');
	fails_with('recording: no such option', 2, qr/cannot read --json/, 'tools/scripts/recording', '--json');
	my ($code, $out) = run('tools/scripts/recording', '--help');
	ok($code == 0 && $out =~ /^usage: recording/, 'recording --help');
}

# Steps on different vCPUs that are about the same page keep their order, however fast they go.
sub test_order {
	write_file('/tmp/order', join '', map { conversion('CPU ' . $_ % 3 . '/KVM 1' . $_ % 3, 1, 7, $gfn, 512,
		$_ % 2 ? ('0', '0x8') : ('0x8', '0'), 0) } 1 .. 60);
	record('/tmp/again', qw(--replay /tmp/order --replay-speed 0));
	my @threads = read_file('/tmp/again') =~ m{^ *CPU (\d)/KVM .*kvm_memattr_convert.* effective 512 }mg;
	is_deeply(\@threads, [map { $_ % 3 } 1 .. 60], 'three vCPUs convert the same pages in turn');
}

sub test_million {
	my $file = shift;

	guest_ok('a million events, none is lost', 0,
		 ['$_{replay}{lines} == ' . EVENTS, '$_{replay}{conversions} == ' . EVENTS / EVENTS_PER_CONVERSION,
		  '$_{conversions} == $_{replay}{conversions}',
		  '$_{replay}{touches} + $_{replay}{conversions} == ' . EVENTS, '$_{rss_bytes} < ' . MEMORY_MAX],
		 '--replay', $file, '--replay-speed', 0);
}

# Each of two vCPUs has a half of 2 MiB.
sub write_million {
	open my $out, '>', shift or die "a recording: $!";
	for my $n (1 .. EVENTS) {
		my $vcpu = $n & 1;
		my $page = $vcpu << 8 | $n >> 1 & 0xff;

		print $out $n % EVENTS_PER_CONVERSION ?
			fault("CPU $vcpu/KVM 1$vcpu", $n / 1e6, 7, $vcpu, WORK_GPA + $page * PAGE, PRIVATE_FAULT, FIXED) :
			conversion("CPU $vcpu/KVM 1$vcpu", $n / 1e6, 7, $gfn + $page, 1, '0x8', '0x8', 0);
	}
	close $out or die "a recording: $!";
}

# Needs no VM.
sub test_usage {
	usage_is_wrong(['--replay x --scenario churn', 'takes the place of --scenario'], ['--scenario replay', '--replay FILE'],
		       ['--replay x --mem 4', 'the recording tells'], ['--replay x --vcpus 1', 'the recording tells'],
		       ['--replay-speed 2', 'need --replay'], ['--replay x --replay-base 4096', 'multiple of 1 GiB'],
		       ['--replay x --replay-speed -1', 'not a number'], ['--replay /nonexistent', 'No such file'],
		       ['--replay /dev/null', 'record with: perf record -e kvm:'], ['--replay /proc', 'directory']);
	like(qx(true | $guest --replay /dev/stdin 2>&1), qr/write it to a file first/, 'a pipe cannot be read twice');
}

sub test_all {
	test_same();
	test_counts();
	test_order();
	test_million(@_);
}

my %parts = (all => \&test_all, in_place => \&test_same_in_place);

run_parts(LIMIT_S, \%parts, sub {
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
	my $folder = tempdir(CLEANUP => 1);

	test_usage();
	write_million("$folder/million");
	test_summary($folder);
	in_vm('all', [$kernel, '--with', "$folder/million"], LIMIT_S, "$folder/million");
	in_vm('in_place', [$kernel, '--append', 'kvm.gmem_in_place_conversion=1'], LIMIT_S);
});
