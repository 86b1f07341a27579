#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-guest: every scenario with 1, 2 and 4 vCPUs, and that its checks can fail.
# Uses one process in one VM, because starting a program takes longer than most of these runs.
use strict;
use warnings;
use FindBin;
use JSON::PP ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

my $guest = 'build/bin/memattr-guest';
chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
if (!@ARGV) {
	test_usage();
	# The tests in the VM continue the numbering.
	exec 'selftests/vm/run', '--kernel', $ENV{MEMATTR_KERNEL} // 'patched', '--',
		"selftests/$FindBin::Script", Test::More->builder->current_test;
}
Test::More->builder->current_test($ARGV[0]);

my ($status, $err, $summary);

# Waits for a guest's end: $status, $err, and the one line of JSON in $summary.
sub finish {
	my $guest = shift;

	$status = stop($guest, @_);
	$err = $guest->{said};
	$summary = eval { JSON::PP::decode_json($guest->{text}) } || {};
}

# Checks that the guest ends with this status, and that each condition is true of the summary in %_.
sub guest_ok {
	my ($name, $expected_status, $conditions, @args) = @_;

	finish(start($guest, '--json', @args));
	summary_ok($name, $expected_status, @$conditions);
}

sub summary_ok {
	my ($name, $expected_status, @conditions) = @_;
	my @wrong = $status eq $expected_status ? () : "exit status $status";

	local %_ = %$summary;
	for (@conditions) {
		no warnings 'uninitialized';
		my $true = eval;
		die "$_: $@" if $@;
		push @wrong, $_ if !$true;
	}
	ok(!@wrong, $name)
		or diag(join "\n", @wrong, JSON::PP->new->canonical->encode($summary), $err);
}

# Conditions of every run in which KVM refuses nothing.
my @sane = (
	'$_{ended} eq "finished"',
	'$_{conversions} == $_{asked} && $_{conversions} == $_{to_shared} + $_{to_private}',
	'$_{requested_pages} == $_{converted_pages}',
	'$_{converted_pages} * 4096 <= $_{conversions} * $_{chunk_bytes}',
	'$_{refused_eagain} == 0 && $_{retries} == 0 && $_{gave_up} == 0',
	'$_{denied} == 0 && !%{$_{denied_by_errno}}',
	'$_{guest_run_s} > 0 && $_{conversions_per_s} > 0',
	'$_{convert_ns_p50} > 0 && $_{convert_ns_p99} >= $_{convert_ns_p50}',
	'$_{kvm_run_returns} > $_{conversions} && $_{exits} >= $_{kvm_run_returns}',
	'$_{guest_verified_pages} > 0',
);

sub test_scenarios {
	for my $vcpus (1, 2, 4) {
		guest_ok("boot-accept, vCPUs: $vcpus", 0,
			 [@sane, '$_{to_private} == 64', '$_{converted_pages} == 1024'],
			 qw(--scenario boot-accept --mem 4 --chunk 64K --vcpus), $vcpus);
		guest_ok("churn, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 100', '$_{converted_pages} == 400',
			  '$_{host_verified_pages} == $_{to_shared} * 4'],
			 qw(--scenario churn --mem 4 --count 100 --vcpus), $vcpus);
		guest_ok("ping-pong, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 200', '$_{to_shared} == 100',
			  '$_{host_verified_pages} >= $_{vcpus}'],
			 qw(--scenario ping-pong --mem 4 --count 200 --vcpus), $vcpus);
		guest_ok("sparse, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 200', '$_{to_private} > 0',
			  '$_{host_verified_pages} == $_{to_shared}'],
			 qw(--scenario sparse --mem 1 --count 200 --vcpus), $vcpus);
	}
	guest_ok('one conversion of 1 GiB', 0,
		 [@sane, '$_{conversions} == 1', '$_{converted_pages} == 262144'],
		 qw(--scenario boot-accept --mem 1024 --chunk 1G --touch-every 8192));
	guest_ok('memory that is not a multiple of the chunk', 0,
		 [@sane, '$_{conversions} == 2', '$_{converted_pages} == 768'],
		 qw(--scenario boot-accept --mem 3));
	guest_ok("chunks of 2 MiB, $_", 0, [@sane, '$_{converted_pages} == 4 * 512'],
		 qw(--scenario churn --chunk 2M --mem 4 --count 4), $_) for qw(--thp --no-thp);
	guest_ok("$_, both sides keep their content", 0, [@sane, '$_{keep}'],
		 qw(--vcpus 2 --mem 1 --count 200 --keep --scenario), $_)
		for qw(churn ping-pong sparse);
}

