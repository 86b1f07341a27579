#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Linux boots under unmodified QEMU inside the test VM while memattr-top watches: its exits, and their reasons, are
# those that perf counts.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

# It takes 20 seconds on an idle machine.
use constant PART_S => 300;
# perf kvm stat pairs exits with entries, and may miss one at either end.
use constant { SHARE => 0.01, ENDS => 2 };

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
my $TOP = 'build/bin/memattr-top';
my $BOOT_S = 200;

# Counting has begun when the first interval is printed.
sub until_there {
	my $file = shift;
	my $end = time + PATIENCE_S;
	select undef, undef, undef, 0.1 until -s $file || time > $end;
	ok(-s $file, "$file");
}

sub boot_watched {
	my $kernel = shift;
	# A pipe that nobody reads meanwhile would stop it.
	my $top = start('sh', '-c', "exec $TOP -j --totals -d 0.2 >/tmp/top.json");
	until_there('/tmp/top.json');
	my ($status, $out, $err) = run(
		'perf', 'stat', '-a', '-x,', qw(-o /tmp/counts -e kvm:kvm_exit -e kvm:kvm_userspace_exit),
		qw(perf kvm stat record -a -m 4096 -o /tmp/perf.data), 'timeout', $BOOT_S,
		qw(qemu-system-x86_64 -name linux -accel kvm -cpu host -m 256 -nodefaults -no-user-config -display none),
		qw(-no-reboot -serial file:/tmp/serial -initrd build/selftests/tools/linux.cpio -kernel), $kernel,
		'-append', 'console=ttyS0 panic=-1 quiet');
	is($status, 0, 'Linux boots and ends') or diag($out, $err);
	like(read_file('/tmp/serial'), qr/^the guest is up/m, 'and says so');
	# Give the end of the VM an interval.
	select undef, undef, undef, 0.5;
	is(stop($top, 'TERM'), 0, 'memattr-top ends with 0');
	my ($last) = grep { $_->{name} eq 'linux' } map { @{ decode_json($_)->{vms} } } reverse split /\n/, read_file('/tmp/top.json');
	return $last;
}

# "kvm_exit" => its count in perf stat's output.
sub counted {
	return map { /^(\d+),,kvm:(\w+),/ ? ($2 => $1) : () } split /\n/, read_file('/tmp/counts');
}

# perf kvm stat's table: reason => samples.
sub reasons_of_perf {
	my ($status, $out, $err) = run('sh', '-c', 'perf kvm -i /tmp/perf.data stat report --event=vmexit </dev/null 2>&1');
	is($status, 0, 'perf kvm stat reports');
	return map { /^ +(\S.*\S) +(\d+) +[\d.]+% +[\d.]+% / ? (lc($1) => $2) : () } split /\n/, $out;
}

sub agrees {
	my ($name, $ours, $theirs) = @_;
	cmp_ok(abs($ours - $theirs), '<=', SHARE * $theirs + ENDS, "$name: $ours, and $theirs by perf");
}

sub watched {
	my $vm = boot_watched(@_);
	my %counted = counted();
	my %ours = map { (lc $_->{reason} => $_->{exits}) } @{ $vm->{reasons} };
	my %perf = reasons_of_perf();
	my $user = 0;
	$user += $ours{$_} for grep { /^user:/ } keys %ours;
	cmp_ok($vm->{exits}, '>', 1000, 'a boot has exits');
	is($vm->{exits}, $counted{kvm_exit}, 'as many as the tracepoint kvm_exit counts');
	is($user, $counted{kvm_userspace_exit}, 'returns to user space, too, to the one');
	cmp_ok(scalar keys %perf, '>', 5, 'perf knows reasons');
	agrees($_, $ours{$_} // 0, $perf{$_}) for sort keys %perf;
}

my %parts = ('a real guest' => \&watched);
run_parts(PART_S, \%parts, sub {
	# The guest's kernel needs no modules. On a host with Debian's kernel there may be no other one.
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
	my $guest = $kernel eq 'debian' ? 'debian' : 'stock';
	my ($status, $dir) = run('kernel-patches/kernel', 'path', $guest);
	is($status, 0, "the guest's kernel") or diag("try: make kernel-$guest");
	chomp $dir;
	# One CPU: emulation that takes turns between two delivers an interrupt that KVM injects twice at times (see
	# README.md), and Linux then waits for a lock that it holds itself.
	in_vm('a real guest', [$kernel, '--cpus', 1], PART_S, "$dir/bzImage");
});
