#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests what changes of memory attributes cost, patched against stock, in instructions, which are the same
# in every run. bench/attributes measures the same and more; the limits here are the series' promises.
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";
my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';

sub count {
	my ($on, $program, @args) = @_;

	open my $vm, '-|', 'selftests/vm/run', '--icount', '--timeout', 600, '--kernel', $on, '--',
		"build/bench/$program", @args or die "selftests/vm/run: $!";
	my @lines = map { [split] } <$vm>;
	ok(close($vm) && @lines, "$program on the $on kernel");
	return @lines;
}

my @parts = qw(sizes pieces fragmented mapped-64M);
my %stock = map { @$_ } count('stock', 'attributes', @parts);
my %patched = map { @$_ } count($kernel, 'attributes', @parts, qw(mapped-1G memslot huge-sizes tera));
my %store = map { $_->[0] => [@$_[1, 2]] } count($kernel, 'store-cost');

# Checks a minimum ratio: the stock kernel's figure divided by the patched kernel's.
sub fewer {
	my ($times, $name, $stock, $patched) = @_;

	cmp_ok(($stock // 0) / ($patched || 1e99), '>=', $times, "$name: $times times fewer")
		or diag("stock " . ($stock // '-') . ", patched " . ($patched // '-'));
}

sub at_most {
	my ($limit, $name, $is) = @_;

	cmp_ok($is // 1e99, '<=', $limit, "$name: at most $limit");
}

fewer(10_000, 'set 1 GiB', $stock{'set-1048576K'}, $patched{'set-1048576K'});
# The stock kernel's cost is proportional to the size; measuring its 256 GiB takes minutes.
fewer(1_000_000, 'set 256 GiB, stock 256 times its 1 GiB', 256 * $stock{'set-1048576K'},
	$patched{'set-268435456K'});
fewer(100_000, 'set 256 GiB again, stock 256 times its 1 GiB', 256 * $stock{'again-1048576K'},
	$patched{'again-268435456K'});
fewer(50, 'a piece of 2 MiB of 4 GiB', $stock{'pieces-4G-per-2M'}, $patched{'pieces-4G-per-2M'});
fewer(50, 'a piece of 2 MiB of 1 TiB', $stock{'pieces-4G-per-2M'}, $patched{'pieces-1T-per-2M'});
fewer(1, 'a page to shared and back, 64 MiB mapped private', $stock{'toggle-mapped-65536K'},
	$patched{'toggle-mapped-65536K'});
fewer(1, 'a random page of fragmented memory', $stock{'toggle-fragmented'},
	$patched{'toggle-fragmented'});
fewer(1 / 0.35, 'the store alone', @{$store{'store-toggle-fragmented'}});
fewer(1, "lookup in the store, $_", @{$store{"store-lookup-$_"}}) for qw(uniform fragmented);
fewer(1, 'fault of a mapped page, uniform', $stock{'fault-mapped-65536K'},
	$patched{'fault-mapped-65536K'});
fewer(1, 'fault of a mapped page, fragmented', $stock{'fault-mapped-fragmented-65536K'},
	$patched{'fault-mapped-fragmented-65536K'});
is($stock{'one-differs-zapped-65536K'}, 16384, 'one page of 64 MiB differs: stock zaps all');
for (qw(65536K 1048576K)) {
	is($patched{"one-differs-zapped-$_"}, 1, "one page of $_ differs: one page is zapped");
	is($patched{"one-differs-refaults-$_"}, 1, "and mapped again, the others stay");
}
at_most(8192, 'bytes of 1 TiB', $patched{'slab-1073741824K'});
at_most(0.1 * (1 << 20), 'bytes of 1 TiB in pieces', $patched{'pieces-1T-slab'});
fewer(20, 'bytes of 1 GiB with every other page private', $stock{'alternating-1G-slab'},
	$patched{'alternating-1G-slab'});
at_most(1_500_000, 'instructions to set a memslot of 64 GiB', $patched{'memslot-64G-set'});
done_testing();
