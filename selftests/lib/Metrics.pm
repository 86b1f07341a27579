# SPDX-License-Identifier: GPL-2.0
#
# Reads metrics in the text format and in OpenMetrics, and finds what is wrong with them: also what no parser and
# no promtool complains about.
package Metrics;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(read_metrics metrics_problems value_of);

my $NAME = qr/[a-z][a-z0-9_]*/;
my $LABEL = qr/$NAME="(?:[^"\\\n]|\\["\\n])*"/;
my $SAMPLE = qr/^($NAME)(?:\{($LABEL(?:,$LABEL)*)\})? (\S+)$/;
my %ENDINGS = (counter => ['_total'], info => ['_info'], histogram => [qw(_bucket _sum _count)]);

# The samples by their names and labels, as they are written.
sub read_metrics {
	my %samples;
	for (split /\n/, shift) {
		$samples{$1 . ($2 ? "{$2}" : '')} = $3 if $_ =~ $SAMPLE;
	}
	return \%samples;
}

# The value of the only sample with this name and all of these labels; undef: there is none, or more than one.
sub value_of {
	my ($samples, $name, %labels) = @_;
	my @found = grep {
		my $sample = $_;
		$sample =~ /^\Q$name\E(?:\{|$)/ && !grep { $sample !~ /[{,]\Q$_="$labels{$_}"\E[,}]/ } keys %labels;
	} keys %$samples;
	return @found == 1 ? $samples->{$found[0]} : undef;
}

# The endings that the names of a family's samples have.
sub endings {
	my ($type, $openmetrics) = @_;
	# In the text format, a family's name has the ending of its samples.
	return $openmetrics || $type eq 'histogram' ? $ENDINGS{$type} // [''] : [''];
}

sub histogram_problems {
	my ($name, $samples) = @_;
	my (%rows, @problems);
	for (@$samples) {
		my ($ending, $labels, $value) = @$_;
		my $bound = $labels =~ s/,?le="([^"]*)"// ? $1 : undef;
		push @{ $rows{$labels}{buckets} }, [ $bound // 'none', $value ] if $ending eq '_bucket';
		$rows{$labels}{$ending} = $value;
	}
	for my $labels (sort keys %rows) {
		my ($row, $last_bound, $last_count) = ($rows{$labels}, 0, 0);
		for (@{ $row->{buckets} // [] }) {
			my ($bound, $count) = @$_;
			push @problems, "$name: bound $bound after $last_bound"
				unless $bound eq '+Inf' ? $last_bound ne '+Inf'
				     : $bound =~ /^[0-9.e-]+$/ && $last_bound ne '+Inf' && $bound > $last_bound;
			push @problems, "$name: $count up to $bound after $last_count" unless $count >= $last_count;
			($last_bound, $last_count) = ($bound, $count);
		}
		push @problems, "$name: no +Inf" unless $last_bound eq '+Inf';
		push @problems, "$name: no count of all" unless ($row->{_count} // -1) == $last_count;
		push @problems, "$name: no sum" unless defined $row->{_sum};
		push @problems, "$name: a sum without a count" if ($row->{_sum} // 0) > 0 && !$last_count;
	}
	return @problems;
}

sub problems_of_lines {
	my ($text, $openmetrics) = @_;
	my ($family, $type, %families, %seen, @problems) = ('', '');
	for (split /\n/, $text) {
		if (my ($what, $name, $text) = /^# (TYPE|HELP|UNIT) ($NAME) (\S.*)$/) {
			push @problems, "$name once more" if $name ne $family && $families{$name};
			$family = $name;
			push @problems, "$what of $name once more" if $families{$name}{$what};
			push @problems, "$what of $name after its samples" if $families{$name}{samples};
			$families{$name}{$what} = $text;
			push @problems, "the unit of $name" if $what eq 'UNIT' && $name !~ /_\Q$text\E$/;
			$type = $text if $what eq 'TYPE';
		} elsif ($_ =~ $SAMPLE) {
			my ($name, $labels, $value) = ($1, $2 // '', $3);
			my ($ending) = grep { $name eq $family . $_ } @{ endings($type, $openmetrics) };
			push @problems, "$name is not of family $family, a $type" unless defined $ending;
			push @problems, "$name\{$labels} once more" if $seen{"$name $labels"}++;
			push @problems, "$name\{$labels} is $value" unless $value =~ /^\d+(\.\d+)?$/;
			my %labels;
			push @problems, "$name\{$labels} has $_ twice" for grep { $labels{$_}++ } $labels =~ /($NAME)="/g;
			push @{ $families{$family}{samples} }, [ $ending // '', $labels, $value ];
		} elsif (!($openmetrics && $_ eq '# EOF')) {
			push @problems, "not understood: $_";
		}
	}
	for my $name (sort keys %families) {
		my $known = $families{$name};
		push @problems, "no $_ of $name" for grep { !$known->{$_} } qw(TYPE HELP samples);
		push @problems, histogram_problems($name, $known->{samples} // []) if ($known->{TYPE} // '') eq 'histogram';
	}
	return @problems;
}

# Returns all that is wrong; nothing if all is well.
sub metrics_problems {
	my ($text, $openmetrics) = @_;
	my @problems = problems_of_lines($text, $openmetrics);
	push @problems, 'there are no metrics' unless %{ read_metrics($text) };
	push @problems, 'no newline at the end' unless $text =~ /\n\z/;
	push @problems, 'an EOF that is not the end' if $text =~ /^# EOF\n./m;
	push @problems, $openmetrics ? 'no EOF' : 'an EOF' if $openmetrics xor $text =~ /^# EOF$/m;
	return @problems;
}

1;
