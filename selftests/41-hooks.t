#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Hooks that are attached and never called: a tool takes another hook, or shows n/a and not 0.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TOP = 'build/bin/memattr-top';
my $TRACE = 'build/bin/prefault-trace';
my $PROBE = 'build/selftests/tools/probe';
my $NEVER = 'the kernel accepts the hook, but never calls it';

# On a loaded machine this takes less; only a failure waits this long.
use constant PART_S => 200;

# What a command sees that cannot read ftrace's list, or reads that no function is enabled.
my $NO_LIST = 'mount -t tmpfs none /sys/kernel/tracing && mount -t tmpfs none /sys/kernel/debug/tracing';
my $EMPTY_LIST = "$NO_LIST && : >/sys/kernel/tracing/enabled_functions";

sub seeing {
	my ($mounts, @command) = @_;
	return (qw(unshare -m sh -c), "$mounts && exec @command");
}

sub finds {
	my ($name, $found, @command) = @_;
	my ($status, $out, $err) = run(@command);
	is($out, "$found\n", $name) or diag("exit status $status\n$err");
}

sub probes {
	finds('a function that KVM calls', 'sure', $PROBE, 'kvm_arch_destroy_vm');
	finds('it is not there', 'this kernel has no event for it', $PROBE, 'kvm_no_such_function');
	finds('a fault of a guest calls it', 'sure', $PROBE, qw(kvm_tdp_page_fault fault));
	finds('and so does KVM_PRE_FAULT_MEMORY', 'sure', $PROBE, qw(kvm_tdp_page_fault prefault));
	# KVM calls this one for guests whose page tables it shadows.
	finds('a fault does not call this one', $NEVER, $PROBE, qw(direct_page_fault fault));
	finds('no trial, no list: nobody knows', 'unsure', seeing($NO_LIST, $PROBE, 'kvm_arch_destroy_vm'));
	finds('a trial needs no list', 'sure', seeing($NO_LIST, $PROBE, qw(kvm_tdp_page_fault fault)));
	finds('ftrace has not enabled it', $NEVER, seeing($EMPTY_LIST, $PROBE, 'kvm_arch_destroy_vm'));
}

sub unit_tests {
	my ($status, $out, $err) = run('build/selftests/tools/hooks-unit');
	is($status, 0, 'kernels that are not here') or diag($out, $err);
}

# The last line about the VM.
sub line_of {
	my ($top, $name) = @_;
	my ($line) = grep { $_->{NAME} eq $name } reverse lines($top->{text});
	return $line // {};
}

sub conversions_of {
	my ($top, $name) = @_;
	return join ' ', @{line_of($top, $name)}{qw(TO_PRIV TO_SHARED EFF_PG)};
}

