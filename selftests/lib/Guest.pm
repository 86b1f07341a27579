# SPDX-License-Identifier: GPL-2.0
#
# Functions that the tests of memattr-guest share, whichever way its VM's memory is backed.
package Guest;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Test::More;
use Tool;

our @EXPORT = qw(finish guest_ok summary_ok scenarios_ok seeds_ok corruption_ok has_policies refusals_ok
	usage_is_wrong $guest $fault_policy $status $err $summary @sane);

our $guest = 'build/bin/memattr-guest';
our $fault_policy = 'build/selftests/policy/fault.bpf.o';
our ($status, $err, $summary);

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
		# What the summary lacks would pass for 0.
		use warnings FATAL => 'uninitialized';
		my $true = eval;
		push @wrong, $@ ? "$_: $@" : $_ if !$true;
	}
	ok(!@wrong, $name)
		or diag(join "\n", @wrong, JSON::PP->new->canonical->encode($summary), $err);
}

# Conditions of every run in which KVM refuses nothing.
our @sane = (
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

# Every scenario with 1, 2 and 4 vCPUs; @mode are options.
sub scenarios_ok {
	my @mode = @_;

	for my $vcpus (1, 2, 4) {
		guest_ok("boot-accept, vCPUs: $vcpus", 0,
			 [@sane, '$_{to_private} == 64', '$_{converted_pages} == 1024'],
			 qw(--scenario boot-accept --mem 4 --chunk 64K --vcpus), $vcpus, @mode);
		guest_ok("churn, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 100', '$_{converted_pages} == 400',
			  '$_{host_verified_pages} == $_{to_shared} * 4'],
			 qw(--scenario churn --mem 4 --count 100 --vcpus), $vcpus, @mode);
		guest_ok("ping-pong, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 200', '$_{to_shared} == 100',
			  '$_{host_verified_pages} >= $_{vcpus}'],
			 qw(--scenario ping-pong --mem 4 --count 200 --vcpus), $vcpus, @mode);
		guest_ok("sparse, vCPUs: $vcpus", 0,
			 [@sane, '$_{conversions} == 200', '$_{to_private} > 0',
			  '$_{host_verified_pages} == $_{to_shared}'],
			 qw(--scenario sparse --mem 1 --count 200 --vcpus), $vcpus, @mode);
		guest_ok("sweep, vCPUs: $vcpus", 0,
			 [@sane, '$_{to_shared} == 32 && $_{to_private} == 32', '$_{converted_pages} == 1024',
			  '$_{host_verified_pages} == 512'],
			 qw(--scenario sweep --mem 2 --chunk 64K --vcpus), $vcpus, @mode);
	}
	guest_ok('one conversion of 1 GiB', 0,
		 [@sane, '$_{conversions} == 1', '$_{converted_pages} == 262144'],
		 qw(--scenario boot-accept --mem 1024 --chunk 1G --touch-every 8192), @mode);
	guest_ok('memory that is not a multiple of the chunk', 0,
		 [@sane, '$_{conversions} == 2', '$_{converted_pages} == 768'],
		 qw(--scenario boot-accept --mem 3), @mode);
}

# Keeps of a run's summary what does not depend on time.
sub plan_of {
	my @args = @_;

	finish(start($guest, qw(--json --vcpus 2 --mem 2 --count 51), @args));
	return join ' ', map { $summary->{$_} // "no $_" }
		qw(sequence asked to_shared to_private requested_pages host_verified_pages);
}

sub seeds_ok {
	my @mode = @_;

	for my $scenario (qw(churn sparse)) {
		my ($first, $second, $other) =
			map { plan_of('--scenario', $scenario, '--seed', $_, @mode) } 7, 7, 8;

		is($second, $first, "$scenario, the same seed asks for the same");
		isnt($other, $first, "$scenario, another seed asks for something else");
	}
}

# Checks that spoiled data is noticed: @$cases are [WHERE, SIDE, SEEN BY, SCENARIO...].
sub corruption_ok {
	my ($cases, @mode) = @_;

	for (@$cases) {
		my ($where, $side, $seen_by, @scenarios) = @$_;
		my $word = qr/0x[0-9a-f]{16}/;
		my $details = qr/\((?:$side) page, .* seen by the (?:$seen_by) on vCPU [01]\)/;

		for my $scenario (@scenarios) {
			guest_ok("$scenario, spoiled $where: status 1", 1,
				 ['$_{exit_code} == 1', '$_{ended} eq "failure"'],
				 qw(--mem 1 --chunk 4K --vcpus 2 --count 50 --scenario), $scenario,
				 '--inject-corruption', $where, @mode);
			like($err, qr/mismatch at gpa 0x1000\w{5}: expected $word, found $word $details/,
			     "$scenario, spoiled $where: says what is wrong");
		}
	}
}

sub has_policies {
	return index(read_file('/sys/kernel/btf/kvm'), 'kvm_memattr_ops') >= 0;
}

# A policy refuses each conversion of a guest.
sub refusals_ok {
	my @mode = @_;
	my @denied = ('$_{denied} == $_{asked}', '$_{denied_by_errno}{EPERM} == $_{asked}');
	my @gave_up = ('$_{gave_up} == $_{asked}', '$_{refused_eagain} == $_{retries} + $_{asked}');

	for (['EPERM, churn', -1, \@denied, qw(--scenario churn --mem 1 --count 20)],
	     ['EPERM, boot-accept', -1, \@denied, qw(--scenario boot-accept --mem 1)],
	     ['EAGAIN, churn', -11, \@gave_up, qw(--scenario churn --mem 1 --duration 2)]) {
		my ($name, $ret, $counted, @args) = @$_;
		my $waiting = start_guest(@args, @mode);
		my $loader = load_policy($fault_policy, '--pid', $waiting->{pid}, "convert_ret=$ret");

		go_guest($waiting);
		finish($waiting);
		stop($loader, 'INT');
		summary_ok("$name: counted, data stays", 0,
			   '$_{asked} > 0 && $_{conversions} == 0', '$_{guest_verified_pages} > 0',
			   @$counted);
	}
}

# Checks what is said about wrong options. This needs no VM.
sub usage_is_wrong {
	for (@_) {
		my ($args, $text) = @$_;
		my $said = qx($guest $args 2>&1);

		ok($? >> 8 == 2 && $said =~ /\Q$text/, "$args: status 2, says what is wrong")
			or diag("exit status " . ($? >> 8), $said);
	}
}

1;
