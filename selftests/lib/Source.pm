# SPDX-License-Identifier: GPL-2.0
#
# Functions that look up in C sources what pages and models name.
package Source;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);
use Test::More;

our @EXPORT = qw(slurp source kernel_source defines some);

sub slurp {
	my $text = '';

	for my $path (@_) {
		open my $fh, '<', $path or die "$path: $!";
		local $/;
		$text .= <$fh>;
	}
	return $text;
}

# All C in these files and directories.
sub source {
	open my $find, '-|', 'find', @_, qw(-name *.[ch] -type f) or die "find: $!";
	chomp(my @files = <$find>);
	return slurp(@files);
}

# All C in these files and directories of the patched kernel.
sub kernel_source {
	my $linux = tempdir(CLEANUP => 1);

	system('kernel-patches/kernel', 'files', $linux, @_) == 0 or BAIL_OUT('there is no patched kernel source');
	return source($linux);
}

# Returns @found, and checks that it is not empty: nothing would be tested of what is found then.
sub some {
	my ($what, @found) = @_;

	ok(scalar @found, "there are $what");
	return @found;
}

# Functions begin at the start of a line that does not end like a declaration or a statement.
sub defines {
	my ($source, $name) = @_;
	return $source =~ /^\w[^\n;=]*\b\Q$name\E\([^;\n]*$|\bBPF_PROG\(\Q$name\E,/m;
}

1;