sub top_sees_first_event {
	my $guest = start_guest('--name', 'first', qw(--scenario churn --count 20));
	my $top = start(seeing($NO_LIST, $TOP, qw(-b --totals -d 600)));
	close $top->{in};
	$top->{text} = readline($top->{out}) // '';
	go_guest($guest);
	stop($guest);
	stop($top, 'INT');
	like(conversions_of($top, 'first'), qr/^[1-9]\d* [1-9]\d* [1-9]\d*$/, 'after the first event: figures');

	$guest = start_guest(qw(--name none));
	my ($status, $out, $err) = run(seeing($NO_LIST, $TOP, qw(-b --totals -n 1 -d 0.1)));
	is(conversions_of({ text => $out }, 'none'), 'n/a n/a n/a', 'before: n/a, not 0');
	like($err, qr/^memattr-top: conversions: fentry:\S+ \(n\/a until the first event/m, 'with the reason');
	($status, $out, $err) = run(seeing($EMPTY_LIST, $TOP, qw(-b --totals -n 1 -d 0.1)));
	is(conversions_of({ text => $out }, 'none'), 'n/a n/a n/a', 'ftrace skips the function: n/a');
	like($err, qr/^memattr-top: conversions: n\/a \($NEVER\)/m, 'with the reason');
	($status, $out, $err) = run(seeing($EMPTY_LIST, $TRACE, qw(-b -n 1 -d 0.1)));
	like($err, qr/^prefault-trace: faults: tp_btf:kvm_page_fault /m, 'prefault-trace takes the next hook');
	kill TERM => $guest->{pid};
	waitpid $guest->{pid}, 0;
}

# --- memory that is mapped ahead, and of no use for a write ---

# Each kind of page that was mapped ahead of the last VM's guest: "ALIAS ACCESS NEW_PAGES".
sub maps {
	my $vmm = start('build/selftests/tools/prefault-vmm', '-n', 'zero', @_);
	readline $vmm->{out};
	my $trace = start($TRACE, qw(-j -d 600 -p), $vmm->{pid});
	close $trace->{in};
	# The tool prints its hooks when it has attached.
	while (($trace->{said} .= readline($trace->{err}) // last) !~ /^prefault-trace: use: /m) {}
	print { $vmm->{in} } "go\n";
	close $vmm->{in};
	stop($vmm);
	stop($trace, 'INT');
	my $document = eval { decode_json($trace->{text}) } or diag($trace->{text}, $trace->{said});
	my @kinds = grep { $_->{event} eq 'map' } map { @{$_->{series}} } @{$document->{vms}[0]{vcpus}};
	return join ', ', sort map { "$_->{alias} $_->{access} $_->{new_pages}" } @kinds;
}

# KVM's module for the CPU is one of others, or so it seems: nobody knows whether it calls the tracepoint for exits.
sub vendor_of_others {
	my $modules = 'mount -t tmpfs none /sys/module && mkdir -p /sys/module/kvm && : >/sys/module/kvm/initstate';
	my $guest = start_guest('--name', 'others', qw(--scenario churn --count 20));
	my ($status, $out, $err) = run(seeing($modules, $TOP, qw(-b --totals -n 1 -d 0.1)));
	is(line_of({ text => $out }, 'others')->{EXITS}, 'n/a', 'a module for the CPU that nobody knows: n/a, not 0');
	like($err, qr/^memattr-top: exits: tp_btf:kvm_exit \(n\/a until the first event/m, 'with the reason');
	my $top = start(seeing($modules, $TOP, qw(-b --totals -d 600)));
	close $top->{in};
	$top->{text} = readline($top->{out}) // '';
	go_guest($guest);
	stop($guest);
	stop($top, 'INT');
	like(line_of($top, 'others')->{EXITS}, qr/^[1-9]/, 'after the first exit: figures');
}

sub zero_pages {
	is(maps(qw(-t 0 -m 0 -s 32 -P)), 'shared unknown 32', 'memory that was written to');
	is(maps(qw(-t 0 -m 0 -s 32 -Z)), 'shared read 32',
	   'memory that nobody has written to is mapped for reading only');
	is(maps(qw(-t 0 -m 0 -s 32 -R)), 'shared unknown 32', 'in a read-only slot there is no later write');
}

my %parts = (
	'hooks on the stock kernel' => sub {
		probes();
		top_sees_first_event();
		vendor_of_others();
		zero_pages();
	},
	'hooks on the patched kernel' => sub {
		zero_pages();
		is(maps(qw(-t 0 -m 8 -s 0)), 'private unknown 8', 'private memory is for writing, too');
		my ($status, $out, $err) = run(seeing($EMPTY_LIST, $TRACE, qw(-b -n 1 -d 0.1)));
		like($err, qr/^prefault-trace: mapped ahead: tp_btf:kvm_prefault_map \(read-only pages/m,
		     'without the function pages are counted, but not told apart');
	},
);

run_parts(PART_S, \%parts, sub {
	unit_tests();
	in_vm('hooks on the stock kernel', 'stock', PART_S);
	in_vm('hooks on the patched kernel', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
});
