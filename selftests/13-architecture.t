#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# docs/architecture.md names functions and files: they exist, on the side that the page says.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

chdir dirname(__FILE__) . '/..' or die;
my $page = slurp('docs/architecture.md');

sub slurp {
	my $text = '';

	for my $path (@_) {
		open my $fh, '<', $path or die "$path: $!";
		local $/;
		$text .= <$fh>;
	}
	return $text;
}

# All C in these directories.
sub source {
	open my $find, '-|', 'find', @_, qw(-name *.[ch] -type f) or die "find: $!";
	chomp(my @files = <$find>);
	return slurp(@files);
}

# What begins under this heading, up to the next one.
sub section {
	my ($heading) = @_;
	my ($text) = $page =~ /^###? \Q$heading\E\n(.*?)(?=^#|\z)/ms;
	return $text // die "the page has no '$heading'\n";
}

# Functions begin at the start of a line that does not end like a declaration or a statement.
sub defines {
	my ($source, $name) = @_;
	return $source =~ /^\w[^\n;=]*\b\Q$name\E\([^;\n]*$|\bBPF_PROG\(\Q$name\E,/m;
}

sub check_functions {
	my ($heading, $source) = @_;
	my @names = section($heading) =~ /`(\w+)\(\)`/g;

	cmp_ok(scalar @names, '>', 3, "$heading: functions are named");
	ok(defines($source, $_), "$heading: $_()") for @names;
}

my $linux = tempdir(CLEANUP => 1);
system(qw(kernel-patches/kernel files), $linux, qw(virt/kvm arch/x86/kvm include/trace/events/kvm.h)) == 0
	or BAIL_OUT('there is no patched kernel source');
my $kernel = source($linux);
my $tools = source('tools');
ok(!defines($kernel, $_) && !defines($tools, $_), "nobody has $_()") for 'no_such_function';
ok(!defines($kernel, 'collector_snapshot') && defines($tools, 'collector_snapshot'), 'the sides are told apart');

check_functions('In the kernel', $kernel);
like($kernel, qr/^TRACE_EVENT\($_,$/m, "tracepoint $_") for section('In the kernel') =~ /tracepoint `(\w+)`/g;
check_functions('In memattr-top', $tools);
ok(scalar(() = glob "tools/*/$_"), "file $_") for section('In memattr-top') =~ /`([\w.-]+\.c)`/g;
ok(-e "docs/$_", "link to $_") for $page =~ /\]\(([^)]+)\)/g;
done_testing();