# Keeps of a run's summary what does not depend on time.
sub plan_of {
	my @args = @_;

	finish(start($guest, qw(--json --vcpus 2 --mem 2 --count 51), @args));
	return join ' ', map { $summary->{$_} // "no $_" }
		qw(sequence asked to_shared to_private requested_pages host_verified_pages);
}

sub test_seed {
	for my $scenario (qw(churn sparse)) {
		my ($first, $second, $other) =
			map { plan_of('--scenario', $scenario, '--seed', $_) } 7, 7, 8;

		is($second, $first, "$scenario, the same seed asks for the same");
		isnt($other, $first, "$scenario, another seed asks for something else");
	}
}

sub test_corruption {
	for (['request', 'shared', 'host', qw(churn ping-pong sparse)],
	     ['answer', 'shared', 'guest', qw(churn ping-pong sparse)],
	     ['private', 'private', 'guest', qw(boot-accept churn ping-pong sparse)]) {
		my ($where, $side, $seen_by, @scenarios) = @$_;
		my $word = qr/0x[0-9a-f]{16}/;
		my $details = qr/\($side page, .* seen by the $seen_by on vCPU [01]\)/;

		for my $scenario (@scenarios) {
			guest_ok("$scenario, spoiled $where: status 1", 1,
				 ['$_{exit_code} == 1', '$_{ended} eq "failure"'],
				 qw(--mem 1 --chunk 4K --vcpus 2 --count 50 --scenario), $scenario,
				 '--inject-corruption', $where);
			like($err, qr/mismatch at gpa 0x1000\w{5}: expected $word, found $word $details/,
			     "$scenario, spoiled $where: says what is wrong");
		}
	}
}

sub test_limits {
	guest_ok('rate is kept', 0,
		 ['$_{conversions} == 50', '$_{conversions} <= $_{guest_run_s} * 200 + 1'],
		 qw(--scenario sparse --rate 200 --count 50));
	guest_ok('duration ends the run', 0, ['$_{ended} eq "duration"', '$_{guest_run_s} >= 0.2'],
		 qw(--scenario ping-pong --duration 0.2));
}

sub test_waiting {
	my $waiting = start_guest('--name', 'a "guest"', '--count', 10);
	is(readlink "/proc/$waiting->{pid}/fd/$waiting->{vm_fd}", 'anon_inode:kvm-vm', 'ready: fd of the VM');
	is(read_file("/proc/$waiting->{pid}/comm"), "a \"guest\"\n", 'the name is that of the process');
	go_guest($waiting);
	finish($waiting);
	summary_ok('a line starts the guest, the name is in the summary', 0, @sane,
		   '$_{name} eq "a \"guest\""', '$_{conversions} == 10');

	for my $signal (qw(INT TERM)) {
		$waiting = start_guest(qw(--scenario ping-pong --duration 1000));
		go_guest($waiting);
		finish($waiting, $signal);
		summary_ok("SIG$signal ends the run with a summary", 0, '$_{ended} eq "signal"');
	}
	$waiting = start_guest();
	finish($waiting, 'TERM');
	summary_ok('SIGTERM before the start', 0, '$_{ended} eq "signal"', '$_{asked} == 0');

	$waiting = start_guest();
	close $waiting->{in};
	finish($waiting);
	summary_ok('end of input instead of a line', 4, '$_{exit_code} == 4');
	like($err, qr/stdin ended before a line came/, 'end of input: says what is wrong');
}

sub test_environment {
	for (['no /dev/kvm', ':'], ['/dev/kvm that is not KVM', 'mknod /dev/kvm c 1 3']) {
		my ($name, $make_kvm) = @$_;

		finish(start(qw(unshare -m sh -c), "mount -t tmpfs none /dev && $make_kvm && exec $guest --json"));
		summary_ok("$name: status 3", 3, '$_{exit_code} == 3');
		like($err, qr,/dev/kvm.*selftests/vm/run|software-protected.*selftests/vm/run,,
		     "$name: cause and next command");
	}
}

# A policy refuses each conversion of a guest. 30-policy.t tests retries.
sub test_refusal {
	my $policy = 'build/selftests/policy/fault.bpf.o';

	index(read_file('/sys/kernel/btf/kvm'), 'kvm_memattr_ops') >= 0
		or skip 'this kernel has no policies', 1;
	my @denied = ('$_{denied} == $_{asked}', '$_{denied_by_errno}{EPERM} == $_{asked}');
	my @gave_up = ('$_{gave_up} == $_{asked}', '$_{refused_eagain} == $_{retries} + $_{asked}');
	for (['EPERM, churn', -1, \@denied, qw(--scenario churn --mem 1 --count 20)],
	     ['EPERM, boot-accept', -1, \@denied, qw(--scenario boot-accept --mem 1)],
	     ['EAGAIN, churn', -11, \@gave_up, qw(--scenario churn --mem 1 --duration 0.2)]) {
		my ($name, $ret, $counted, @args) = @$_;
		my $waiting = start_guest(@args);
		my $loader = load_policy($policy, '--pid', $waiting->{pid}, "convert_ret=$ret");

		go_guest($waiting);
		finish($waiting);
		stop($loader, 'INT');
		summary_ok("$name: counted, data stays", 0,
			   '$_{asked} > 0 && $_{conversions} == 0', '$_{guest_verified_pages} > 0',
			   @$counted);
	}

	my $loader = load_policy($policy, '--all', 'convert_ret=-1');
	guest_ok('EPERM at the start: status 4', 4, ['$_{exit_code} == 4'], '--scenario', 'churn');
	like($err, qr/Operation not permitted.*memattr-policy list/,
	     'EPERM at the start: cause and next command');
	stop($loader, 'INT');
}

# This part needs no VM.
sub test_usage {
	for (['--scenario=boot', 'there is no boot'], ['--mem=0', 'not a number'],
	     ['--mem=1x', 'not a number'], ['--vcpus=0', 'not a number'],
	     ['--vcpus=65', 'not a number'], ['--chunk=5000', 'multiple of 4K'],
	     ['--chunk=2G', 'multiple of 4K'], ['--chunk=-4K', 'multiple of 4K'],
	     ['--count=0', 'not a number'], ['--count=-1', 'not a number'],
	     ['--rate=-1', 'not a number'], ['--duration=x', 'not a number'],
	     ['--inject-corruption=all', 'there is no all'], ['--touch-every=2', 'for boot-accept'],
	     ['--vcpus=2 --chunk=1M --mem=1', 'too few'],
	     ['--scenario=sparse --chunk=8K', 'single pages'], ['--thp=1', 'argument'],
	     ['more', 'unexpected argument: more']) {
		my ($args, $text) = @$_;
		my $said = qx($guest $args 2>&1);

		ok($? >> 8 == 2 && $said =~ /\Q$text/, "$args: status 2, says what is wrong")
			or diag("exit status " . ($? >> 8), $said);
	}
	like(qx($guest --help), qr/^ +1  data mismatch$/m, '--help tells the exit statuses');
}

test_scenarios();
test_seed();
test_corruption();
test_limits();
test_waiting();
test_environment();
SKIP: { test_refusal() }
done_testing();
