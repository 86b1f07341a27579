#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests memattr-top: its figures against the guest's own, what it shows when
# something is missing, and the live view, driven by real keys in a real
# terminal (tmux).  This script runs itself again inside the test VMs.
use strict;
use warnings;
use FindBin;
use IPC::Open3;
use JSON::PP;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $TOP = 'build/bin/memattr-top';
my $RATELIMIT = 'build/bpf/ratelimit.bpf.o';
my $MANY = 'build/selftests/tools/many-vms';

# On a loaded machine everything that runs in one VM takes less; only a failure waits this long.
use constant PART_S => 200;

# The value of VM_SLOTS in tools/common/vm_slots.h.
use constant MAX_VMS => 1024;

# Returns the processes with this name.
sub running {
	my $name = shift;
	return map { m{^/proc/(\d+)/} && read_file($_) eq "$name\n" ? $1 : () } glob '/proc/[0-9]*/comm';
}

# --- what needs no VM ---

sub arguments {
	usage_ok($TOP, '-d 0', '-d -1', '-d x', '-d 1x', '-d nan', '-d 9999', '-n 0', '-n x', '-p 0', '-p -3', '-p x',
		 '--nonsense', 'word', '--record a --replay b', '--record-limit 0', '--record-limit 1');
}

sub unit_tests {
	unit_tests_ok("build/selftests/tools/$_", "$_, which needs no kernel") for qw(engine-unit top-unit);
}

# --- batch ---

# Returns when counting has begun.
sub start_top {
	my $top = start($TOP, '-b', @_);
	close $top->{in};
	$top->{text} = readline($top->{out}) // '';
	return $top;
}

# Waits until stderr has this text.
sub await {
	my ($top, $text) = @_;
	while ($top->{said} !~ $text) {
		my $line = readline $top->{err} // return 0;
		$top->{said} .= $line;
	}
	return 1;
}

# The last line about the VM.
sub line_of {
	my ($top, $name) = @_;
	my ($line) = grep { $_->{NAME} eq $name } reverse lines($top->{text});
	return $line // {};
}

# Lets it run to its end: what it counted.
sub finish_guest {
	my $guest = shift;
	go_guest($guest);
	stop($guest);
	return eval { decode_json($guest->{text}) } // do { fail('the guest says what it did'); {} };
}

sub end_guest {
	my $guest = shift;
	kill TERM => $guest->{pid};
	waitpid $guest->{pid}, 0;
}

sub no_vm {
	my ($out) = fails_with('no VM: says so, and it is not an error', 0, qr/no VM is running/, $TOP,
			       qw(-b -n 1 -d 0.1));
	like($out, qr/^TIME +PID +NAME .*\n\z/, 'the table is empty');
	fails_with('a process without a VM', 0, qr/process $$ has no VM/, $TOP,
		   qw(-b -n 1 -d 0.1 -p), $$);
}

# A conversion takes no longer in KVM than its VMM waits for it; both histograms are off by some percent.
sub plausible_latency {
	my ($line, $guest) = @_;
	ok($line->{P50_us} > 0 && $line->{P50_us} <= $line->{P99_us} &&
	   $line->{P50_us} * 1000 <= $guest->{convert_ns_p50} * 1.15 &&
	   $line->{P99_us} * 1000 <= $guest->{convert_ns_p99} * 1.15, 'percentiles of the latency') or
		diag(explain($line, $guest));
}

sub exact_counts {
	my $guest = start_guest('--name', 'exact', qw(--scenario churn --count 300 --vcpus 2));
	my $top = start_top('--totals', '-d', 600);
	my $counted = finish_guest($guest);
	is(stop($top, 'INT'), 0, 'SIGINT: ends with 0');
	my @lines = lines($top->{text});
	is(@lines, 1, 'and with the figures of the interval it cut');
	my $line = $lines[0];
	is($line->{NAME}, 'exact', 'name');
	is($line->{PID}, $guest->{pid}, 'process');
	is($line->{EXITS}, $counted->{exits}, 'exits as the guest counts them');
	is($line->{TO_PRIV}, $counted->{to_private}, 'conversions to private');
	is($line->{TO_SHARED}, $counted->{to_shared}, 'conversions to shared');
	is($line->{EFF_PG}, $counted->{converted_pages}, 'pages');
	is($line->{ZAP_PG}, $counted->{converted_pages}, 'pages unmapped');
	like($top->{said}, qr/lost: 0 events; own cost: [1-9]/, 'nothing lost, own cost told');
	return ($top, $line, $counted);
}

