#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# selftests/model/gmem.pml has no state in which a property of in-place conversion fails, and no run in
# which a conversion or a punch does not end. Each mutant of the model violates what it has to.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Source;

chdir "$FindBin::Bin/.." or die;

# spin leaves its files where it runs.
my $dir = tempdir(CLEANUP => 1);
my $model = slurp('selftests/model/gmem.pml');
my @lines = split /\n/, $model;
open my $copy, '>', "$dir/gmem.pml" or die;
print $copy $model;
close $copy or die;

# The deepest search takes 400,000 steps, and the largest 600 MiB.
use constant MAX_DEPTH => 1_000_000;
use constant MAX_MIB => 1500;
# Fewer states than this: the processes hardly run.
use constant MIN_STATES => 100_000;
# pan -f takes 4 * NFAIR - 2 processes.
my @safety = ("-DSAFETY");
my @liveness = ("-DNFAIR=4");

my @exhaustive = (
	['2 processes', '-DHOSTS=2'],
	['2 vCPUs', '-DHOSTS=1 -DVCPUS=2', 'out of memory'],
	['pages in LRU batches', '-DHOSTS=1 -DLRU'],
	['2 indexes', '-DHOSTS=1 -DINDEXES=2 -DGUPS=0', 'out of memory'],
);

my @endings = (
	['conversions end, 1 process', '-DHOSTS=1 -DCONVERSION_ENDS'],
	['conversions end, 2 processes', '-DHOSTS=2 -DCONVERSION_ENDS -DGUPS=0'],
	['punches end', '-DHOSTS=2 -DPUNCH_ENDS -DGUPS=0'],
);

# Mutant, what it violates, and the configuration if it is another than 2 processes. All are found within
# some 100,000 steps.
my $mutants = <<'END';
NO_LOCK			host_maps_private_page
NO_REFCHECK		host_maps_private_page
NO_REFCHECK		gup_pins_private_page
FAULT_DROPS_REF		host_maps_private_page
FAULT_UNLOCKS_PAGE	host_maps_punched_page
FAULT_LOCKS_AGAIN	deadlock
MAPPING_HAS_NO_REF	page_in_use_is_freed
PUT_BEFORE_FLUSH	host_maps_private_page
PUT_BEFORE_FLUSH	page_in_use_is_freed
ZERO_UNLOCKED_PAGE	contents_are_lost
NO_ZERO			contents_are_leaked
GUP_READS_PTE_ONCE	gup_pins_private_page
NO_SEQ			guest_maps_stale_attribute
NO_SEQ			guest_maps_punched_page
ATTR_BEFORE_SEQ		guest_maps_stale_attribute
STALE_CHECK_UNLOCKED	guest_maps_stale_attribute
GUEST_KEEPS_REF		eagain_without_holder
GUEST_NO_LOCK		eagain_without_holder
NO_UNMAP		eagain_without_holder
UNMAP_AFTER_CHECK	gup_pins_private_page
NO_DRAIN		eagain_without_holder		-DHOSTS=1 -DLRU
COMMIT_BY_PAGE		attributes_change_after_eagain	-DHOSTS=1 -DINDEXES=2
COMMIT_BEFORE_ZAP	guest_maps_stale_attribute
END_BEFORE_COMMIT	guest_maps_stale_attribute
NO_INVALIDATION		guest_maps_stale_attribute
NO_INVALIDATION		guest_maps_punched_page
EAGAIN_KEEPS_LOCK	deadlock
PUNCH_NO_ZAP		guest_maps_punched_page
PUNCH_NO_ZAP		page_in_use_is_freed
PUNCH_NO_PAGE_LOCK	host_maps_punched_page
WAITS_FOR_HOLDERS	ending				-DHOSTS=1 -DCONVERSION_ENDS
UNFAIR_LOCK		ending				-DHOSTS=1 -DCONVERSION_ENDS
END

# --- pan -----------------------------------------------------------------

sub command {
	my ($command) = @_;
	my $said = `cd $dir && { $command; } 2>&1`;
	return ($?, $said);
}

sub build {
	my ($defines, @options) = @_;
	my ($status, $said) = command("rm -f pan *.trail && spin -a $defines gmem.pml && " .
		"gcc -w -DCOLLAPSE @options -o pan pan.c");

	BAIL_OUT("spin or gcc does not take the model:\n$said") if $status;
}

