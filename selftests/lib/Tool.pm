# SPDX-License-Identifier: GPL-2.0
#
# Functions that the tests of tools share: they run tools, also in VMs, and
# drive their screens by real keys in a real terminal (tmux).
package Tool;
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use IPC::Open3;
use POSIX ();
use Symbol 'gensym';
use Test::More;

our @EXPORT = qw(PATIENCE_S run fails_with usage_ok needs_ok unit_tests_ok read_file write_file start stop halt start_guest go_guest load_policy lines in_vm run_parts
	start_tmux end_tmux tmux tmux_line screen comes see see_gone see_end press click resize start_on_screen unload_kvm);

# These change what programs print.
delete @ENV{qw(ARGP_HELP_FMT NO_COLOR COLUMNS LINES CMOCKA_MESSAGE_OUTPUT)};

# Even on a loaded machine everything here takes less; only a failure waits this long.
use constant PATIENCE_S => 30;

# The exit status of the last process, as a shell has it.
sub exit_status {
	return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

# Runs @command to its end: its exit status, stdout and stderr.
sub run {
	my @command = @_;
	my $pid = open3(my $in, my $out, my $err = gensym, @command);
	close $in;
	# stderr gets little output, which fits into the pipe.
	my $stdout = join '', <$out>;
	my $stderr = join '', <$err>;
	waitpid $pid, 0;
	return (exit_status(), $stdout, $stderr);
}

sub fails_with {
	my ($name, $expected, $text, @command) = @_;
	my ($status, $out, $err) = run(@command);
	ok($status == $expected && $err =~ $text, $name) or diag("exit status $status\n$out$err");
	return ($out, $err);
}

# The unit tests of a tool, which print TAP.
sub unit_tests_ok {
	my ($program, $name) = @_;
	my ($status, $out, $err) = run($program);
	my ($planned) = $out =~ /^1\.\.(\d+)$/m;
	my $passed = () = $out =~ /^ok \d/mg;
	ok($status == 0 && $planned && $planned == $passed, $name) or diag("exit status $status\n$out$err");
}

# Tests what every tool says of itself, and of options that are @wrong. It needs no VM.
sub usage_ok {
	my ($tool, @wrong) = @_;
	my ($name) = $tool =~ m{([^/]+)$};
	my ($status, $out, $err) = run($tool, '--help');
	ok($status == 0 && $out =~ /Exit status: 0/, '--help') or diag($err);
	($status, $out, $err) = run($tool, '--version');
	ok($status == 0 && $out =~ /^$name \d+\.\S+\n\z/, '--version') or diag($err);
	fails_with("$_: refused", 2, qr/$name: /, $tool, '-b', split) for @wrong;
	fails_with('a screen without a terminal: says to use -b', 2, qr/try: $name -b/, $tool);
	fails_with('no such process', 4, qr/no process 4194305.*\n.*try: /, $tool, qw(-b -n 1 -p 4194305));
}

# Tests what a tool says where something is missing. It ends with KVM unloaded.
sub needs_ok {
	my $tool = shift;
	fails_with('no rights: cause and next command', 3,
		   qr/CAP_BPF and CAP_PERFMON.*uid 65534.*\n.*try: run it as root/,
		   qw(setpriv --reuid=65534 --regid=65534 --clear-groups), $tool, qw(-b -n 1));
	fails_with('no BTF', 3, qr/CONFIG_DEBUG_INFO_BTF=y/, qw(unshare -m sh -c),
		   "mount -t tmpfs none /sys/kernel/btf && exec $tool -b -n 1");
	unload_kvm();
	fails_with('KVM is not loaded', 3, qr/try: modprobe kvm/, $tool, qw(-b -n 1));
}

# A process with its output: {text} is what was read of stdout {out}, {said} of stderr {err}.
sub start {
	my $process = { text => '', said => '' };
	$process->{pid} = open3($process->{in}, $process->{out}, $process->{err} = gensym, @_);
	return $process;
}

# Reads all that is left; the exit status.
sub stop {
	my ($process, $signal) = @_;
	kill $signal, $process->{pid} if $signal;
	$process->{text} .= join '', readline $process->{out};
	$process->{said} .= join '', readline $process->{err};
	waitpid $process->{pid}, 0;
	return exit_status();
}

# Stops a process for a while; comes back when none of its threads does anything any more. One that is in the kernel
# stops when it is done there.
sub halt {
	my $pid = shift;
	kill STOP => $pid;
	while (grep { read_file($_) !~ /\) [TZ] / } glob "/proc/$pid/task/*/stat") {
		select undef, undef, undef, 0.01;
	}
}

