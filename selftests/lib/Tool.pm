# SPDX-License-Identifier: GPL-2.0
#
# What the tests of tools share: running them, in VMs too, and driving what is
# on a screen by real keys in a real terminal (tmux).
package Tool;
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use IPC::Open3;
use Symbol 'gensym';
use Test::More;

our @EXPORT = qw(PATIENCE_S run fails_with read_file write_file in_vm start_tmux tmux tmux_line screen comes
	see see_gone see_end press resize start_on_screen unload_kvm);

# Longer than anything here takes on a loaded machine; only a failure waits that long.
use constant PATIENCE_S => 30;

# Runs @command to its end: its exit status, stdout and stderr.
sub run {
	my @command = @_;
	my $pid = open3(my $in, my $out, my $err = gensym, @command);
	close $in;
	# Little comes on stderr: it fits the pipe.
	my $stdout = join '', <$out>;
	my $stderr = join '', <$err>;
	waitpid $pid, 0;
	return ($? >> 8, $stdout, $stderr);
}

sub fails_with {
	my ($name, $expected, $text, @command) = @_;
	my ($status, $out, $err) = run(@command);
	ok($status == $expected && $err =~ $text, $name) or diag("exit status $status\n$out$err");
	return ($out, $err);
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

# Returns their names, in the order to load them. The kernel lets go of them some time after the last tool has
# ended.
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

# The part's tests, run in a VM with these arguments, as tests of this script.
sub in_vm {
	my ($part, $kernel, $limit_s, @arguments) = @_;
	my $plan;
	open my $vm, '-|', 'selftests/vm/run', '--kernel', $kernel, '--timeout', $limit_s + 40, '--',
		"$FindBin::Bin/$FindBin::Script", $part, @arguments or die "selftests/vm/run: $!";
	while (my $line = <$vm>) {
		if ($line =~ /^(not )?ok \d+ - (.*)$/) {
			ok(!$1, $2);
		} elsif ($line =~ /^1\.\./) {
			$plan = 1;
		} else {
			diag($line =~ s/^# ?//r);
		}
	}
	close $vm;
	ok($plan, "$part came to its end") or diag("exit status ", $? >> 8);
}

# tmux in control mode: commands in, answers and notifications out, no process for each.
my ($tmux_in, $tmux_out, $tmux_buffer);

# The next line that tmux prints, undef after PATIENCE_S without one.
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

sub start_tmux {
	$tmux_buffer = '';
	open3($tmux_in, $tmux_out, undef, qw(tmux -L memattr -f /dev/null -C new-session -x 80 -y 24),
	      'exec sleep 1000');
	$tmux_in->autoflush(1);
	tmux_answer();
	tmux('set -g window-size manual');
	tmux('set -g remain-on-exit on');
	# Afterwards the terminal's settings are compared with those of before.
	write_file('/tmp/live.sh', <<'END');
# Ctrl-C is for the tool, the script has yet to report.
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

# What is awaited comes on the screen: looks again whenever something is drawn.
sub comes {
	my $condition = shift;
	my $end = time + PATIENCE_S;
	until ($condition->(screen())) {
		return 0 if time > $end || !defined tmux_line();
		# What has been drawn meanwhile is on the screen that is looked at next.
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

sub resize {
	my ($width, $height) = @_;
	tmux("resize-window -x $width -y $height");
}

# start_on_screen SEEN, WIDTH, HEIGHT, [VARIABLE=VALUE...] COMMAND...: comes back when SEEN is.
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
