#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-policy compare: a policy that helps, one that does nothing, and one that harms; a VM's own policy comes
# back, also when the command is killed.
use strict;
use warnings;
use FindBin;
use JSON::PP ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

use constant {
	WORK_GFN => 0x100000,
	BLOCK_PAGES => 512,
	USED_PAGES => 32,
	FLIPS => 20,
	# Never reached, but to be there again. The clock goes on while a busy machine does not.
	BUDGET_US => 1e9,
	LIMIT_S => 500,
};

my $policy = 'build/bin/memattr-policy';
my @compare = ($policy, 'compare', '--json', '--repeat', 2);

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

# Compares, and returns the figures by policy and key.
sub compare {
	my ($name, @args) = @_;
	my ($status, $out, $err) = run(@compare, @args);
	my $result = eval { JSON::PP::decode_json($out) } || [];

	ok($status == 0 && @$result, $name) or diag("exit status $status\n$out$err");
	return { map { $_->{policy} => $_->{figures} } @$result };
}

# Each of the conditions "KEY WORD" is true of the policy's figures.
sub figures_are {
	my ($figures, @conditions) = @_;

	for (@conditions) {
		my ($key, $word) = split;
		is($figures->{$key}{differs}, $word, "$key: $word") or diag(JSON::PP->new->canonical->encode($figures));
	}
}

# A block of memory with small pages. One page of it turns private and shared again and again, and the guest uses
# others: each time the block is uniform again, thp_recover has them mapped anew.
sub write_ping_pong {
	open my $out, '>', shift or die "a recording: $!";
	my $line = sub { print $out "CPU 0/KVM 1 [000] 1.000000: kvm:@_\n" };
	my $touch = sub {
		$line->(sprintf 'kvm_stage2_fault: vm_id 1 vcpu 0 gpa %#x error_code 0x6 ret 5', (WORK_GFN + $_) << 12)
			for 0 .. USED_PAGES - 1;
	};

	$touch->();
	for (1 .. FLIPS) {
		for my $states ('0 -> 0x8', '0x8 -> 0') {
			$line->(sprintf 'kvm_memattr_convert: vm_id 1 gfns [%#x, %#x) attributes %s ret 0 ',
				WORK_GFN + BLOCK_PAGES - 1, WORK_GFN + BLOCK_PAGES, $states);
			$touch->();
		}
	}
	close $out or die "a recording: $!";
}

sub test_loads {
	my $helps = compare('a walk', 'none', 'faultaround max_pages=64', '--guest', '--scenario boot-accept --mem 4');
	figures_are($helps->{'faultaround max_pages=64'}, 'faults less', 'exits less', 'ahead_pages more', 'conversions same');
	cmp_ok($helps->{'faultaround max_pages=64'}{faults}{max} * 4, '<', $helps->{none}{faults}{min},
	       'faultaround saves three quarters of the faults');

	my $nothing = compare('random pages', 'none', 'faultaround max_pages=64', '--svg', '/tmp/bars.svg',
			      '--guest', '--scenario sparse --mem 16 --count 60');
	figures_are($nothing->{'faultaround max_pages=64'}, 'faults same', 'ahead_pages same', 'zapped_pages same');
	is($nothing->{none}{instructions}, undef, 'what cannot be counted is null');
	like(read_file('/tmp/bars.svg'), qr{^<svg .*FAULTS.*>faultaround max_pages=64<.*</svg>\n\z}s, 'bars');

	write_ping_pong('/tmp/ping-pong');
	my $harms = compare('ping-pong in a block', 'none', 'thp_recover',
			    '--guest', '--no-thp --replay-speed 0 --replay /tmp/ping-pong');
	is($harms->{none}{huge_mappings}{max}, 0, 'small pages stay small');
	figures_are($harms->{thp_recover}, 'faults more', 'zapped_pages more', 'conversions same');
	cmp_ok($harms->{thp_recover}{faults}{min}, '>=', $harms->{none}{faults}{max} + FLIPS * (USED_PAGES - 1),
	       'thp_recover costs the faults of all used pages');
}

