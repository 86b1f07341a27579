#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Follows docs/tuning.md: runs its commands, and compares what they count with the figures on the page.
use strict;
use warnings;
use FindBin;
use JSON::PP ();
use List::Util ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

use constant {
	# By so much a figure without "at least" and "at most" may be off.
	TOLERANCE => 0.05,
	SYMPTOMS => 8,
	LIMIT_S => 400,
};

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

# What the maps of a script for bpftrace add up to in the guest's summary.
my %counts = (
	conversions => [
		['conversions to private', 'to_private', 'pages_to_private'],
		['conversions to shared', 'to_shared', 'pages_to_shared'],
		['each is followed by a fault', 'conversions', 'us_until_fault'],
	],
	faults => [['all faults', 'stage2_faults', qw(mapped_private mapped_shared not_mapped)]],
);

# The sections with figures: their commands, and rows of [KEY, FIGURE...]. The figures are those of two policies that
# are compared, or of the section's guests.
sub symptoms {
	my @sections;

	for my $text (split /^(?=## )/m, read_file('docs/tuning.md')) {
		my ($name) = $text =~ /^## (.*)$/m;
		my @rows = map { [grep { $_ ne '' } split / *\| */] } grep { /^\| \w+ \| .*\d/ } split /\n/, $text;
		my @commands = map { split /\n/ } $text =~ /^```sh\n(.*?)^```$/msg;

		push @sections, { name => $name, rows => \@rows, commands => \@commands } if @rows;
	}
	return @sections;
}

# perf counts each of the events that it was asked for.
sub perf_counts {
	my ($name, $command) = @_;
	my ($status, $out, $err) = run('sh', '-c', $command);
	my @events = map { split /,/ } $command =~ /-e (\S+)/g;

	ok($status == 0 && @events, "$name: perf runs") or diag($out, $err);
	like($err, qr/^ *[1-9][\d,.]* +\Q$_\E /m, "$name: $_") for @events;
}

# The numbers that bpftrace prints, by map; those of a histogram, and of all keys, are added up.
sub maps_of {
	my (%maps, $histogram);

	for (split /\n/, shift) {
		if (/^@(\w+)\[.*\]: ?(\d*)$/) {
			$histogram = $1;
			$maps{$1} += $2 || 0;
		} elsif (defined $histogram && /^[\[(].*[\])] +(\d+) \|/) {
			$maps{$histogram} += $1;
		}
	}
	return \%maps;
}

# A script for bpftrace counts what the guest says of itself. The checkout has it elsewhere than the package.
sub bpftrace_counts {
	my ($name, $command) = @_;
	my ($script) = $command =~ m{/usr/share/memattr/(\w+)\.bt$};
	my ($status, $out, $err) = run('sh', '-c', $command =~ s{/usr/share/memattr/}{tools/scripts/}r =~ s/-c '.*?\K'/ --json'/r);
	my ($json) = $out =~ /^(\{.*\})$/m;
	my $summary = eval { JSON::PP::decode_json($json) } || {};
	my $counted = maps_of($out);

	ok($status == 0 && $script && $counts{$script}, "$name: bpftrace runs") or diag($out, $err);
	for (@{$counts{$script // ''}}) {
		my ($what, $figure, @maps) = @$_;

		is(List::Util::sum(map { $counted->{$_} // 0 } @maps), $summary->{$figure}, "$name: $script.bt: $what");
	}
}

sub figure_is {
	my ($name, $measured, $stated) = @_;
	my ($bound, $number) = $stated =~ /^(at least |at most )?([\d.]+)$/;
	my ($min, $max) = ($number * (1 - TOLERANCE), $number * (1 + TOLERANCE));

	$min = 0 if $bound && $bound eq 'at most ';
	$max = 'inf' if $bound && $bound eq 'at least ';
	ok(defined $measured && $measured >= $min && $measured <= $max, "$name: $stated")
		or diag($measured // 'not measured');
}

sub compare_shows {
	my ($symptom, $command) = @_;
	my ($status, $out, $err) = run('sh', '-c', "$command --json --repeat 1");
	my $result = eval { JSON::PP::decode_json($out) } || [];

	ok($status == 0 && @$result == 2, "$symptom->{name}: compare runs") or diag($out, $err);
	for (@{$symptom->{rows}}) {
		my ($key, @stated) = @$_;

		figure_is("$symptom->{name}: $key under $result->[$_]{policy}", $result->[$_]{figures}{$key}{median}, $stated[$_])
			for 0, 1;
	}
}

# The guests of this VM's kind; each has a column of figures.
sub guests_show {
	my ($symptom, $in_place) = @_;
	my @guests = grep { /^memattr-guest / } @{$symptom->{commands}};

	for my $column (grep { ($guests[$_] =~ / --in-place\b/ xor !$in_place) } 0 .. $#guests) {
		my ($status, $out, $err) = run('sh', '-c', "$guests[$column] --json");
		my $summary = eval { JSON::PP::decode_json($out) } || {};

		is($status, 0, "$symptom->{name}: runs: $guests[$column]") or diag($out, $err);
		figure_is("$symptom->{name}: $$_[0] of: $guests[$column]", $summary->{$$_[0]}, $$_[$column + 1])
			for @{$symptom->{rows}};
	}
}

# Where KVM converts in place, the commands that are about that.
sub follow_in_place {
	my @symptoms = grep { grep { / --in-place\b/ } @{$_->{commands}} } symptoms();

	$ENV{PATH} = "$FindBin::Bin/../build/bin:$ENV{PATH}";
	ok(scalar @symptoms, 'in place: there are commands');
	guests_show($_, 1) for @symptoms;
}

sub follow {
	my @symptoms = symptoms();

	$ENV{PATH} = "$FindBin::Bin/../build/bin:$ENV{PATH}";
	is(scalar @symptoms, SYMPTOMS, 'the page has figures');
	for my $symptom (@symptoms) {
		for my $command (@{$symptom->{commands}}) {
			if ($command =~ /^perf /) {
				perf_counts($symptom->{name}, $command);
			} elsif ($command =~ /^bpftrace /) {
				bpftrace_counts($symptom->{name}, $command);
			} elsif ($command =~ /^memattr-policy compare /) {
				compare_shows($symptom, $command);
			}
		}
		guests_show($symptom, 0);
	}
}

# The screens that it names exist. Needs no VM.
sub views_exist {
	for my $tool (qw(memattr-top prefault-trace)) {
		my ($views) = qx(build/bin/$tool -b --view '?' 2>&1) =~ /try: --view (.*)/;
		my %exists = map { $_ => 1 } split /, /, $views // '';
		my @named = read_file('docs/tuning.md') =~ /`$tool --view (\w+)`/g;

		ok(@named && !grep({ !$exists{$_} } @named), "views of $tool: @named");
	}
}

# Each command is one of those that are followed. Needs no VM.
sub commands_are_known {
	my @unknown = grep { !/^(?:perf stat|bpftrace -c|memattr-policy compare|memattr-guest) / } map { @{$_->{commands}} } symptoms();

	is("@unknown", '', 'the test knows what each command shows');
}

run_parts(LIMIT_S, { follow => \&follow, follow_in_place => \&follow_in_place }, sub {
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';

	views_exist();
	commands_are_known();
	# Without a policy that takes huge pages, this is the same as without the parameter.
	in_vm('follow', [$kernel, '--append', 'kvm.gmem_huge_pages=policy'], LIMIT_S);
	in_vm('follow_in_place', [$kernel, '--append', 'kvm.gmem_in_place_conversion=1'], LIMIT_S);
});