sub denied {
	my $guest = start_guest('--name', 'limited', qw(--scenario ping-pong --count 60));
	my $loader = load_policy($RATELIMIT, '--pid', $guest->{pid}, qw(rate=20 burst=5));
	my $top = start_top('--totals', '-d', 600);
	my $counted = finish_guest($guest);
	stop($top, 'INT');
	stop($loader);
	my $line = line_of($top, 'limited');
	cmp_ok($counted->{refused_eagain}, '>', 0, 'the guest was refused some');
	is($line->{DENIED}, $counted->{refused_eagain} + $counted->{denied},
	   'denied as often as the guest was');
	is($line->{TO_PRIV} + $line->{TO_SHARED}, $counted->{conversions}, 'those are not conversions');
	is($line->{REQ_PG}, $counted->{requested_pages} + $counted->{refused_eagain},
	   'but were asked for, again and again');
	is($line->{POLICY}, 'ratelimit', 'the policy');
}

# After an ejection there is no policy, but not as if there had never been one.
sub ejected {
	my $guest = start_guest('--name', 'freed', qw(--scenario churn --duration 1000 --rate 50));
	my $loader = load_policy('build/selftests/policy/fault.bpf.o', '--pid', $guest->{pid}, 'convert_ret=7');
	go_guest($guest);
	# It ends when its policy has been ejected.
	stop($loader);
	my ($status, $out) = run($TOP, qw(-b -n 1 -d 0.2));
	my ($line) = grep { $_->{NAME} eq 'freed' } lines($out);
	like("$line->{POLICY} $line->{LEFT}", qr/^ejected fault:bad-\S+$/, 'an ejected policy, and why it left');
	start_live(80, 24, $TOP, '-d 0.2');
	see(qr/ ejected\n.*^Policies that have left.*freed  ejected fault:bad-\S+: ./ms, 'on the screen, too');
	press('q');
	see_end('q: ends');
	# A thread stands for its process.
	my ($tid) = grep { $_ != $guest->{pid} } map { m{(\d+)$} } glob "/proc/$guest->{pid}/task/*";
	($status, $out) = run($TOP, qw(-b -n 1 -d 0.2 -p), $tid);
	is(join(' ', map { $_->{NAME} } lines($out)), 'freed', "-p with a vCPU's thread");
	end_guest($guest);
}

# A VM that ends is shown in one more interval, and each VM has a line of its own.
sub intervals {
	my $one = start_guest('--name', 'one', qw(--scenario churn --count 100));
	my $two = start_guest('--name', 'two', qw(--scenario churn --count 200));
	my ($status, $out) = run($TOP, qw(-b -n 1 -d 0.1 -p), $two->{pid});
	is(join(' ', map { $_->{NAME} } lines($out)), 'two', '-p: only that process');

	my $top = start_top('--totals', '-d', '0.1');
	$top->{text} .= readline($top->{out}) . readline($top->{out});
	is(join(' ', map { "$_->{NAME} $_->{EXITS} $_->{TO_PRIV} $_->{P50_us}" }
		lines($top->{text})), 'one 0 0 - two 0 0 -', 'idle VMs are listed');
	my %counted = (two => finish_guest($two), one => finish_guest($one));
	ok(await($top, qr/no VM is running/), 'both are dropped');
	is(stop($top, 'TERM'), 0, 'SIGTERM: ends with 0');
	for my $name (sort keys %counted) {
		my $line = line_of($top, $name);
		is("$line->{EXITS} $line->{TO_PRIV} $line->{TO_SHARED}",
		   "@{$counted{$name}}{qw(exits to_private to_shared)}",
		   "the last line of $name has all of it");
	}
	is(join(' ', sort keys %{{ map { $_->{NAME} => 1 } lines($top->{text}) }}), 'one two',
	   'and no line is another VM\'s');
}

