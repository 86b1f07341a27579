#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Linux runs in private memory, which is converted in place: it boots to its shell, and its module shares buffers
# with the VMM and makes them private again. memattr-top sees these conversions.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

# It takes 20 seconds on an idle machine.
use constant PART_S => 400;
# What the module does, see private-linux/module.c.
use constant { BUFFERS => 64, PAGES => 240 };

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
my $VMM = 'build/selftests/private-linux/private-linux';
my $ROOT_DIR = 'build/selftests/private-linux';
my $TOP = 'build/bin/memattr-top';
my $WATCHED = '/tmp/top.json';
my $BOOT_S = 180;

# Returns what the VMM has counted.
sub boot {
	my ($name, $kernel, $wrong_words, @options) = @_;
	my ($status, $out, $err) = run('timeout', $BOOT_S, $VMM, @options, $kernel, "$ROOT_DIR/private.cpio");
	is($status, 0, "$name: Linux boots and ends") or diag($out, $err);
	like($out, qr/^the shell is up\r?$/m, "$name: the shell runs");
	like($out, qr/bounce: @{[BUFFERS]} buffers, @{[PAGES]} pages, $wrong_words wrong words\r?$/m,
	     "$name: the guest finds $wrong_words wrong words");
	return eval { decode_json($err) } || {};
}

# Nothing else than what the VMM and Linux asked for has been converted, and the host sees no private page.
sub conversions_ok {
	my $counts = shift;
	is($counts->{$_}, BUFFERS, "$_: as often as Linux has asked") for qw(to_shared to_private);
	is($counts->{kvm_requests_shared}, BUFFERS + $counts->{lent} + $counts->{table_pages}, 'KVM counts as many to shared');
	is($counts->{kvm_requests_private}, BUFFERS + $counts->{lent} + 1, 'and to private, with all memory at first');
	is($counts->{kvm_refused}, 0, 'KVM refuses none');
	is($counts->{reachable_pages}, 0, 'the host reaches no page that has become private again');
	is($counts->{reachable_at_end}, $counts->{table_pages}, 'nor any other in the end, but for shared page tables');
}

sub start_watching {
	# A pipe that nobody reads meanwhile would stop it.
	my $top = start('sh', '-c', "exec $TOP -j --totals -d 0.2 >$WATCHED");
	my $end = time + PATIENCE_S;
	select undef, undef, undef, 0.1 until -s $WATCHED || time > $end;
	ok(-s $WATCHED, 'memattr-top counts');
	return $top;
}

# The newest row of the VM. The last line may not be complete yet.
sub watched {
	my @rows = map { @{ (eval { decode_json($_) } || {})->{vms} || [] } } reverse split /\n/, read_file($WATCHED);
	my ($row) = grep { $_->{name} eq 'private-linux' } @rows;
	return $row || {};
}

sub watched_ok {
	my ($top, $counts) = @_;
	my $end = time + PATIENCE_S;
	select undef, undef, undef, 0.1 until (watched()->{to_priv} // 0) == $counts->{kvm_requests_private} || time > $end;
	is(stop($top, 'TERM'), 0, 'memattr-top ends with 0');
	my $row = watched();
	is($row->{to_shared}, $counts->{kvm_requests_shared}, 'it has seen all conversions to shared');
	is($row->{to_priv}, $counts->{kvm_requests_private}, 'and to private');
}

# On a CPU that KVM can ask, all memory is private. Otherwise KVM reads instructions, for which page tables are shared.
sub help_ok {
	my $counts = shift;
	if ($counts->{kvm_reads}) {
		cmp_ok($counts->{skipped}, '>', 1000, 'the VMM skips instructions that KVM cannot read');
		cmp_ok($counts->{lent}, '>', 0, 'and lends it those that use control registers');
		cmp_ok($counts->{table_pages}, '<', 10, 'few page tables are shared');
	} else {
		is($counts->{$_}, 0, "$_: KVM need not read instructions") for qw(skipped lent table_pages);
	}
}

# What stops Linux without that help.
sub stop_ok {
	my ($name, $kernel, $cause, $option) = @_;
	my ($status, $out, $err) = run('timeout', $BOOT_S, $VMM, $option, $kernel, "$ROOT_DIR/private.cpio");
	is($status, 1, "$name: Linux does not run");
	is($out, '', "$name: it says nothing");
	like($err, $cause, "$name: the VMM says why");
}

sub stops_ok {
	my $kernel = shift;
	# The first one is CPUID, which asks for the CPU's vendor. SVM_EXIT_CPUID is 0x72.
	stop_ok('nothing skipped', $kernel, qr/^private-linux: KVM: internal error 1 after exit 0x72$/, '--no-skips');
	# KVM injects a page fault, for which Linux is not ready yet, and does not exit.
	stop_ok('page tables private', $kernel, qr/^private-linux: Linux ended by a triple fault$/, '--private-tables');
}

sub private_guest {
	my $kernel = shift;
	my $top = start_watching();
	my $counts = boot('private Linux', $kernel, 0);
	watched_ok($top, $counts);
	conversions_ok($counts);
	help_ok($counts);
	stops_ok($kernel) if $counts->{kvm_reads};
	is($counts->{answered_pages}, PAGES, 'the VMM answers in all pages that Linux shares');
	is($counts->{wrong_pages}, 0, 'and finds in them what Linux wrote while they were private');

	# The word is wrong while the buffer is shared, and after that.
	my $spoilt = boot('spoilt', $kernel, 2, '--spoil');
	is($spoilt->{wrong_pages}, 1, 'spoilt: the VMM finds a wrong page');
}

my %parts = ('a private guest' => \&private_guest);
run_parts(PART_S, \%parts, sub {
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
	my ($status, $dir) = run('kernel-patches/kernel', 'path', 'stock');
	plan skip_all => 'there is only Debian\'s kernel, which comes without vmlinux' if $status && $kernel eq 'debian';
	is($status, 0, 'the stock kernel, for the guest') or diag('try: make kernel-stock');
	chomp $dir;
	my ($made, $out, $err) = run('selftests/private-linux/mkinitramfs', $dir, $ROOT_DIR);
	is($made, 0, 'a root with a shell and a module') or diag($out, $err);
	# One CPU: see README.md, "Emulation".
	in_vm('a private guest', [$kernel, qw(--cpus 1 --append kvm.gmem_in_place_conversion=1)],
	      PART_S, $dir);
});