# memattr-guest; comes back when its VM exists, with {vm_fd}. It does not run yet.
sub start_guest {
	my $guest = start(qw(build/bin/memattr-guest --json --wait), @_);
	my ($pid, $vm_fd) = (readline($guest->{err}) // '') =~ /^ready pid=(\d+) vmfd=(\d+)$/;
	is($pid, $guest->{pid}, "a guest is ready: @_");
	$guest->{vm_fd} = $vm_fd;
	return $guest;
}

sub go_guest {
	my $guest = shift;
	print { $guest->{in} } "go\n";
	close $guest->{in};
}

# memattr-policy load; comes back when it has attached.
sub load_policy {
	my $loader = start(qw(build/bin/memattr-policy load), @_);
	like(readline($loader->{out}) // '', qr/attached/, "a policy is attached: @_");
	return $loader;
}

# The lines of a table, each a hash by headings.
sub lines {
	my ($heading, @lines) = split /\n/, shift;
	my @headings = split ' ', $heading // '';
	return map { my %line; @line{@headings} = split ' '; \%line } grep { !/^slow / } @lines;
}

sub read_file {
	my $path = shift;
	open my $file, '<', $path or return '';
	return do { local $/; <$file> } // '';
}

sub write_file {
	my ($path, $text) = @_;
	open my $file, '>', $path or die "$path: $!";
	print $file $text;
	close $file or die "$path: $!";
}

# Unloads KVM's modules. Returns their names in the order to load them. The kernel releases the modules some
# time after the last tool has ended.
sub unload_kvm {
	my @modules = grep { -e "/sys/module/$_" } qw(kvm_amd kvm_intel kvm);
	for my $module (@modules) {
		my $end = time + PATIENCE_S;
		my ($status, $out, $err);
		do {
			($status, $out, $err) = run('busybox', 'rmmod', $module);
		} while $status && time < $end;
		diag($err) if $status;
	}
	return reverse @modules;
}

# Runs this script's part $part in a VM with these arguments; its tests count as tests of this script.
# $kernel can be [KERNEL, OPTION...], with more options of vm/run's. With MEMATTR_KERNEL the script is about that
# kernel: what the stock one shows is the same as without.
sub in_vm {
	my ($part, $kernel, $limit_s, @arguments) = @_;
	my @options = ref $kernel ? @$kernel : $kernel;
	SKIP: {
		skip "$part: this is about $ENV{MEMATTR_KERNEL}", 1 if $ENV{MEMATTR_KERNEL} && $options[0] eq 'stock';
		parts_tests_ok($part, $limit_s, \@options, @arguments);
	}
}

sub parts_tests_ok {
	my ($part, $limit_s, $options, @arguments) = @_;
	my ($planned, $ran, $failed) = (0, 0, 0);
	open my $vm, '-|', 'selftests/vm/run', '--kernel', @$options, '--timeout', $limit_s + 40, '--',
		"$FindBin::Bin/$FindBin::Script", $part, @arguments or die "selftests/vm/run: $!";
	while (my $line = <$vm>) {
		if ($line =~ /^(not )?ok \d+ - (.*)$/) {
			$ran++;
			ok(!$1, $2) or $failed = 1;
		} elsif ($line =~ /^1\.\.(\d+)/) {
			$planned = $1;
		} else {
			diag($line =~ s/^# ?//r);
		}
	}
	close $vm;
	# The runner's own statuses, such as that of a kernel that complains, are others.
	ok($ran && $planned == $ran && exit_status() == $failed, "$part came to its end") or
		diag("exit status ", exit_status(), ", $ran tests of $planned");
}

# run_parts LIMIT_S, PARTS, HERE: HERE is a sub that calls in_vm() with names of PARTS, which run there.
sub run_parts {
	my ($limit_s, $parts, $here) = @_;
	my ($part, @arguments) = @ARGV;
	if (defined $part) {
		# Whatever waits for good ends here, and the missing plan tells.
		alarm $limit_s;
		$parts->{$part}->(@arguments);
	} else {
		$here->();
	}
	done_testing();
	# What still runs, tmux and VMs, ends with the machine: do not wait for it.
	POSIX::_exit(Test::More->builder->is_passing ? 0 : 1) if defined $part;
}

# tmux in control mode: commands in, answers and notifications out, no process for each.
my ($tmux_in, $tmux_out, $tmux_buffer);

# Returns the next line that tmux prints, or undef after PATIENCE_S without one.
sub tmux_line {
	my $end;
	while (($end = index $tmux_buffer, "\n") < 0) {
		my $ready = '';
		vec($ready, fileno $tmux_out, 1) = 1;
		return undef unless select $ready, undef, undef, PATIENCE_S;
		sysread $tmux_out, $tmux_buffer, 65536, length $tmux_buffer or return undef;
	}
	my $line = substr $tmux_buffer, 0, $end + 1, '';
	chomp $line;
	return $line;
}

sub tmux_answer {
	my @answer;
	while (defined(my $line = tmux_line())) {
		last if $line =~ /^%begin /;
	}
	while (defined(my $line = tmux_line())) {
		return join "\n", @answer if $line =~ /^%(?:end|error) /;
		push @answer, $line;
	}
	return '';
}

sub tmux {
	print {$tmux_in} "@_\n";
	return tmux_answer();
}

# Ends the terminal. In a test VM it ends with the machine.
sub end_tmux {
	tmux('kill-server');
	unlink '/tmp/live.sh';
}

sub start_tmux {
	$tmux_buffer = '';
	open3($tmux_in, $tmux_out, undef, qw(tmux -u -L), "memattr-$$", qw(-f /dev/null -C new-session -x 80 -y 24),
	      'exec sleep 1000');
	$tmux_in->autoflush(1);
	tmux_answer();
	tmux('set -g window-size manual');
	tmux('set -g remain-on-exit on');
	# After a tool has ended, the terminal's settings must be those from before.
	write_file('/tmp/live.sh', <<'END');
# Ctrl-C is for the tool: the script must still report.
trap : INT
before=$(stty -g)
env "$@"
status=$?
[ "$(stty -g)" = "$before" ] && sane=sane
echo "ended $status $sane"
exec sleep 1000
END
}

sub screen {
	return tmux("capture-pane -p @_");
}

# Waits until the condition is true of the screen: looks again whenever something is drawn.
sub comes {
	my $condition = shift;
	my $end = time + PATIENCE_S;
	until ($condition->(screen())) {
		return 0 if time > $end || !defined tmux_line();
		# The next look at the screen covers everything that was drawn meanwhile.
		$tmux_buffer =~ s/^.*\n//s;
	}
	return 1;
}

sub see {
	my ($text, $name) = @_;
	ok(comes(sub { $_[0] =~ $text }), $name) or diag("no $text:\n", screen());
}

sub see_gone {
	my ($text, $name) = @_;
	ok(comes(sub { $_[0] !~ $text }), $name) or diag("still $text:\n", screen());
}

sub press {
	tmux('send-keys', map { "'$_'" } @_);
}

# A button of the mouse at a place that counts from 0: 0 the left one, 64 and 65 the wheel up and down.
sub click {
	my ($button, $x, $y) = @_;
	# Terminals tell when a button is released, too, and send each event in one piece: Escape alone is a key.
	for my $event ($button, $button < 64 ? 3 : ()) {
		my @bytes = (map({ ord } "\e", '[', 'M'), map { $_ + 32 } $event, $x + 1, $y + 1);
		tmux('set-buffer "' . join('', map { sprintf '\\%03o', $_ } @bytes) . '"');
		tmux('paste-buffer -r');
	}
}

sub resize {
	my ($width, $height) = @_;
	tmux("resize-window -x $width -y $height");
}

# start_on_screen SEEN, WIDTH, HEIGHT, [VARIABLE=VALUE...] COMMAND...: returns when the screen matches SEEN.
sub start_on_screen {
	my ($seen, $width, $height, @command) = @_;
	resize($width, $height);
	tmux("respawn-pane -k 'sh /tmp/live.sh @command'");
	comes(sub { $_[0] =~ $seen });
}

sub see_end {
	my $name = shift;
	comes(sub { $_[0] =~ /^ended/m });
	my $screen = screen();
	my $state = tmux("display-message -p '#{alternate_on} #{cursor_flag}'");
	ok($screen =~ /^ended 0 sane$/m && $state eq '0 1', $name) or diag("$state\n$screen");
}

1;