# Runs last: taking down so many VMs takes half a minute, which ending the machine saves.
sub many {
	my ($in, $out);
	# Nobody reads what it prints meanwhile, which is too much for a pipe.
	my $top = start('sh', '-c', "exec $TOP -b --totals -d 0.1 >/tmp/many");
	await($top, qr/no VM is running/);
	# The slots of these VMs are free again afterwards.
	my $pid = open3($in, $out, undef, $MANY, 40);
	readline $out;
	close $in;
	waitpid $pid, 0;
	ok(await($top, qr/no VM is running.*no VM is running/s), 'many VMs at once end');
	$pid = open3($in, $out, undef, $MANY, MAX_VMS + 76);
	readline $out;
	stop($top, 'INT');
	like($top->{said}, qr/lost: 76 events/, 'what VMs beyond the limit do is counted as lost');
	my %names = map { ($_->{NAME} => 1) } grep { $_->{PID} == $pid } lines(read_file('/tmp/many'));
	is(keys %names, MAX_VMS + 76, 'all are listed');
	start_live(80, 24, $TOP);
	press('End');
	see(qr/ 1100 VMs /, 'and on the screen');
	my $top_row = sub { ($_[0] =~ /POLICY\n *\d+ (\S+)/)[0] // '' };
	my $before = $top_row->(screen());
	click(65, 20, 10);
	ok(comes(sub { my $now = $top_row->($_[0]); length $now && $now ne $before }), 'the wheel scrolls');
	click(64, 20, 10);
	ok(comes(sub { $top_row->($_[0]) eq $before }), 'and back');
}

# --- live ---

# Returns when the tool has drawn its screen, or has ended.
sub start_live {
	start_on_screen(qr/EXITS|ended/, @_);
}

# Checks that the VMs come in this order.
sub see_order {
	my ($order, $name) = @_;
	my $rows = sub { join ' ', $_[0] =~ /^ *\d+ (\w+) .*(?:none|ratelimi|n\/a)\w*$/mg };
	ok(comes(sub { $rows->($_[0]) eq $order }), $name) or
		diag($rows->(screen()), ":\n", screen());
}

# Of two VMs, aaa and bbb.
sub mouse {
	my @lines = split /\n/, screen();
	my ($heading) = grep { $lines[$_] =~ /PID NAME/ } 0 .. $#lines;
	$heading //= 0;
	click(0, 9, $heading);
	see_order('aaa bbb', 'a click on a heading: by name');
	click(0, 9, $heading);
	see_order('bbb aaa', 'and another one: the other way round');
	click(0, 30, $heading + 2);
	press('Enter');
	see(qr/ of aaa /, 'a click on a row marks it, and Enter leads there');
	press('Escape');
	see(qr/ 2 VMs /, 'Esc: back');
}

my $NARROW = qr/^    PID NAME      EXITS TREND  GMEM GPRIV >PRIV >SHRD  DENY   P50   P99 POLICY$/m;
my $WIDE = qr/^ +PID NAME +EXITS\/s TREND +GMEM GPRIV +>PRIV\/s +>SHRD\/s +DENY\/s +P50 +P99 POLICY +EFFPG\/s +ZAPPG\/s +REQPG\/s +HELD\/s +FAIL\/s LEFT$/m;
my $COLOUR = qr/\e\[(?:\d+;)*[349][0-7]/;

sub live {
	# aaa converts far more than the policy lets bbb.
	my $bbb = start_guest('--name', 'bbb', qw(--scenario ping-pong --duration 1000));
	my $loader = load_policy($RATELIMIT, '--pid', $bbb->{pid}, qw(rate=10 burst=1));
	my $aaa = start_guest('--name', 'aaa', qw(--scenario churn --duration 1000 --rate 200));
	go_guest($_) for $aaa, $bbb;

	start_live(80, 24, 'NO_COLOR=1', $TOP, '-d 0.2');
	my $refused = qr/ bbb .* [1-9][0-9.k]* +\S+ +\S+ ratelimi$/m;
	see($refused, 'a policy and its refusals');
	unlike(screen('-e'), $COLOUR, 'NO_COLOR: none');
	press('q');
	see_end('q: ends with 0, the terminal as before');
	start_live(80, 24, $TOP, '-d 0.2');
	see($refused, 'again');
	like(screen('-e'), $COLOUR, 'else refusals are coloured');

	see(qr/ 2 VMs /, '80x24: the VMs');
	see($NARROW, 'all headings');
	see(qr/^lost 0  own [\d.]+%  late \d+  patched, in place o(?:ff|n)  tp_btf exits conversions$/m,
	    'one line says what the figures rest on');
	press('i');
	see(qr/^exits +tp_btf:kvm_exit$/m, 'i: the event behind exits');
	see(qr/^conversions +tp_btf:kvm_memattr_convert$/m, 'behind conversions');
	see(qr/^zaps +read:struct kvm$/m, 'unmapped pages by statistics');
	see(qr/^VM end +fentry:kvm_/m, 'behind the end of a VM');
	see(qr/^BPF cost \d+\.\d+% of a CPU, [1-9]\d* ns\/event$/m, 'the own cost');
	press('x');
	press('>', '>', '>');
	see_order('aaa bbb', '>: by conversions to private');
	press('R');
	see_order('bbb aaa', 'R: the other way round');
	press('<', '<', '<', '<');
	see_order('bbb aaa', '<: by name, from the end');
	press('R');
	see_order('aaa bbb', 'R: from A');
	press('F6');
	see(qr/^ Sort by.*^ denied/ms, 'F6: a menu');
	press('Down', 'R', 'Escape');
	see_gone(qr/Sort by/, 'Esc: leaves it');
	see_order('aaa bbb', 'and nothing has changed');
	press('F6', 'Up', 'Enter');
	see_gone(qr/Sort by/, 'Enter: takes the choice');
	see_order('bbb aaa', 'it is by process');

	mouse();

	press('h');
	see(qr/^q Ctrl-C   quit.*^[12] +vms: .*^[2-9] +conversions: /ms, 'h: keys and views');
	press('h');
	see(qr/^EFFPG  pages that conversions changed/m, 'again: the columns');
	press('x');
	see($NARROW, 'any key: back');
	press('?');
	see(qr/^q Ctrl-C   quit/m, '?: help');
	press('q');
	see($NARROW, 'q there: back');

	press('+');
	see(qr/every 0\.5 s/, '+: a longer delay');
	press('-', '-');
	see(qr/every 0\.1 s/, '-: a shorter one');
	press('-', 'd', '0', '.', '4', '5', 'BSpace', 'Enter');
	see(qr/every 0\.4 s/, 'd: asks for it');
	press('s', '0', 'Enter');
	see(qr/every 0\.4 s.*out of range/s, 's: one that is out of range is refused');
	press('s', '7');
	see(qr/Delay in seconds.*: 7$/m, 's: asks for it');
	press('Escape');
	see(qr/every 0\.4 s/, 'Esc: keeps it');

	press('t');
	see(qr/ totals/, 't: totals');
	press('Space');
	see(qr/PAUSED/, 'space: pauses');
	my $frozen = screen();
	end_guest($bbb);
	stop($loader);
	# The prompt's coming and going tells that the screen was drawn since.
	press('d');
	see(qr/Delay in/, 'keys still work');
	press('Escape');
	see_gone(qr/Delay in/, 'Esc');
	is(screen(), $frozen, 'but what happens is not shown');
	press('Space');
	see_order('aaa', 'space: goes on, the VM that ended is dropped');
	press('t');

	resize(150, 30);
	see($WIDE, '150x30: wide headings');
	resize(41, 8);
	see(qr/^ +PID NAME +EXITS TREND +GMEM GPRIV\n.* aaa /ms, '41x8: what fits');
	resize(40, 8);
	see(qr/^ +PID NAME +EXITS TREND +GMEM$/m, '40x8: no column is cut');
	press('Right', 'Right', 'Right');
	see(qr/^ +PID NAME +GPRIV >PRIV >SHRD$/m, 'right: further columns');
	press('Left', 'Left', 'Left');
	resize(12, 2);
	see(qr/^ +PID NAME\n *\d+ aaa/, '12x2: the heading and a VM');
	resize(1, 1);
	resize(80, 24);
	see($NARROW, '1x1 and back');
	press('C-c');
	see_end('Ctrl-C: ends with 0, the terminal as before');

	start_live(80, 24, $TOP, "-p $aaa->{pid}");
	see(qr/ 1 VM of one process /, '-p: of one process');
	end_guest($aaa);
	see(qr/PROCESS ENDED/, 'it is gone: says so');
	kill TERM => running('memattr-top');
	see_end('SIGTERM: the same');
	start_live(80, 24, $TOP, '-d 0.2');
	see(qr/no VM is running/, 'no VM: says so');
	press('q');
	see_end('q: ends');
	start_live(80, 24, $TOP, '-n 1 -d 0.2');
	see_end('-n: ends by itself');
	tmux("respawn-pane -k 'TERM=nonsense sh /tmp/live.sh $TOP'");
	see(qr/type 'nonsense'.*^ended 1 sane$/ms, 'a terminal of unknown type: says so');
}

# --- the stock kernel, and missing things ---

sub live_stock {
	my $guest = start_guest('--name', 'stock', qw(--count 10));
	start_live(80, 24, $TOP);
	see(qr/ stock +0 +\S+ +- +n\/a +0 +0 +n\/a +n\/a +n\/a n\/a$/m, 'n/a on the screen as well');
	see(qr/fentry conversions\(\*\) zaps/, 'and a mark at figures that are not quite right');
	press('i');
	see(qr/\(\*\) counts once per memslot/, 'that i explains');
	press('x', 'q');
	see_end('q: ends with 0, the terminal as before');
	finish_guest($guest);
}

# Without fentry nothing reports a VM's end, nor, on a stock kernel, conversions.
sub no_fentry {
	write_file('/proc/sys/kernel/ftrace_enabled', 0);
	my $guest = start_guest('--name', 'exact', qw(--count 20));
	my $top = start_top('--totals', '-d', '0.1');
	my $counted = finish_guest($guest);
	ok(await($top, qr/no VM is running/), 'no fentry: a VM that ended is dropped all the same');
	stop($top, 'INT');
	my $line = line_of($top, 'exact');
	is("@$line{qw(TO_PRIV TO_SHARED EFF_PG ZAP_PG)}", 'n/a n/a n/a n/a', 'conversions are n/a');
	like($top->{said}, qr/conversions: n\/a \(sysctl kernel.ftrace_enabled is 0\)/, 'the cause');
	is($line->{EXITS}, $counted->{exits}, 'exits are counted');
	write_file('/proc/sys/kernel/ftrace_enabled', 1);
}

sub missing {
	fails_with('no debugfs: idle VMs are not listed', 0, qr/without debugfs/,
		   qw(unshare -m sh -c), "umount /sys/kernel/debug && exec $TOP -b -n 1 -d 0.1");
	needs_ok($TOP);
}

my %parts = (
	'the part on the patched kernel' => sub {
		start_tmux();
		no_vm();
		my ($top, $line, $counted) = exact_counts();
		is($line->{REQ_PG}, $counted->{requested_pages}, 'requested pages');
		is($line->{DENIED}, 0, 'nothing was denied');
		is($line->{POLICY}, 'none', 'no policy');
		plausible_latency($line, $counted);
		denied();
		ejected();
		intervals();
		live();
		many();
	},
	'the part on the stock kernel' => sub {
		start_tmux();
		no_vm();
		my ($top, $line) = exact_counts();
		is("@$line{qw(REQ_PG DENIED P50_us P99_us POLICY HELD)}", 'n/a n/a n/a n/a n/a n/a',
		   'what a stock kernel does not tell is n/a');
		like($top->{said}, qr/fentry:kvm_arch_post_set_.*upper bound/, 'what is counted with');
		live_stock();
		no_fentry();
		missing();
	},
);

run_parts(PART_S, \%parts, sub {
	unit_tests();
	arguments();
	in_vm('the part on the stock kernel', 'stock', PART_S);
	in_vm('the part on the patched kernel', $ENV{MEMATTR_KERNEL} // 'patched', PART_S);
});
