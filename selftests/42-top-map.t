#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-top's views of chains and of a VM's memory: chains against what the kernel's own trace says, page by
# page; the map against a VM by hand, with real keys and a mouse in a real terminal (tmux). This script runs itself
# again inside the test VMs.
use strict;
use warnings;
# Addresses have more than 32 bits.
no warnings 'portable';
use FindBin;
use JSON::PP;
use List::Util qw(min sum0);
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TOP = 'build/bin/memattr-top';
my $VMSH = 'build/selftests/policy/vmsh';
my $TRACING = '/sys/kernel/tracing';

# On a loaded machine everything that runs in one VM takes less; only a failure waits this long.
use constant PART_S => 300;

# As the kernel of the series numbers the results of faults that end with the page mapped.
my %MAPPED = map { $_ => 1 } 5, 6;

# --- chains, as the kernel's trace has them ---

sub start_trace {
	my @events = @_;
	run('mount', '-t', 'tracefs', 'tracefs', $TRACING) unless -e "$TRACING/trace";
	write_file("$TRACING/buffer_size_kb", 32768);
	write_file("$TRACING/trace_clock", 'mono');
	write_file("$TRACING/events/kvm/$_/enable", 1) for @events;
	write_file("$TRACING/trace", '');
}

# Returns its events, each with the task's number and a hash of its values, in the order of time.
sub end_trace {
	my @events;
	write_file("$TRACING/events/kvm/enable", 0);
	for (split /\n/, read_file("$TRACING/trace")) {
		my ($task, $time, $event, $rest) = /^.*-(\d+) +\[\d+\] .*? (\d+\.\d+): (kvm_\w+): (.*)$/ or next;
		$rest =~ s/ -> 0x\w+//;
		my %value = $rest =~ /(\w+) (-?\w+)(?= |$)/g;
		@value{qw(gfn_start gfn_end)} = map { hex } $rest =~ /gfns \[0x(\w+), 0x(\w+)\)/ if $rest =~ /gfns/;
		push @events, { task => $task, time => $time, event => $event, %value };
	}
	return sort { $a->{time} <=> $b->{time} } @events;
}

# Says what happens to each conversion: the last one of a page is followed by the next fault on it, but only once.
sub model_of {
	my (%zapped, %last, @conversions);
	for my $event (@_) {
		if ($event->{event} eq 'kvm_memattr_zap') {
			push @{ $zapped{ $event->{task} } }, $event->{gfn_start} .. $event->{gfn_end} - 1;
		} elsif ($event->{event} eq 'kvm_memattr_convert') {
			my $zaps = delete $zapped{ $event->{task} } // [];
			next if $event->{ret} || !$event->{effective};
			push @conversions, $event;
			$last{$_} = $event for $event->{gfn_start} .. $event->{gfn_end} - 1, @$zaps;
		} elsif ($event->{event} eq 'kvm_stage2_fault' && $MAPPED{ $event->{ret} }) {
			my $conversion = $last{ hex($event->{gpa}) >> 12 } or next;
			$conversion->{fault_ns} //= $event->{ns};
		}
	}
	return @conversions;
}

# Comes back when it counts: then it has said which hooks it has.
sub start_counting {
	my $top = start($TOP, qw(-j --totals -d 600));
	close $top->{in};
	while ($top->{said} !~ /zaps/) {
		$top->{said} .= readline($top->{err}) // last;
	}
	return $top;
}

