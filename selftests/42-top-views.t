#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# The figures of memattr-top's views against what the guest, its VMM and KVM count themselves. This script runs itself
# again inside the test VMs.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use List::Util qw(sum0);
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TOP = 'build/bin/memattr-top';

# On a loaded machine everything that runs in one VM takes less; only a failure waits this long.
use constant PART_S => 300;

# A policy may take as long as a busy machine stands still, and yet a part of it can be told.
use constant BUDGET_US => 10_000_000;

# Runs a guest to its end under memattr-top: what the last interval says of its VM, and what the guest says.
sub watch {
	my ($guest, @options) = @_;
	my $top = start($TOP, qw(-j --totals -d 600), @options);
	close $top->{in};
	# The tool prints its hooks when it counts.
	while (($top->{said} .= readline($top->{err}) // last) !~ /statistics: /) {}
	go_guest($guest);
	stop($guest);
	is(stop($top, 'INT'), 0, 'memattr-top ends with 0');
	like($top->{said}, qr/lost: 0 events; /, 'nothing is lost');
	my ($vm) = @{ (eval { decode_json($top->{text}) } // {})->{vms} // [] };
	my $said = eval { decode_json($guest->{text}) };
	ok($vm && $said, 'both say what they have counted') or diag($top->{text}, $top->{said}, $guest->{text});
	return ($vm // {}, $said // {});
}

sub total {
	my ($figure, @parts) = @_;
	return sum0(map { $_->{$figure} // 0 } @parts);
}

# The number of exits for one reason.
sub exits_for {
	my ($vm, $reason) = @_;
	return total('exits', grep { $_->{reason} eq $reason } @{ $vm->{reasons} });
}

# Each exit is of one vCPU and has one reason, and each return to userspace has one.
sub exits {
	my ($vm, $said) = @_;
	my @user = grep { $_->{reason} =~ /^user:/ } @{ $vm->{reasons} };
	my @hardware = grep { $_->{reason} !~ /^user:/ } @{ $vm->{reasons} };
	is($vm->{exits}, $said->{exits}, 'exits');
	is(join(' ', map { $_->{vcpu} } @{ $vm->{vcpus} }), join(' ', 0 .. $said->{vcpus} - 1), 'a row for each vCPU');
	is(total('exits', @{ $vm->{vcpus} }), $said->{exits}, 'exits of all vCPUs');
	is(total('exits', @hardware), $said->{exits}, 'exits for all reasons');
	is(exits_for($vm, 'npf'), $said->{stage2_faults}, 'exits for stage-2 faults');
	# The guest asks for each conversion by a hypercall.
	is(exits_for($vm, 'hypercall'), $said->{asked}, 'hypercalls');
	is(exits_for($vm, 'user:hypercall'), $said->{asked}, 'and each goes to userspace');
	is(total('exits', @user), $said->{kvm_run_returns}, 'all returns to userspace');
	is(total('time_ns', @hardware), total('time_ns', @{ $vm->{vcpus} }), 'the time by reason is that by vCPU');
	cmp_ok(abs(total('share_percent', @hardware) - 100), '<', 0.01, 'the shares make 100 %');
	ok(!(grep { !$_->{p50_ns} || $_->{p50_ns} > $_->{p99_ns} } @hardware) && @hardware, 'percentiles');
	ok(!(grep { defined $_->{time_ns} } @user) && @user, 'returns to userspace have no time: it is the exit\'s');
}

sub faults {
	my ($vm, $said) = @_;
	my @faults = @{ $vm->{faults} };
	is(total('faults', @faults), $said->{stage2_faults}, 'stage-2 faults of all kinds');
	is(total('faults', grep { $_->{alias} eq 'private' && $_->{level} eq '4K' } @faults), $said->{converted_pages},
	   'each page is accessed after it turned private');
	cmp_ok(total('faults', grep { $_->{alias} eq 'shared' } @faults), '>', 0, 'and others are shared');
}

sub exact {
	my ($vm, $said) = watch(start_guest('--name', 'exact', qw(--scenario churn --count 300 --vcpus 2)));
	exits($vm, $said);
	return ($vm, $said);
}

# --- against KVM's own statistics, of a VM that stands still ---

sub stat_of {
	my ($guest, $name) = @_;
	my ($file) = glob "/sys/kernel/debug/kvm/$guest->{pid}-*/$name";
	my $text = defined $file ? read_file($file) : '';
	return $text =~ /^(\d+)$/ ? $1 : "no $name";
}

# Stops a guest in the midst of its work, when each of the statistics in %$grow has grown by so much: what memattr-top
# has counted, and what KVM has in these and in @others since, and in all.
# @$policy is a policy and its parameters.
sub freeze {
	my ($guest, $policy, $grow, @others) = @_;
	my @names = (keys %$grow, @others);
	my ($file, @parameters) = @{ $policy // [] };
	my %begin = map { $_ => stat_of($guest, $_) } @names;
	my $top = start($TOP, qw(-j --totals -d 600));
	close $top->{in};
	while (($top->{said} .= readline($top->{err}) // last) !~ /statistics: /) {}
	my $loader = $file && load_policy($file, '--pid', $guest->{pid}, '--budget-us', BUDGET_US, @parameters);
	go_guest($guest);
	while (grep { stat_of($guest, $_) < $begin{$_} + $grow->{$_} } keys %$grow) {
		select undef, undef, undef, 0.1;
	}
	halt($guest->{pid});
	my %stat = map { $_ => stat_of($guest, $_) } @names;
	my %all = %stat;
	$stat{$_} -= $begin{$_} for @names;
	stop($top, 'INT');
	kill KILL => $guest->{pid};
	waitpid $guest->{pid}, 0;
	$loader and stop($loader, 'TERM');
	my ($vm) = @{ (eval { decode_json($top->{text}) } // {})->{vms} // [] };
	return ($vm // {}, \%stat, \%all);
}

sub statistics {
	my ($vm, $stat, $all) = freeze(start_guest(qw(--name ahead --scenario churn --duration 1000 --vcpus 2)),
				 ['build/bpf/thp_recover.bpf.o'],
				 { map { $_ => 100 } qw(memattr_zapped_pages memattr_policy_calls memattr_pages_private
				   memattr_pages_shared) }, qw(memattr_widened_pages memattr_policy_ns));
	is($vm->{priv_pg}, $all->{memattr_pages_private} - $all->{memattr_pages_shared}, 'pages that are private now');
	cmp_ok($vm->{priv_pg}, '>', 0, 'there are some');
	cmp_ok($vm->{zap_pg}, '>', 0, 'pages were unmapped');
	is($vm->{zap_pg}, $stat->{memattr_zapped_pages}, 'as many as KVM counts');
	is($vm->{widen_pg}, $stat->{memattr_widened_pages}, 'and as many of these were added by the policy');
	cmp_ok($vm->{calls}, '>', 0, 'the policy decides');
	is($vm->{calls}, $stat->{memattr_policy_calls}, 'as often as KVM counts');
	is($vm->{call_time_ns}, int($stat->{memattr_policy_ns} / $stat->{memattr_policy_calls}), 'the time of a decision');
	ok($vm->{budget_percent} > 0 && $vm->{budget_percent} < 100, 'and its part of the budget');
}

sub refusals {
	my ($vm, $stat) = freeze(start_guest(qw(--name refused --scenario ping-pong --duration 1000)),
				 [qw(build/bpf/ratelimit.bpf.o rate=10 burst=1)], { memattr_refused => 20 });
	cmp_ok($vm->{refused}, '>', 0, 'the policy refuses');
	is($vm->{refused}, $stat->{memattr_refused}, 'as often as KVM counts');
}

# The first access maps a huge page, and the conversion of it takes it away.
sub huge {
	my ($vm, $stat) = freeze(start_guest(qw(--name huge --scenario ping-pong --chunk 2M --thp --duration 1000)), undef,
				 { memattr_pages_private => 1024, memattr_pages_shared => 1024 }, qw(pages_2m pages_1g));
	is($vm->{huge}, $stat->{pages_2m} + $stat->{pages_1g}, 'huge pages that are mapped');
	is($vm->{huge_new} - $vm->{huge_lost}, $vm->{huge}, 'those that were mapped, without those that were lost');
	is($vm->{huge_new}, total('faults', grep { $_->{level} =~ /^(?:2M|1G)$/ } @{ $vm->{faults} }),
	   'each was mapped by a fault');
	cmp_ok($vm->{huge_new}, '>', 0, 'there were some');
}

# The guest's first accesses map huge pages of its guest_memfd, and its conversions split them.
sub gmem_huge {
	my ($vm, $stat) = freeze(start_guest(qw(--in-place --name huge --scenario churn --duration 1000)), undef,
				 { gmem_huge_allocated => 1, gmem_huge_splits => 10 }, qw(gmem_huge_refused gmem_huge_declined));
	is("@$vm{qw(blocks no_block declined split)}", "@$stat{qw(gmem_huge_allocated gmem_huge_refused gmem_huge_declined
	   gmem_huge_splits)}", 'blocks of guest_memfd and splits, as KVM counts them');
	cmp_ok($vm->{blocks}, '>', 0, 'there are contiguous blocks');
	cmp_ok($vm->{split}, '>', 0, 'and huge pages that were split');
	cmp_ok($vm->{huge_lost}, '>=', $vm->{split}, 'they are among those that were lost');
}

# --- conversions: which way, and there and back ---

# Each vCPU flips one chunk; a guest that boots goes one way.
sub to_and_fro {
	my ($way, @mode) = @_;
	my ($vm, $said) = watch(start_guest(@mode, qw(--name flip --scenario ping-pong --count 200)));
	is($vm->{undone}, $said->{conversions} - 1, 'each conversion but the first undoes one');
	is("$vm->{by_ioctl} $vm->{by_gmem}", $way eq 'by_ioctl' ? "$said->{conversions} 0" : "0 $said->{conversions}",
	   "all of them $way");
	($vm, $said) = watch(start_guest(@mode, qw(--name accept --scenario boot-accept --mem 16)));
	ok($said->{conversions}, 'a guest accepts its memory');
	is($vm->{$way}, $said->{conversions}, "$way, too");
	is($vm->{undone}, 0, 'and nothing is undone');
}

# --- a VM that is older than memattr-top ---

# Its first event is a conversion, of which KVM's statistics tell before it.
sub first_conversion {
	my $vm = start('build/selftests/policy/vmsh');
	$vm->{in}->autoflush(1);
	readline $vm->{out};
	my $loader = load_policy('build/bpf/seal.bpf.o', '--pid', $vm->{pid}, '--budget-us', BUDGET_US);
	my @cases = (['private 0x1000 16', 'ok', '1 0 16'], ['shared 0x1000 4', 'EPERM', '1 1 0'],
		     ['private 0x1100 4', 'ok', '1 0 4']);
	for my $case (@cases) {
		my ($command, $answer, $counted) = @$case;
		my $top = start($TOP, qw(-j --totals -d 600));
		close $top->{in};
		while (($top->{said} .= readline($top->{err}) // last) !~ /statistics: /) {}
		my $begin_ns = stat_of($vm, 'memattr_policy_ns');
		print { $vm->{in} } "$command\n";
		is(readline($vm->{out}), "$answer\n", "the first event since the start: $command");
		my $policy_ns = stat_of($vm, 'memattr_policy_ns') - $begin_ns;
		stop($top, 'INT');
		my ($of_vm) = grep { $_->{pid} == $vm->{pid} } @{ (eval { decode_json($top->{text}) } // {})->{vms} // [] };
		is(join(' ', @{ $of_vm // {} }{qw(calls refused zap_pg)}), $counted, 'calls, refusals and zaps of it alone');
		is($of_vm->{call_time_ns}, $policy_ns, 'and its time');
	}
	close $vm->{in};
	stop($vm);
	stop($loader, 'TERM');
}

# --- the memory that guest_memfd holds ---

my $WALK = 'build/selftests/policy/walk';

# A VM by hand with 16 MiB.
sub start_walk {
	my $vm = start($WALK, 4096);
	$vm->{in}->autoflush(1);
	like(readline($vm->{out}) // '', qr/^vms \d+$/, 'a VM by hand');
	return $vm;
}

# What memattr-top says of a VM, in pages, after commands: "HELD PRIVATE".
sub held {
	my ($vm, @commands) = @_;
	my $top = start($TOP, qw(-j --totals -d 600));
	close $top->{in};
	while (($top->{said} .= readline($top->{err}) // last) !~ /statistics: /) {}
	for (@commands) {
		print { $vm->{in} } "$_\n";
		my $answer = readline($vm->{out}) // '';
		like($answer, qr/^(?:ok|\d+ \d+ \d+)$/, "the VM: $_");
	}
	stop($top, 'INT');
	my ($of_vm) = grep { $_->{pid} == $vm->{pid} } @{ (eval { decode_json($top->{text}) } // {})->{vms} // [] };
	return join ' ', map { defined $_ ? $_ / 4096 : 'n/a' } @{ $of_vm // {} }{qw(gmem_bytes gmem_priv_bytes)};
}

# With two backings, what guest_memfd holds and is not private is held twice.
sub held_memory {
	my $private = shift;
	my $vm = start_walk();
	is(held($vm, 'private 0 512', 'write 0 300'), $private ? '300 300' : '300 n/a', 'pages that the guest has touched');
	is(held($vm, 'write 0 512', 'allocate 2000 50'), $private ? '562 512' : '562 n/a', 'and those that the VMM allocated');
	is(held($vm, 'shared 0 512', 'private 0 10', 'split 1000', 'write 0 20'), $private ? '562 10' : '562 n/a',
	   'a conversion frees nothing, and two memslots hold their file once');
	is(held($vm, 'punch 0 512', 'read 0 1'), $private ? '51 10' : '51 n/a', 'a hole does');
	close $vm->{in};
	stop($vm);
}

# In place, all of it is held once, and only a part of it is private.
sub held_in_place {
	my $vm = start_walk();
	is(held($vm, 'write 0 300', 'read 0 1'), '300 0', 'in place: shared memory is held, too');
	is(held($vm, 'private 100 100', 'read 100 10'), '300 100', 'what of it turned private');
	close $vm->{in};
	stop($vm);
}

# --- what nobody looks at ---

# Programs that count what the first view does not show are not attached.
sub first_view_alone {
	my $guest = start_guest(qw(--name alone --scenario churn --count 300));
	my $top = start($TOP, qw(-b --totals -d 600));
	close $top->{in};
	readline $top->{out};
	my $enabled = read_file('/sys/kernel/tracing/enabled_functions');
	like($enabled, qr/^kvm_arch_destroy_vm /m, 'the end of a VM is noticed');
	unlike($enabled, qr/^kvm_arch_vcpu_ioctl_run /m, 'returns to userspace are not');
	go_guest($guest);
	stop($guest);
	stop($top, 'INT');
	my $said = eval { decode_json($guest->{text}) } // {};
	my ($runs) = $top->{said} =~ /in (\d+) BPF runs/;
	my $events = $said->{exits} + $said->{conversions};
	# One is the VM's end; the others read its statistics.
	ok($runs > $events && $runs < $events + 10, 'one run for each exit and conversion') or
		diag("$runs runs, $events events");
}

# --- kernels that lack something ---

# The machine decides whether a VM is in a cgroup or a container.
sub nulls {
	my $object = shift;
	return join ' ', sort grep { !defined $object->{$_} && !/^c(?:group|ontainer)$/ } keys %$object;
}

sub not_available {
	my ($vm) = @_;
	# A VM that is in none has none.
	delete @$vm{qw(cgroup container)};
	is(nulls($vm), join(' ', sort qw(req_pg denied p50_ns p99_ns policy held failed left noop widen_pg priv_pg zap_time_ns
		zap_p50_ns zap_p99_ns huge_lost huge_new calls call_time_ns budget_percent refused host_refused ahead_pg
		unused_pg ejected gmem_priv_bytes undone by_ioctl by_gmem split blocks no_block declined)), 'what is n/a of the VM, and only that');
	is(join('; ', map { nulls($_) } @{ $vm->{vcpus} }), '; ', 'nothing of vCPUs');
	is(join('; ', map { nulls($_) } grep { $_->{reason} !~ /^user/ } @{ $vm->{reasons} }), '; ; ; ',
	   'nothing of four reasons');
	my %faults = map { (nulls($_) => 1) } @{ $vm->{faults} };
	is(join('; ', keys %faults), 'ahead_new ahead_pg late', 'of faults, what was mapped ahead');
}

# Without fentry nothing tells of returns to userspace, but the rest of the view goes on.
sub no_fentry {
	write_file('/proc/sys/kernel/ftrace_enabled', 0);
	my ($vm, $said) = watch(start_guest(qw(--name none --scenario churn --count 20)));
	is(total('exits', @{ $vm->{vcpus} }), $said->{exits}, 'no fentry: exits of all vCPUs');
	is(join(' ', grep { /^user/ } map { $_->{reason} } @{ $vm->{reasons} }), '', 'no returns to userspace');
	is(scalar @{ $vm->{faults} }, 0, 'no faults');
	write_file('/proc/sys/kernel/ftrace_enabled', 1);
}

my %parts = (
	'views on the patched kernel' => sub {
		my ($vm, $said) = exact();
		faults($vm, $said);
		is($vm->{zap_pg}, $said->{converted_pages}, 'pages that were unmapped');
		is($vm->{zaps}, $said->{conversions}, 'by one zap for each conversion');
		ok($vm->{zap_time_ns} > 0 && $vm->{zap_p50_ns} <= $vm->{zap_p99_ns}, 'and the time that it took');
		statistics();
		refusals();
		huge();
		to_and_fro('by_ioctl');
		first_conversion();
		held_memory(1);
		first_view_alone();
	},
	'views on the stock kernel' => sub {
		my ($vm, $said) = exact();
		faults($vm, $said);
		not_available($vm);
		held_memory(0);
		no_fentry();
	},
	'views in place' => sub {
		held_in_place();
		to_and_fro('by_gmem', '--in-place');
	},
	'views of hugepages' => \&gmem_huge,
);

run_parts(PART_S, \%parts, sub {
	in_vm('views on the stock kernel', 'stock', PART_S);
	in_vm('views on the patched kernel', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
	in_vm('views in place', [$ENV{MEMATTR_KERNEL} // 'patched', '--append', 'kvm.gmem_in_place_conversion=1'], PART_S);
	in_vm('views of hugepages', [$ENV{MEMATTR_KERNEL} // 'patched', '--append',
				     'kvm.gmem_huge_pages=always kvm.gmem_in_place_conversion=1'], PART_S);
});
