#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-guest --in-place: host and guest use the same pages, whose content survives conversions,
# and a guest that uses all its memory in both states takes it once. With two backings it takes it twice.
use strict;
use warnings;
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Guest;
use Tool;

use constant {
	LIMIT_S		=> 900,
	SYS_pidfd_open	=> 434,
	SYS_pidfd_getfd	=> 438,
	KVM_SET_MEMORY_ATTRIBUTES2 => 0xc080aed2,
	KVM_MEMORY_ATTRIBUTE_PRIVATE => 1 << 3,
	MIB		=> 1 << 20,
};
my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
my $cgroup = '/sys/fs/cgroup/guest';

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

# Checks the memory that a guest of $mib MiB takes when it has used all of its own in both states, as a
# multiple of its size. The more it is, the less do the structures count that every VM has.
sub memory_ok {
	my ($name, $mib, $min, $max, @mode) = @_;

	write_file('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
	mkdir $cgroup or die "$cgroup: $!";
	finish(start(qw(sh -c), "echo \$\$ >$cgroup/cgroup.procs && exec \"\$@\"", 'sh', $guest, '--json',
		     qw(--scenario sweep --mem), $mib, @mode));
	summary_ok($name, 0, @sane, '$_{to_shared} == $_{to_private}', '$_{converted_pages} * 4096 == 2 * $_{mem_bytes}',
		   map { ("\$_{$_} >= $min * \$_{mem_bytes}", "\$_{$_} <= $max * \$_{mem_bytes}") }
		   qw(resident_bytes memcg_current_bytes memcg_peak_bytes));
	note(map { sprintf "%s %.3f ", $_, $summary->{$_} / $summary->{mem_bytes} }
	     qw(resident_bytes gmem_bytes anonymous_bytes memcg_peak_bytes));
}

# Returns a descriptor of the guest_memfd in another process.
sub gmem_of {
	my $pid = shift;
	my ($number) = map { m,/(\d+)$, } grep { (readlink // '') =~ /gmem/ } glob "/proc/$pid/fd/*";
	my $pidfd = syscall SYS_pidfd_open, $pid + 0, 0;
	my $fd = syscall SYS_pidfd_getfd, $pidfd, ($number // -1) + 0, 0;

	ok($fd >= 0, 'the guest_memfd can be reached from outside') or return;
	open my $gmem, '+<&=', $fd or die "fd $fd: $!";
	return $gmem;
}

# Another process makes private what the guest has shared, before the host has got to it.
sub test_access_refused {
	my $waiting = start_guest(qw(--in-place --scenario churn --chunk 512K --mem 1 --duration 1000));
	my $gmem = gmem_of($waiting->{pid}) or return stop($waiting, 'KILL');
	my $request = pack 'Q16', 0, MIB, KVM_MEMORY_ATTRIBUTE_PRIVATE;

	go_guest($waiting);
	do {
		ioctl $gmem, KVM_SET_MEMORY_ATTRIBUTES2, $request;
		vec(my $said = '', fileno $waiting->{err}, 1) = 1;
		select $said, undef, undef, 0 and $waiting->{ends} = 1;
	} until $waiting->{ends};
	finish($waiting);
	summary_ok('shared pages made private from outside: status 4', 4, '$_{ended} eq "failure"');
	like($err, qr/host may not access gpa 0x1000\w{5}, which the guest has shared \(SIGBUS\).*memattr-policy list/,
	     'shared pages made private from outside: cause and next command');
}

# A policy allows few conversions per second: most are asked for again until they happen.
sub test_retries {
	my $waiting = start_guest(qw(--in-place --scenario churn --mem 1 --count 40));
	my $loader = load_policy('ratelimit', '--pid', $waiting->{pid}, 'rate=20', 'burst=1');

	go_guest($waiting);
	finish($waiting);
	stop($loader, 'INT');
	summary_ok('ratelimit: each conversion happens in the end', 0, '$_{conversions} == 40',
		   '$_{refused_eagain} > 0 && $_{retries} == $_{refused_eagain}', '$_{gave_up} == 0',
		   '$_{host_verified_pages} == $_{to_shared} * 4');
}

sub other_mode_ok {
	my ($name, $text, @mode) = @_;

	finish(start($guest, '--json', @mode));
	summary_ok("$name: status 3", 3, '$_{exit_code} == 3');
	like($err, $text, "$name: cause and next command");
}

my %parts = (
	one_backing => sub {
		scenarios_ok('--in-place');
		seeds_ok('--in-place');
		corruption_ok([['request', 'shared', 'host', qw(churn ping-pong sparse sweep)],
			       ['answer', 'shared', 'guest', qw(churn ping-pong sparse sweep)],
			       # The hole takes the pages' content in either state.
			       ['private', 'private|shared', 'guest|host', qw(boot-accept churn ping-pong sparse)],
			       ['to-shared', 'shared', 'host', qw(churn sparse sweep)],
			       ['to-shared', 'shared', 'guest|host', 'ping-pong'],
			       ['to-private', 'private', 'guest', qw(churn ping-pong sparse sweep)]],
			      '--in-place');
		if (has_policies()) {
			refusals_ok('--in-place');
			test_retries();
		}
		test_access_refused();
		other_mode_ok('two backings, conversions are in place',
			      qr/loaded with gmem_in_place_conversion=1.*use --in-place/);
	},
	memory_of_one_backing => sub {
		memory_ok('one backing: memory is taken once', 256, 0.99, 1.02, '--in-place');
		ok($summary->{gmem_bytes} == $summary->{mem_bytes}, 'one backing: all of it is in the guest_memfd');
		ok($summary->{dropped_pages} == 0, 'one backing: the VMM drops nothing');
	},
	two_backings => sub {
		other_mode_ok('in place, it is off', qr/load kvm with gmem_in_place_conversion=1/, '--in-place');
	},
	memory_of_two_backings => sub {
		memory_ok('two backings: memory is taken twice', 64, 1.98, 2.05, qw(--keep --no-thp));
		ok($summary->{gmem_bytes} == $summary->{mem_bytes}, 'two backings: half of it is in the guest_memfd');
	},
	stock => sub {
		other_mode_ok('in place, a stock kernel', qr/lacks KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES.*vm\/run/,
			      '--in-place');
	},
);

run_parts(LIMIT_S, \%parts, sub {
	usage_is_wrong(['--in-place --keep', 'no stale side'], ['--in-place --thp', 'no shared side'],
		       ['--in-place --no-thp', 'no shared side'], ['--in-place=1', 'argument'],
		       ['--inject-corruption=to-shared', 'for --in-place'],
		       ['--inject-corruption=to-private', 'for --in-place']);
	like(qx($guest --help), qr/^ +--in-place /m, '--help has --in-place');
	my $in_place = [$kernel, '--append', 'kvm.gmem_in_place_conversion=1'];

	in_vm('one_backing', $in_place, LIMIT_S);
	in_vm('two_backings', $kernel, LIMIT_S);
	in_vm('stock', 'stock', LIMIT_S);
	# What the debug kernel adds to every object would be measured, too.
	if ($kernel ne 'debug') {
		in_vm('memory_of_one_backing', $in_place, LIMIT_S);
		in_vm('memory_of_two_backings', $kernel, LIMIT_S);
	}
});
