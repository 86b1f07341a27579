#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests that whoever has nothing to do with a change of a guest's memory waits for it no longer, and is
# kicked no more often, than on the stock kernel. bystanders/ measures that, on both kernels in this run.
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';

# Interrupts, and RCU's callbacks, take so much of the one CPU now and then on any kernel.
use constant NOISE_NS => 100_000;
use constant CALLBACKS_NS => 1_000_000;
# A multiple of stock's: a task that lets go of mmu_lock in between has to flush first.
use constant KICKS => 4;

# One run takes minutes on a busy machine.
use constant TIMEOUT_S => 3000;

# Returns the figures by name.
sub measure {
	my ($on, @args) = @_;
	my @with = @args > 2 ? ('--with', $args[2]) : ();

	open my $vm, '-|', 'selftests/vm/run', '--icount', '--timeout', TIMEOUT_S, '--kernel', $on,
		@with, '--', 'build/selftests/bystanders/bystanders', @args or die "selftests/vm/run: $!";
	my %figures = map { chomp; split } <$vm>;
	ok(close($vm) && %figures, "bystanders @args, on the $on kernel");
	note("$_: $figures{$_}") for sort keys %figures;
	return \%figures;
}

sub at_most {
	my ($is, $limit, $name) = @_;

	cmp_ok($is // 1e99, '<=', $limit // -1, $name);
}

sub larger { $_[0] > $_[1] ? $_[0] : $_[1] }

# Stock keeps attributes page by page, so its wait does not depend on how they came to be.
sub test_notifiers {
	my %ours;

	for my $mib (1536, 4096) {
		my $stock = measure('stock', 'notifiers', $mib);
		my $figures = measure($kernel, 'notifiers', $mib);
		my $stock_ns = larger(map { $stock->{"$_-${mib}M"} // 0 } qw(plain fragmented));

		for (qw(plain fragmented)) {
			at_most($figures->{"$_-${mib}M"}, 1.2 * $stock_ns,
				"$mib MiB change, $_: memory of another memslot goes as fast");
		}
		%ours = (%ours, %$figures);
	}
	for (qw(plain fragmented)) {
		at_most($ours{"$_-4096M"}, ($ours{"$_-1536M"} // 0) + NOISE_NS,
			"$_: as fast, however much changes");
	}
}

# test_kicks(MIB, POLICY...). KVM asks a policy about each run of pages.
sub test_kicks {
	my ($mib, @policies) = @_;
	my $stock = measure('stock', 'kicks', $mib);

	cmp_ok($stock->{$_}, '>', 0, "$_: stock flushes") for sort keys %$stock;
	for my $args (@policies ? map { [$_] } @policies : []) {
		my $ours = measure($kernel, 'kicks', $mib, @$args);

		for (sort keys %$stock) {
			at_most($ours->{$_}, KICKS * $stock->{$_}, join ', ',
				"$_: all vCPUs are kicked as often", map { "with $_" } @$args);
		}
	}
}

sub test_gmem {
	my $stock = measure('stock', 'gmem', 1024);

	for my $args ([], ['build/bpf/faultaround.bpf.o']) {
		my $ours = measure($kernel, 'gmem', 1024, @$args);

		for (sort keys %$stock) {
			at_most($ours->{$_}, 1.2 * $stock->{$_} + CALLBACKS_NS,
				join ', ', "$_: waits as long", map { "with $_" } @$args);
		}
	}
}

test_notifiers();
test_kicks(1536);
test_kicks(64, map { "build/bpf/$_.bpf.o" } qw(template thp_recover));
test_gmem();
done_testing();