sub test_text {
	my ($status, $out, $err) = run($policy, qw(compare --repeat 2 none), 'ratelimit rate=2 burst=1', '--guest',
				       '--scenario churn --mem 1 --count 4');
	is($status, 0, 'as text') or diag($err);
	like($out, qr/^POLICY +EXITS .* INSTRUCTIONS *\nnone .* ±0 .* n\/a *\nratelimit rate=2 burst=1 .* [1-9]\d* ±\d+ \+ /,
	     'a line for each policy, with a mark where it differs');
	like($out, qr/^medians of 2 runs; .* than with 'none'/m, 'says what the marks mean');
}

# What governs the VM: name, link and calls.
sub state_of {
	my $vm = shift;
	my ($status, $out) = run($policy, qw(show --json --pid), $vm->{pid});
	return (eval { JSON::PP::decode_json($out) } || [{}])->[0];
}

sub is_back {
	my ($name, $vm, $before) = @_;
	my $state = state_of($vm);

	is(join(' ', map { $_ // 'none' } @$state{qw(policy link_id budget_us)}),
	   join(' ', @$before{qw(policy link_id)}, BUDGET_US), "$name: the policy from before is in force, by the same link");
}

# Waits for a policy on the VM.
sub wait_for_policy {
	my ($vm, $policy) = @_;
	my $end = time + PATIENCE_S;

	while ((state_of($vm)->{policy} // '') ne $policy) {
		return 0 if time > $end;
	}
	return 1;
}

sub test_running_vm {
	my $vm = start_guest(qw(--scenario ping-pong --duration 10000));

	go_guest($vm);
	my $alone = compare('a VM without a policy', 'none', 'template', '--seconds', 1, '--pid', $vm->{pid});
	cmp_ok($alone->{none}{conversions}{min}, '>', 0, 'it converts');
	is($alone->{template}{memory_bytes}, undef, 'its memory is not known');
	is(state_of($vm)->{policy}, undef, 'no policy is left');
	kill_compare('template', $vm, undef);

	my $loader = load_policy('ratelimit', '--pid', $vm->{pid}, qw(rate=500000 --budget-us), BUDGET_US);
	my $before = state_of($vm);
	is($before->{policy}, 'ratelimit', 'a policy is in force');
	my $governed = compare('a VM with a policy', 'current', 'template', 'ratelimit rate=20 burst=1', '--seconds', 1,
			       '--pid', $vm->{pid});
	figures_are($governed->{'ratelimit rate=20 burst=1'}, 'refused more', 'conversions less');
	is_back('after the end', $vm, $before);
	fails_with('nothing is without a policy then', 5, qr/is under ratelimit.*\n.*compare with 'current'/, @compare, 'none',
		   '--seconds', 1, '--pid', $vm->{pid});
	is_back('after an error', $vm, $before);
	kill_compare('template', $vm, $before);
	interrupt_compare('template', $vm, $before);
	kill_guard('template', $vm, $before);
	is(stop($loader, 'INT'), 0, 'the loader has noticed nothing');
	like($loader->{text}, qr/^ratelimit: detached from VM/m, 'it detaches its own policy');
	end_vm('template', $vm);
}

# kill -9 in the middle: nobody can clean up, and yet what was there comes back.
sub kill_compare {
	my ($policy_name, $vm, $before) = @_;
	my $running = start(@compare, $policy_name, '--seconds', 1000, '--pid', $vm->{pid});

	ok(wait_for_policy($vm, $policy_name), 'the policy to be compared is in force');
	is(stop($running, 'KILL'), 128 + 9, 'kill -9');
	if ($before) {
		ok(wait_for_policy($vm, $before->{policy}), 'the other one comes back');
		is_back('after kill -9', $vm, $before);
	} else {
		ok(wait_for_policy($vm, ''), 'no policy is left after kill -9');
	}
}

sub interrupt_compare {
	my ($policy_name, $vm, $before) = @_;
	my $running = start(@compare, $policy_name, '--seconds', 1000, '--pid', $vm->{pid});

	ok(wait_for_policy($vm, $policy_name), 'again the policy to be compared is in force');
	is(stop($running, 'INT'), 1, 'SIGINT ends it');
	like($running->{said}, qr/interrupted: there is nothing to compare/, 'it says so');
	is_back('after SIGINT', $vm, $before);
}

sub children_of {
	my $parent = shift;
	# "PID (NAME) STATE PARENT ..."
	return grep { read_file("/proc/$_/stat") =~ /\) \S $parent / } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# The process that is to put the policy back is killed: compare does it.
sub kill_guard {
	my ($policy_name, $vm, $before) = @_;
	my $running = start(@compare, $policy_name, '--seconds', 1000, '--pid', $vm->{pid});

	ok(wait_for_policy($vm, $policy_name), 'once more the policy to be compared is in force');
	is(kill('KILL', children_of($running->{pid})), 1, 'what watches over the VM is killed');
	is(stop($running, 'INT'), 1, 'compare is interrupted');
	is_back('after both', $vm, $before);
}

sub end_vm {
	my ($policy_name, $vm) = @_;
	my $running = start(@compare, $policy_name, '--seconds', 1000, '--pid', $vm->{pid});

	ok(wait_for_policy($vm, $policy_name), 'a last time the policy to be compared is in force');
	stop($vm, 'KILL');
	is(stop($running), 11, 'the VM ends');
	like($running->{said}, qr/VM \d+-\d+ \(memattr-guest\) has ended/, 'it says so');
}

sub test_errors {
	fails_with('a policy that does not exist', 6, qr/no policy 'nosuch'/, @compare, 'nosuch', '--guest', '--mem 1');
	fails_with('a wrong parameter', 2, qr/nosuch/, @compare, 'ratelimit nosuch=1', '--guest', '--mem 1');
	fails_with('a guest that does not start', 1, qr/memattr-guest does not start.*mem.*\n.*memattr-guest --help/, @compare, 'none',
		   '--guest', '--mem 0');
	fails_with('too many options for a guest', 1, qr/more than \d+ words/, @compare, 'none', '--guest', '--json ' x 65);
	fails_with('nothing to set', 2, qr/nothing to set/, @compare, 'none a=1', '--guest', '--mem 1');
	fails_with('no name', 2, qr/names no policy/, @compare, ' ', '--guest', '--mem 1');
	fails_with('no place for the bars', 1, qr{/nonexistent/x: No such}, @compare, 'none', '--svg', '/nonexistent/x', '--guest',
		   '--mem 1 --count 2');
	fails_with('a policy that is ejected', 10, qr/no longer in force.*bad-return/, @compare,
		   'build/selftests/policy/fault.bpf.o convert_ret=7', '--guest', '--mem 1 --count 2');
	my $global = load_policy('template', '--all');
	fails_with('none, under the policy for all VMs', 5, qr/is under template.*\n.*detach --all/, @compare, 'none', '--guest',
		   '--mem 1 --count 2');
	compare('what there is', 'current', '--guest', '--mem 1 --count 2');
	stop($global, 'INT');
}

# Needs no VM.
sub test_usage {
	fails_with("compare @$_[0]: says what is wrong", 2, $_->[1], $policy, 'compare', split ' ', $_->[0])
		for ['', qr/POLICY is missing/], ['none', qr/give --guest, or else --pid/],
		    ['none --guest x --id 1', qr/give --guest, or else --pid/], ['none --repeat 0 --pid 1', qr/--repeat/],
		    ['none --guest x --seconds 5', qr/runs to its end/];
}

sub test_all {
	test_loads();
	test_text();
	test_running_vm();
	test_errors();
}

run_parts(LIMIT_S, { all => \&test_all }, sub {
	my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';

	test_usage();
	in_vm('all', $kernel, LIMIT_S);
});