# The chains of a VM in the last interval, by link.
sub chains_of {
	my ($top, $name) = @_;
	my ($line) = reverse split /\n/, $top->{text};
	my $document = decode_json($line // '{}');
	my ($vm) = grep { $_->{name} eq $name } @{ $document->{vms} // [] };
	return ($document, map { $_->{link} => $_ } @{ $vm->{chains} // [] });
}

sub convert_ns {
	return sum0(@{ $_[0] }{qw(lock_ns policy_ns take_ns store_ns)});
}

# Checks the ranges that have cost most: each as the trace has it.
sub worst_ranges_ok {
	my ($document, $name, @conversions) = @_;
	my %range;
	for (@conversions) {
		my $sum = $range{"$_->{gfn_start}-$_->{gfn_end}"} //=
			{ map { $_ => 0 } qw(conversions faults convert zap fault) };
		$sum->{conversions}++;
		$sum->{faults} += defined $_->{fault_ns};
		$sum->{convert} += convert_ns($_);
		$sum->{zap} += $_->{zap_ns};
		$sum->{fault} += $_->{fault_ns} // 0;
	}
	my @worst = @{ $document->{worst_ranges} // [] };
	is(scalar @worst, min(10, scalar keys %range), "$name: ten ranges, or all");
	my @wrong = grep {
		my $sum = $range{join '-', $_->{gpa_start} >> 12, $_->{gpa_end} >> 12};
		!$sum || "@$sum{qw(conversions faults convert zap fault)}" ne
			"@$_{qw(conversions faults convert_ns zap_ns fault_ns)}";
	} @worst;
	is_deeply(\@wrong, [], "$name: each as the trace has it");
	my @costs = map { $_->{exit_ns} + $_->{convert_ns} + $_->{zap_ns} + $_->{fault_ns} } @worst;
	is_deeply(\@costs, [ sort { $b <=> $a } @costs ], "$name: from the highest cost down");
}

# Runs a guest to its end while the tool and the trace look. Returns how many conversions a fault followed.
sub chains_ok {
	my ($name, @options) = @_;
	my $guest = start_guest('--name', $name, @options);
	my $top = start_counting();
	start_trace(qw(kvm_memattr_convert kvm_memattr_zap kvm_stage2_fault));
	go_guest($guest);
	stop($guest);
	my $counted = decode_json($guest->{text});
	stop($top, 'INT');
	my @conversions = model_of(end_trace());
	my @followed = grep { defined $_->{fault_ns} } @conversions;
	my ($document, %chain) = chains_of($top, $name);

	is(scalar @conversions, $counted->{conversions}, "$name: the trace has all conversions");
	is($chain{convert}{link_count}, $counted->{conversions}, "$name: conversions as the guest counts them");
	is($chain{exit}{link_count}, $counted->{conversions}, "$name: an exit asked for each");
	is($chain{zap}{link_count}, scalar(grep { $_->{zap_ns} } @conversions), "$name: zaps");
	is($chain{fault}{link_count}, scalar @followed, "$name: conversions that a fault followed");
	is($chain{wait}{link_count}, scalar @followed, "$name: which had to wait for it");
	is($chain{convert}{link_time_ns}, sum0(map { convert_ns($_) } @conversions), "$name: time to convert");
	is($chain{zap}{link_time_ns}, sum0(map { $_->{zap_ns} } @conversions), "$name: time to zap");
	is($chain{fault}{link_time_ns}, sum0(map { $_->{fault_ns} } @followed), "$name: time of the faults");
	my $share = sum0(map { $_->{link_share_percent} // 0 } values %chain);
	ok(abs($share - 100) < 0.01, "$name: the shares make 100 %") or diag($share);
	is($document->{lost_events}, 0, "$name: nothing is lost");
	worst_ranges_ok($document, $name, @conversions);
	return ($counted->{conversions}, scalar @followed);
}

sub chains {
	my ($conversions, $followed) = chains_ok('churn', qw(--scenario churn --mem 8 --count 300 --vcpus 2));
	cmp_ok($followed, '>', $conversions / 2, 'most conversions are followed by a fault');
	chains_ok('ping-pong', qw(--scenario ping-pong --mem 1 --count 200));
	chains_ok('sparse', qw(--scenario sparse --mem 1 --count 300 --vcpus 2));
	# No chunk is a power of two, nor aligned to its size.
	chains_ok('odd', qw(--scenario sweep --mem 7 --chunk 28K));
}

# A policy that widens zaps makes the guest fault where nothing was converted.
sub widened {
	my $guest = start_guest(qw(--name wide --scenario churn --mem 4 --count 60));
	my $loader = load_policy('build/selftests/policy/fault.bpf.o', '--pid', $guest->{pid}, 'zap_end_add=4');
	my $top = start_counting();
	start_trace(qw(kvm_memattr_convert kvm_memattr_zap kvm_stage2_fault));
	go_guest($guest);
	stop($guest);
	stop($top, 'INT');
	stop($loader, 'INT');
	my @events = end_trace();
	my @followed = grep { defined $_->{fault_ns} } model_of(@events);
	my ($document, %chain) = chains_of($top, 'wide');
	ok((grep { $_->{event} eq 'kvm_memattr_zap' && $_->{gfn_end} - $_->{gfn_start} > 4 } @events), 'zaps are widened');
	is($chain{fault}{link_count}, scalar @followed, 'the faults that follow count for the conversion');
}

# --- the map ---

sub start_vm {
	my $vm = start($VMSH);
	$vm->{in}->autoflush(1);
	readline $vm->{out};
	return $vm;
}

sub vm_ok {
	my ($vm, $command) = @_;
	print { $vm->{in} } "$command\n";
	is(readline($vm->{out}), "ok\n", "the VM: $command");
}

sub end_vm {
	my $vm = shift;
	close $vm->{in};
	is(stop($vm), 0, 'the VM ends');
}

# Nobody asked for these conversions, and nobody faults after them.
sub lone_conversions {
	my $vm = start_vm();
	my $top = start_counting();
	vm_ok($vm, $_) for 'private 0x1003 0x155', 'private 0x1003 0x155', 'shared 0x1010 1';
	stop($top, 'INT');
	my ($document, %chain) = chains_of($top, 'vmsh');
	is(join(' ', map { "$_ $chain{$_}{link_count}" } qw(exit convert zap wait fault)),
	   'exit 0 convert 2 zap 2 wait 0 fault 0', 'two conversions that changed something, and no more');
	end_vm($vm);
}

sub start_map {
	start_on_screen(qr/EXITS|ended/, 80, 24, $TOP, '-d 0.2', @_);
	press('8');
}

sub map_of_vm {
	my $vm = start_vm();
	# The memslot has gfns 0x1000 to 0x1fff.
	vm_ok($vm, 'private 0x1000 0x200');
	start_map('--record', '/tmp/map.record');
	see(qr/memory of 1 VM.*had no event/s, '8: the map, which waits for an event');
	vm_ok($vm, 'private 0x1800 0x200');
	see(qr/^0x0 +\.{64}$/m, 'nothing is below the memslot');
	see(qr/^0x1000000 +p{64}$/m, 'what was private before: no capital');
	see(qr/^0x1200000 +s{64}$/m, 'the rest is shared');
	vm_ok($vm, 'private 0x1400 4');
	see(qr/^0x1400000 +Ms*Ss*|^0x1400000 +MS{63}$/m, 'a part of a cell: mixed, and its block has changed');
	vm_ok($vm, 'shared 0x1000 0x200');
	see(qr/^0x1000000 +S{64}$/m, 'a conversion is seen');
	press('n');
	see(qr/^0x1000000 +S{64}\n.*^cell 16K /msi, 'n: the memslot, as large as fits');
	see(qr/^0x1400000 +PS/mi, 'the cells are smaller: no longer mixed');
	press('z', 'z');
	see(qr/^cell 4K /m, 'z: zooms in');
	see(qr/^0x1000000 \+4K: shared; run 0x1000000 \+4M, memslot 0$/m, 'the cursor, in words');
	see(qr/^1 conversion, the last \d+\.\d s ago to shared; 0 faults$/m, 'and what happened there');
	press('Z', 'Z', 'Z');
	see(qr/^cell 32K /m, 'Z: zooms out');
	return $vm;
}

# The same as a list of runs.
sub listed_map {
	my $vm = start_vm();
	my $top = start($TOP, qw(-j -d 0.2 --view map -p), $vm->{pid});
	close $top->{in};
	# From the first interval on, it counts.
	readline $top->{out};
	vm_ok($vm, "private 0x1000 $_") for 0x100, 0x200;
	vm_ok($vm, 'shared 0x1010 0x10');
	my ($end, @runs) = (time + PATIENCE_S);
	while (time < $end && @runs != 4) {
		my $document = decode_json(readline($top->{out}) // last);
		@runs = map { join ' ', @$_{qw(gpa_start gpa_end kind memslot)} } @{ ($document->{vms}[0] // {})->{map} // [] };
	}
	is(join('; ', @runs), join('; ', map { join ' ', $_->[0] << 12, $_->[1] << 12, $_->[2], 0 }
	   [0x1000, 0x1010, 'private'], [0x1010, 0x1020, 'shared'], [0x1020, 0x1200, 'private'], [0x1200, 0x2000, 'shared']),
	   'JSON: the map as runs');
	is(stop($top, 'INT'), 0, 'which ends with 0');
	end_vm($vm);
}

sub keys_of_map {
	press('n', 'Down', 'Right');
	see(qr/^0x1104000 \+16K/m, 'arrows: move the cursor');
	press('End');
	see(qr/^0x1ffc000 \+16K/m, 'End: the last page');
	press('Home');
	see(qr/^0x0 \+16K: no memory$/m, 'Home: the first one');
	press('n');
	see(qr/^0x1000000 \+16K/m, 'n: the memslot again');
	my ($y) = grep { (split /\n/, screen())[$_] =~ /^0x1400000 / } 0 .. 23;
	click(0, 16 + 5, $y // 0);
	see(qr/^0x1414000 \+16K: shared; run 0x1404000 \+/m, 'a click: the cell there');
	click(65, 16 + 5, $y // 0);
	see(qr/^0x1514000 \+16K/m, 'the wheel: a line down');
	click(64, 16 + 5, $y // 0);
	see(qr/^0x1414000 \+16K/m, 'and up');
	press('c');
	see(qr/faults\/s/, 'c: the rate of faults');
	see(qr/^0x1400000 +ps/m, 'of which there are none: no capitals');
	press('c');
	see(qr/changed <30 s/, 'c: the age again');
}

sub replayed_map {
	press('Escape');
	see(qr/EXITS/, 'Esc: back to the VMs');
	press('8');
	see(qr/^0x1400000 +[PM]/mi, 'the map again');
	press('-');
	see(qr/^cell 32K/m, '-: as at first');
	my $rows = sub { lc(($_[0] =~ /^(0x1000000 .*0x1400000 [^\n]*)/ms)[0] // 'nothing') };
	my $before = $rows->(screen());
	press('q');
	see_end('q: ends');
	start_on_screen(qr/END OF RECORD/, 80, 24, $TOP, '-d 0.1 --view map --replay /tmp/map.record');
	ok($before =~ /^0x1000000/ && comes(sub { $rows->($_[0]) eq $before }),
	   'a record has the same map, without the runs that went') or diag($before, "\n", screen());
	unlike(screen(), qr/n\/a;/, 'and what happened there');
	press('q');
	see_end('q: ends');
}

# The map of a guest that runs: what it counts is on the map.
sub map_of_guest {
	my @mode = @_;
	# So small that each cell's turn comes soon.
	my $guest = start_guest(qw(--name busy --scenario churn --mem 4 --rate 100 --duration 1000), @mode);
	go_guest($guest);
	start_map();
	see(qr/^0x0 +s\.*$/m, 'the map of a guest');
	press('n', 'n');
	see(qr/^0x100000000 +[PM]/m, 'a guest converts');
	see(qr/^\d+ conversions, the last \d+\.\d s ago to \w+; [1-9]\d* faults, mapped 4K$/m, 'and faults');
	resize(140, 40);
	see(qr/^0x100000000 +[pPsSmM.]{64}$/m, '140x40: as many cells');
	resize(150, 40);
	see(qr/^0x100000000 +[pPsSmM.]{128}$/m, '150x40: twice as many');
	resize(20, 6);
	resize(80, 24);
	see(qr/^0x100000000 +[pPsSmM.]{64}$/m, '20x6 and back');
	kill TERM => $guest->{pid};
	stop($guest);
	see(qr/no VM is running/, 'it ends: says so');
	press('q');
	see_end('q: ends');
}

# --- what is not there ---

# BPF objects of the host.
sub objects {
	my $kind = shift;
	my $bpftool = read_file('build/deps.mk') =~ /^BPFTOOL *:?= *(.*)$/m ? $1 : 'bpftool';
	return @{ decode_json((run($bpftool, '-j', $kind, 'list'))[1] || '[]') };
}

sub counts_of_objects {
	return join ' ', map { my $kind = $_; "$kind " . scalar(my @all = objects($kind)) } qw(prog map link);
}

# Nothing that it could do about it is left to a tool that is killed.
sub killed {
	my $guest = start_guest(qw(--name killed --scenario churn --mem 8 --rate 100 --duration 1000));
	my $before = counts_of_objects();
	go_guest($guest);
	for (['9', qr/ killed +fault +[1-9]/, 'chains'], ['8', qr/^0x100000000 +[PM]/m, 'the map']) {
		my ($key, $seen, $name) = @$_;
		start_on_screen(qr/EXITS/, 80, 24, $TOP, '-d 0.2');
		press($key);
		press('n', 'n') if $key eq '8';
		see($seen, "$name, of a guest that converts");
		isnt(counts_of_objects(), $before, 'takes BPF objects');
		my ($pid) = (run('pgrep', '-x', 'memattr-top'))[1] =~ /^(\d+)$/;
		kill KILL => $pid // die 'no memattr-top';
		# The kernel frees them some time after their last user has gone.
		my ($end, $after) = (time + PATIENCE_S, '');
		while (($after = counts_of_objects()) ne $before && time < $end) {
			select undef, undef, undef, 0.1;
		}
		is($after, $before, 'and nothing of it is left when it is killed');
	}
	kill TERM => $guest->{pid};
	stop($guest);
}

# Somebody sets the clock: intervals are as long as before.
sub clock_steps {
	my $top = start($TOP, qw(-j -d 0.5));
	close $top->{in};
	my @documents = map { decode_json(readline($top->{out}) // '{}') } 1 .. 2;
	for my $step ('+1 hour', '-2 hours') {
		my $from = $documents[-1]{time};
		run('date', '-s', $step);
		my $sign = $step =~ /^\+/ ? 1 : -1;
		while (defined(my $line = readline($top->{out}))) {
			push @documents, decode_json($line);
			last if $sign * ($documents[-1]{time} - $from) > 1800;
		}
		push @documents, decode_json(readline($top->{out}) // '{}');
		cmp_ok($sign * ($documents[-1]{time} - $from), '>', 1800, "date -s '$step': the time of day follows");
	}
	# Even on a busy machine.
	my @wrong = grep { !$_->{interval_ns} || $_->{interval_ns} > 1800e9 } @documents;
	is(scalar @wrong, 0, 'no interval took a step') or diag(join ' ', map { $_->{interval_ns} // 'none' } @documents);
	is(stop($top, 'INT'), 0, 'the tool goes on, and ends with 0');
	my ($now) = (run('date', '+%H'))[1] =~ /(\d+)/;
	start_on_screen(qr/EXITS/, 80, 24, $TOP, '-d 0.2');
	run('date', '-s', '+3 hours');
	my $later = sprintf '%02d:', ($now + 3) % 24;
	my $even_later = sprintf '%02d:', ($now + 4) % 24;
	see(qr/^memattr-top (?:$later|$even_later)/m, 'the screen has the new time');
	press('q');
	see_end('q: ends');
}

# Of two VMs, the one whose view is open ends.
sub ended_in_view {
	my $stays = start_guest(qw(--name stays --scenario churn --rate 50 --duration 1000));
	for my $view (2 .. 7, 9) {
		my $guest = start_guest(qw(--name goes --scenario churn --rate 50 --duration 1000));
		go_guest($guest);
		go_guest($stays) if $view == 2;
		start_on_screen(qr/EXITS/, 80, 24, $TOP, '-d 0.2') if $view == 2;
		see(qr/ goes .* stays | stays .* goes /s, 'two VMs');
		press('f', split(//, 'goes'), 'Enter', 'Down', 'Enter', $view);
		see(qr/ of goes .*^ *\d+ goes /ms, "$view: the view of one");
		kill TERM => $guest->{pid};
		stop($guest);
		see(qr/^goes has ended; Esc: back$/m, 'which ends: says so');
		press('Escape', '1', 'r');
	}
	see(qr/ 1 VM .* stays /s, 'the other one is still there');
	press('q');
	see_end('q: ends');
	kill TERM => $stays->{pid};
	stop($stays);
}

# The names of the programs that are attached.
sub programs {
	my %name = map { $_->{id} => $_->{name} // '' } objects('prog');
	return join ' ', sort grep { defined } map { $name{ $_->{prog_id} } } objects('link');
}

# What the table of VMs shows.
my $ALWAYS = 'count_convert count_exit end_vm';

# Nothing is attached that nobody looks at.
sub off {
	my $guest = start_guest(qw(--name off --count 1));
	start_on_screen(qr/EXITS/, 80, 24, $TOP, '-d 0.2');
	see(qr/ off /, 'the table of VMs');
	is(programs(), $ALWAYS, 'no program of chains or the map');
	press('9');
	see(qr/LINK/, '9: chains');
	see(qr/ off +exit +0 /, 'with figures');
	is(programs(), 'count_convert count_exit count_user_exit end_vm stage2_fault', 'chains take two more events');
	press('8');
	see(qr/memory of/, '8: the map');
	# An idle VM has no events: the map waits for one.
	go_guest($guest);
	stop($guest);
	see(qr/no VM is running/, 'no VM');
	press('1');
	see(qr/EXITS/, '1: VMs');
	ok(comes(sub { programs() eq $ALWAYS }), 'no program again');
	press('q');
	see_end('q: ends');
}

sub stock {
	my $guest = start_guest(qw(--name exact --scenario churn --mem 8 --count 100));
	my $top = start_counting();
	go_guest($guest);
	stop($guest);
	stop($top, 'INT');
	my ($document, %chain) = chains_of($top, 'exact');
	is(join(' ', sort keys %chain), 'convert exit fault wait zap', 'stock: chains have their links');
	my @figures = map { @$_{qw(link_count link_time_ns link_mean_ns link_share_percent)} } values %chain;
	is("@{[ scalar @figures, grep { defined } @figures ]}", '20', 'without figures');
	my $vm = start_vm();
	start_map();
	see(qr/memory of 1 VM.*had no event/s, '8: the map, which waits for an event');
	vm_ok($vm, 'private 0x1000 0x200');
	see(qr/^0x1000000 +u{64}$/m, 'the map has memslots, and does not know what is private');
	vm_ok($vm, 'shared 0x1000 0x200');
	see(qr/^0x1000000 +U{64}\n0x1200000 +u/m, 'and conversions');
	press('n');
	see(qr/^0x1000000 \+16K: private or shared: n\/a; run 0x1000000 \+16M, memslot 0$/m, 'in words');
	see(qr/^1 conversion, .* to shared; 0 faults$/m, 'and what happened there');
	press('q');
	see_end('q: ends');
	end_vm($vm);
}

my %parts = (
	'the part on the patched kernel' => sub {
		start_tmux();
		chains();
		widened();
		lone_conversions();
		my $vm = map_of_vm();
		keys_of_map();
		replayed_map();
		end_vm($vm);
		listed_map();
		map_of_guest();
		off();
	},
	'what happens while it runs' => sub {
		start_tmux();
		killed();
		ended_in_view();
		clock_steps();
	},
	'the part in place' => sub {
		start_tmux();
		chains_ok('in-place', qw(--in-place --scenario churn --mem 4 --count 100 --vcpus 2));
		map_of_guest('--in-place');
	},
	'the part on the stock kernel' => sub {
		start_tmux();
		stock();
	},
);

run_parts(PART_S, \%parts, sub {
	unit_tests_ok('build/selftests/tools/map-unit', 'map-unit, which needs no kernel');
	in_vm('the part on the stock kernel', 'stock', PART_S);
	in_vm('the part on the patched kernel', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
	in_vm('what happens while it runs', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
	in_vm('the part in place', [$ENV{MEMATTR_KERNEL} // 'patched', '--append', 'kvm.gmem_in_place_conversion=1'], PART_S);
});