# What pan said, and its exit status, which is 0 also if it has found an error or has given up.
sub search {
	my ($defines, $options, %how) = @_;

	build($defines, '-DMEMLIM=' . ($how{mib} // MAX_MIB), @{$how{flags}});
	my ($status, $said) = command('./pan -m' . ($how{depth} // MAX_DEPTH) . " $options");
	return { status => $status, said => $said };
}

# Lines of the model that the search has not reached. No process comes to its "-end-".
sub unreached {
	my ($run) = @_;
	my ($list) = $run->{said} =~ /^unreached in proctype(.*?)^(?:unreached in claim|\n)/ms;
	my @missed = ($list // '') =~ /^\tgmem\.pml:(\d+), state \d+, (?!"-end-")/mg;

	return map { "$_: $lines[$_ - 1]" } @missed;
}

# What pan says when it has not looked at everything.
my $INCOMPLETE = qr/too small|not completed|warning|\berror:|MEMLIM|out of memory|aborting|bit ?state/i;

# Why this search proves nothing. It need not reach lines that match $may_miss.
sub flaws {
	my ($run, $claim, $may_miss) = @_;
	my @flaws;
	my $said = $run->{said};
	my ($states) = $said =~ /^\s*(\d\S*) states, stored/m;

	push @flaws, "status $run->{status}" if $run->{status};
	push @flaws, 'not exactly one count of errors, which is 0'
		if join(' ', $said =~ /\berrors: (\d+)/g) ne '0';
	push @flaws, "'$1'" while $said =~ /^(.*$INCOMPLETE.*)$/mg;
	push @flaws, "'$_' is missing"
		for grep { $said !~ /^\s*\Q$_\E/m } 'Full statespace search for:', map { "\t$_" } @$claim;
	push @flaws, 'few states: ' . ($states // 'none') if ($states // 0) < MIN_STATES;
	push @flaws, "not reached: $_" for grep { !defined $may_miss || !/$may_miss/ } unreached($run);
	return @flaws;
}

my @all_states = ("assertion violations\t+", "invalid end states\t+");
my @all_cycles = ("never claim         \t+ (ends)", "acceptance   cycles \t+ (fairness enabled)");

sub proves {
	my ($name, $run, @criteria) = @_;
	my @flaws = flaws($run, @criteria);

	return if ok(!@flaws, sprintf '%s: %s states', $name, $run->{said} =~ /(\d\S*) states, stored/ ? $1 : 'no');
	diag($_) for @flaws;
	diag((command('spin -t -p -g -l gmem.pml | tail -n 60'))[1]) if -e "$dir/gmem.pml.trail";
}

# --- the model holds ------------------------------------------------------

for (@exhaustive) {
	my ($name, $defines, $may_miss) = @$_;
	proves("safety, $name", search($defines, '', flags => ['-O1', @safety]), \@all_states, $may_miss);
}
for (@endings) {
	my ($name, $defines) = @$_;
	proves($name, search($defines, '-a -f', flags => ['-O1', @liveness]), \@all_cycles, qr/./);
}

# --- what proves nothing is noticed ---------------------------------------

sub notices {
	my ($name, $flaw, $run) = @_;
	my @flaws = flaws($run, \@all_states);

	ok(scalar(grep { /$flaw/ } @flaws), "noticed: $name") or diag("@flaws\n$run->{said}");
}

notices('the search is not deep enough', qr/max search depth too small/,
	search('-DHOSTS=1', '', depth => 1000, flags => \@safety));
notices('there is not enough memory', qr/MEMLIM/, search('-DHOSTS=2', '', mib => 150, flags => \@safety));
notices('not all is reached', qr/not reached: .*out of memory/,
	search('-DHOSTS=1 -DPAGES=3', '', flags => \@safety));
notices('another kind of search', qr/invalid end states\t\+' is missing/,
	search('-DHOSTS=1 -DCONVERSION_ENDS -DGUPS=0', '-a -f', flags => \@liveness));

# --- the properties can fail ----------------------------------------------

my %violation = (
	deadlock => [qr/^pan:1: invalid end state/m, '', @safety],
	ending => [qr/^pan:1: acceptance cycle/m, '-a -f', @liveness],
);
my (%violated, %mutated);

for (split /\n/, $mutants) {
	my ($mutant, $property, $configuration) = split /\t+/;
	my ($violation, $options, @flags) = @{$violation{$property} //
		[qr/^pan:1: assertion violated \(\($property!=$property\)/m, '', @safety]};
	my $only = $violation{$property} ? '' : "-DONLY=$property";
	my $run = search("-D$mutant $only " . ($configuration // '-DHOSTS=2'), "-w18 $options", depth => 200_000,
		flags => \@flags);

	ok($run->{said} =~ $violation && $run->{said} =~ /errors: 1$/m, "$mutant: $property") or diag($run->{said});
	$violated{$property} = $mutated{$mutant} = 1;
}

my ($properties) = $model =~ /^hidden byte (.*?);/ms;
ok($violated{$_}, "some mutant violates $_") for some('properties', $properties =~ /(\w+) =/g);
my ($after_head) = $model =~ /^(\/\* --- what is shared.*)/ms;
my %switches = map { $_ => 1 } $after_head =~ /^#ifn?def (\w+)/mg, $after_head =~ /\bdefined\((\w+)\)/g;
delete @switches{qw(FAIR LRU ONLY)};
is_deeply([sort keys %switches], [sort keys %mutated], 'all mutants of the model are tried');

# --- the kernel has what the model names ----------------------------------

my $kernel = kernel_source(qw(virt/kvm arch/x86/kvm mm include/linux/mm.h));
my %functions = map { $_ => 1 } map { /\b(\w+)\(\)/g } $model =~ m{/\*(.*?)\*/}gs;

ok(!defines($kernel, 'no_such_function'), 'nobody has no_such_function()');
cmp_ok(scalar keys %functions, '>', 15, 'the model names functions');
ok(defines($kernel, $_), "the kernel has $_()") for sort keys %functions;
done_testing();
