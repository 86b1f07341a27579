#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-guest: every scenario with 1, 2 and 4 vCPUs, and that its checks can fail.
# Uses one process in one VM, because starting a program takes longer than most of these runs.
use strict;
use warnings;
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Guest;
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
if (!@ARGV) {
	test_usage();
	# The tests in the VM continue the numbering.
	exec 'selftests/vm/run', '--kernel', $ENV{MEMATTR_KERNEL} // 'patched', '--',
		"selftests/$FindBin::Script", Test::More->builder->current_test;
}
Test::More->builder->current_test($ARGV[0]);

sub test_two_backings {
	guest_ok("chunks of 2 MiB, $_", 0, [@sane, '$_{converted_pages} == 4 * 512'],
		 qw(--scenario churn --chunk 2M --mem 4 --count 4), $_) for qw(--thp --no-thp);
	guest_ok("$_, both sides keep their content", 0, [@sane, '$_{keep}'],
		 qw(--vcpus 2 --mem 1 --count 200 --keep --scenario), $_)
		for qw(churn ping-pong sparse);
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

# 30-policy.t tests retries.
sub test_refusal {
	refusals_ok();
	my $loader = load_policy($fault_policy, '--all', 'convert_ret=-1');
	guest_ok('EPERM at the start: status 4', 4, ['$_{exit_code} == 4'], '--scenario', 'churn');
	like($err, qr/Operation not permitted.*memattr-policy list/,
	     'EPERM at the start: cause and next command');
	stop($loader, 'INT');
}

# This part needs no VM.
sub test_usage {
	usage_is_wrong(
	     ['--scenario=boot', 'there is no boot'], ['--mem=0', 'not a number'],
	     ['--mem=1x', 'not a number'], ['--vcpus=0', 'not a number'],
	     ['--vcpus=65', 'not a number'], ['--chunk=5000', 'multiple of 4K'],
	     ['--chunk=2G', 'multiple of 4K'], ['--chunk=-4K', 'multiple of 4K'],
	     ['--count=0', 'not a number'], ['--count=-1', 'not a number'],
	     ['--rate=-1', 'not a number'], ['--duration=x', 'not a number'],
	     ['--inject-corruption=all', 'there is no all'], ['--touch-every=2', 'for boot-accept'],
	     ['--vcpus=2 --chunk=1M --mem=1', 'too few'],
	     ['--scenario=sparse --chunk=8K', 'single pages'], ['--thp=1', 'argument'],
	     ['more', 'unexpected argument: more']);
	like(qx($guest --help), qr/^ +1  data mismatch$/m, '--help tells the exit statuses');
}

scenarios_ok();
test_two_backings();
seeds_ok();
corruption_ok([['request', 'shared', 'host', qw(churn ping-pong sparse)],
	       ['answer', 'shared', 'guest', qw(churn ping-pong sparse)],
	       ['private', 'private', 'guest', qw(boot-accept churn ping-pong sparse)]]);
test_limits();
test_waiting();
test_environment();
SKIP: {
	has_policies() or skip 'this kernel has no policies', 1;
	test_refusal();
}
done_testing();
