#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# docs/architecture.md and docs/in-place.md name functions and files: they exist, on the side that the page says.
use strict;
use warnings;
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Source;

chdir "$FindBin::Bin/.." or die;
my $page = slurp('docs/architecture.md');

# What begins under this heading, up to the next one.
sub section {
	my ($heading) = @_;
	my ($text) = $page =~ /^###? \Q$heading\E\n(.*?)(?=^#|\z)/ms;
	return $text // die "the page has no '$heading'\n";
}

sub check_functions {
	my ($heading, $source) = @_;
	my @names = section($heading) =~ /`(\w+)\(\)`/g;

	cmp_ok(scalar @names, '>', 3, "$heading: functions are named");
	ok(defines($source, $_), "$heading: $_()") for @names;
}

my $kernel = kernel_source(qw(virt/kvm arch/x86/kvm include/trace/events/kvm.h));
my $tools = source('tools');
ok(!defines($kernel, $_) && !defines($tools, $_), "nobody has $_()") for 'no_such_function';
ok(!defines($kernel, 'collector_snapshot') && defines($tools, 'collector_snapshot'), 'the sides are told apart');

check_functions('In the kernel', $kernel);
like($kernel, qr/^TRACE_EVENT\($_,$/m, "tracepoint $_")
	for some('tracepoints', section('In the kernel') =~ /tracepoint `(\w+)`/g);
check_functions('In memattr-top', $tools);
ok(scalar(() = glob "tools/*/$_"), "file $_")
	for some('files', section('In memattr-top') =~ /`([\w.-]+\.c)`/g);
ok(-e "docs/$_", "link to $_") for some('links', $page =~ /\]\(([^)]+)\)/g);

$page = slurp('docs/in-place.md');
check_functions('In the kernel', $kernel);
ok(-e "docs/$_", "link to $_") for some('links', $page =~ /\]\(([^)#]+)\)/g);
done_testing();
