#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Runs the commands of README.md and docs/*.md as they are written, and compares what they print with what the page
# shows. The kind of a fence says what it is: "sh" commands, "console" commands after "$ " with what they print,
# and other kinds nothing that runs.
use strict;
use warnings;
use Encode ();
use FindBin;
use List::Util ();
use Storable ();
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

use constant {
	LIMIT_S => 900,
	# The least size of a screen: each is as wide as the page shows it.
	WIDTH => 80,
	HEIGHT => 30,
	# Where the policies are built that a page tells its reader to write, and what each VM is to run is kept.
	WRITTEN => 'build/selftests/commands',
};

my $checkout = "$FindBin::Bin/..";
my @pages = ('README.md', glob "$checkout/docs/*.md");
my %kinds = map { $_ => 1 } qw(sh console text c ini promql);

# The hosts on which commands run, with vm/run's options. A page about installation is about Debian's own kernel. There KVM
# converts in place as well, as only then it is a question who holds a page.
my %hosts = (
	patched => ['patched'],
	debian => ['debian', '--append', 'kvm.gmem_in_place_conversion=1'],
);

sub host_of {
	my $block = shift;
	# 79-tuning.t follows these, and compares the figures.
	return 'elsewhere' if $block->{section}{has_figures};

	my $commands = join "\n", map { $_->[0] } @{$block->{commands}};

	return $block->{page} eq 'docs/install.md' || $commands =~ /^(?:modprobe|memattr-policy why) /m ? 'debian' : 'patched';
}

# Commands that begin with this do not run here.
my %not_run = (
	'apt-get ' => 'needs a package host; packaging/check.t installs and removes the packages',
	'make ' => 'builds things, or is a test itself; only its target is looked for',
	'bench/hardware' => 'takes minutes; 55-hardware.t runs it with less memory',
	'mokutil ' => 'the firmware asks for a password at the next boot',
	'reboot' => 'would end the test VM',
	'systemctl ' => 'the test VM has no systemd; 76-units.t has',
	'journalctl ' => 'the test VM has no journal',
	'dir=$(kernel-patches/kernel modules $(uname -r))' => 'has run before the VM was started',
	'dir=$(kernel-patches/kernel modules RELEASE)' => 'RELEASE is for the reader to fill in',
	'for m in $dir/kvm*.ko; do' => 'sign-file is in a package for each kernel; 75-secure-boot.t loads signed modules',
);

# Commands that run until Ctrl-C, what they say when they have begun, and their exit status if that is not 0.
my @stay = (
	[qr/^memattr-policy load (?!.*--pin)/, qr/attached to/],
	[qr/^memattr-policy audit/, qr/./],
	# Nobody holds a page here.
	[qr/^memattr-policy why/, qr/waiting for a conversion/, 7],
	[qr/^memattr-top .*--(?:listen|textfile)/, qr/./],
	[qr/^bpftrace -e/, qr/^(?=.*^kprobe \d+$)(?=.*^kfunc \d+$)/ms],
);

# Screens, which a digit or q tells what to do.
my $screen = qr/^(?:memattr-top|prefault-trace)\b(?!.* (?:-b|-j|--csv|--listen|--textfile)\b)/;

# Commands of several lines are one.
sub commands_of {
	my @commands;
	my $open = '';

	for (split /\n/, shift) {
		$open .= $open eq '' ? $_ : "\n$_";
		next if $open =~ /\\$/ || system('sh', '-c', 'bash -nc "$1" 2>/dev/null', 'sh', $open);
		push @commands, $open if $open =~ /\S/;
		$open = '';
	}
	push @commands, $open if $open ne '';
	return @commands;
}

# The blocks of a page: {page, where, section, kind, text}, and commands as [COMMAND, WHAT IT PRINTS].
sub blocks_of {
	my $page = shift;
	my ($number, $section, $block, @blocks) = (0, {});

	for (split /\n/, read_file("$checkout/$page")) {
		$number++;
		if (/^ *```(.*)/ && $block) {
			push @blocks, $block;
			$block = undef;
		} elsif (/^( *)```(.*)/) {
			$block = { where => "$page:$number", section => $section, indent => length $1, kind => $2, text => '' };
		} elsif ($block) {
			$block->{text} .= s/^ {$block->{indent}}//r . "\n";
		} elsif (/^(?: {4,}|\t)/) {
			push @blocks, { where => "$page:$number", section => $section, kind => 'none', text => $_ };
		} elsif (/^## /) {
			$section = {};
		} elsif (/^\| figure \|/) {
			$section->{has_figures} = 1;
		}
	}
	push @blocks, { %$block, kind => 'a fence without an end' } if $block;
	for (@blocks) {
		$_->{page} = $page;
		$_->{commands} = $_->{kind} eq 'sh' ? [map { [$_, ''] } commands_of($_->{text})] : [];
		push @{$_->{commands}}, [$1, $2] while $_->{kind} eq 'console' && $_->{text} =~ /^\$ (.*)\n((?:(?!\$ ).*\n)*)/mg;
	}
	return @blocks;
}

# A line without what differs from run to run: numbers with their units, bars, maps.
sub shape {
	my $line = shift;

	$line =~ s/(?:\xe2\x96[\x81-\x88])+//g;
	$line =~ s/(?<= )[PMSUpsmu.]{32,}$/CELLS/;
	$line =~ s/\b0x[0-9a-f]+\b/#/g;
	$line =~ s/(?<![\w.-])[-+]?\d[\d.,:]*(?:[kKMGT%]|[num]?s)?(?!\w)/#/g;
	return join ' ', split ' ', $line;
}

# The lines of the page that nothing printed has the shape of.
sub missing_of {
	my ($shown, $printed) = @_;
	my %printed = map { shape($_) => 1 } split /\n/, $printed;

	return grep { !$printed{shape($_)} } grep { /\S/ } split /\n/, $shown;
}

# --- in a VM ---

# From here on files can be written, the checkout's included, and what was written is gone with the VM.
sub enter_copy {
	my $root = '/run/root';
	my $overlay = sub {
		my ($lower, $name) = @_;
		return "mkdir -p $root /run/$name/upper /run/$name/work && mount -t overlay -o " .
			"lowerdir=$lower,upperdir=/run/$name/upper,workdir=/run/$name/work none $root" . ($lower eq '/' ? '' : $lower);
	};
	my $here = POSIX::getcwd();

	for ($overlay->('/', 'host'), map({ "mount --rbind $_ $root$_" } qw(/proc /sys /dev /tmp)), $overlay->($here, 'checkout')) {
		system('sh', '-c', $_) and die "$_: $?";
	}
	chroot $root and chdir $here or die "$root: $!";
}

# What a host has installed that this VM lacks: the running kernel's own modules, as far as KVM needs them, ours from the
# package, and what the pages take for given.
sub install_rest {
	my $modules_built = shift;
	my $release = (POSIX::uname())[2];
	my $modules = "$ENV{MEMATTR_CACHE}/debian/$release/image/modules";

	$ENV{PATH} = POSIX::getcwd() . "/build/bin:$ENV{PATH}";
	$ENV{dir} = $modules_built;
	for ('mkdir -p /var/lib/prometheus/node-exporter', 'cp ' . WRITTEN . '/*.bpf.o build/bpf',
	     'install -D -t /usr/share/memattr tools/scripts/*',
	     -d $modules ? ("install -D -t /lib/modules/$release/kernel $modules/*.ko",
			    "install -D -t /lib/modules/$release/updates/memattr $modules_built/kvm*.ko",
			    "cd /lib/modules/$release && touch modules.order modules.builtin modules.builtin.modinfo && depmod") : ()) {
		system('sh', '-c', $_) and die "$_: $?";
	}
}

# A guest that converts all the time, as $pid; and another one under a policy where the page shows two.
sub begin_guests {
	my ($wants_two, @mode) = @_;
	my @guests = start_guest(qw(--name vm1 --scenario churn --mem 4 --rate 10 --duration 10000), @mode);

	$ENV{pid} = $guests[0]{pid};
	tmux("set-environment -g pid $ENV{pid}");
	if ($wants_two) {
		push @guests, start_guest(qw(--name vm2 --scenario churn --mem 4 --rate 10 --duration 10000));
		push @guests, load_policy('ratelimit', '--pid', $guests[1]{pid}, 'rate=5');
	}
	go_guest($_) for grep { $_->{vm_fd} } @guests;
	return @guests;
}

# A shell for a page: its variables stay.
sub start_shell {
	my $shell = start('bash');

	$shell->{in}->autoflush(1);
	return $shell;
}

# A command may exchange KVM only when nothing holds it any more: the kernel frees BPF programs some time after their tool
# has ended.
sub wait_for_free_kvm {
	my $end = time + PATIENCE_S;

	for my $module (grep { -e "/sys/module/$_" } qw(kvm_amd kvm_intel kvm)) {
		my $holders = () = glob "/sys/module/$module/holders/*";

		select undef, undef, undef, 0.1 while read_file("/sys/module/$module/refcnt") > $holders && time < $end;
	}
}

# What waits for good is named.
my $running = 'nothing';
$SIG{ALRM} = sub { die "no end of: $running\n" };

# A command as a part of a test's name, which has one line.
sub title {
	return shift =~ s/(?: \\)?\n */ /gr;
}

sub runs {
	my ($shell, $name, $command, $shown) = @_;
	my $quoted = ($running = $command) =~ s/'/'\\''/gr;

	wait_for_free_kvm() if $command =~ /^modprobe -r /;

	print {$shell->{in}} "pid=$ENV{pid}\n" if $ENV{pid};
	print {$shell->{in}} "eval '$quoted' </dev/null >/tmp/printed 2>&1; echo \$?\n";
	my $status = readline($shell->{out}) // 'gone';
	my $printed = read_file('/tmp/printed');
	is($status, "0\n", "$name: " . title($command)) or diag($printed);
	is(join("\n", missing_of($shown, $printed)), '', "$name: and prints what the page shows") or diag($printed) if $shown;
}

# A command that runs until Ctrl-C: in a terminal of its own.
sub begins {
	my ($name, $command, $said, $status) = @_;
	my $process = start('setsid', 'bash', '-c', "exec 2>&1\n$command");

	$running = $process->{command} = $command;
	$process->{status} = $status // 0;
	while ($process->{text} !~ $said) {
		defined(my $line = readline $process->{out}) or last;
		$process->{text} .= $line;
	}
	like($process->{text}, $said, "$name: begins: " . title($command));
	return $process;
}

sub ends {
	my ($name, $process) = @_;

	kill 'INT', -$process->{pid};
	is(stop($process), $process->{status}, "$name: Ctrl-C ends it: " . title($process->{command})) or diag($process->{text});
}

sub shows {
	my ($name, $command, $shown) = @_;
	my $width = List::Util::max(WIDTH, map { length Encode::decode('UTF-8', $_) } split /\n/, $shown);
	my @missing;

	start_on_screen(qr/\S/, $width, HEIGHT, $command);
	ok(comes(sub { !(@missing = missing_of($shown, shift)) }), "$name: shows what the page shows: $command")
		or diag("not on the screen:\n", join("\n", @missing), "\nbut:\n", screen());
	press('q');
	see_end("$name: q ends it");
}

sub needs_guest {
	my $block = shift;

	return grep({ $_->[0] =~ $screen || $_->[0] =~ /\$pid\b|^bpftrace/ } @{$block->{commands}}) ? 1 : 0;
}

sub do_block {
	my ($shell, $block) = @_;
	my @guests = needs_guest($block) ?
		begin_guests(scalar($block->{text} =~ /vm2/), host_of($block) eq 'debian' ? '--in-place' : ()) : ();
	my @begun;

	for (@{$block->{commands}}) {
		my ($command, $shown) = @$_;
		my ($stay) = grep { $command =~ $_->[0] } @stay;

		if ($command =~ $screen) {
			shows($block->{where}, $command, $shown);
		} elsif ($stay) {
			push @begun, begins($block->{where}, $command, @$stay[1, 2]);
		} else {
			runs($shell, $block->{where}, $command, $shown);
		}
	}
	ends($block->{where}, $_) for @begun;
	stop($_, 'KILL') for @guests;
}

sub follow {
	($ENV{MEMATTR_CACHE}, my ($host, $modules_built)) = @_;

	my @blocks = @{Storable::retrieve(WRITTEN . "/$host")};

	enter_copy();
	install_rest($modules_built);
	start_tmux();
	# Guests need the patched KVM, which is there at first; commands may exchange it.
	for my $with_guest (1, 0) {
		my @now = grep { needs_guest($_) == $with_guest } @blocks;

		for my $page (List::Util::uniq(map { $_->{page} } @now)) {
			my $shell = start_shell();

			do_block($shell, $_) for grep { $_->{page} eq $page } @now;
			close $shell->{in};
			is(stop($shell), 0, "$page: the shell is there to the end");
		}
	}
}

# --- without a VM ---

# Each block is of a known kind, and each exception is needed.
sub kinds_are_known {
	my @blocks = @_;
	my @commands = map { map { $_->[0] } @{$_->{commands}} } @blocks;
	my @unknown = map { "$_->{where}: $_->{kind}: $_->{text}" } grep { !$kinds{$_->{kind}} } @blocks;

	is("@unknown", '', 'each block says of what kind it is');
	for my $begin (sort keys %not_run) {
		ok(scalar grep({ index($_, $begin) == 0 } @commands), "there is a command '$begin...', which $not_run{$begin}");
	}
	my $makefile = read_file("$checkout/Makefile");
	for (sort map { /^make ([a-z-]+)/ } @commands) {
		like($makefile, qr/^(?:[a-z-]+ )*$_\b.*:(?!=)/m, "make $_: there is such a target");
	}
}

# What the reader is to save as a file, built as `make policies` would.
sub write_files {
	my $page = shift;
	my @objects;

	system('rm', '-rf', WRITTEN);
	mkdir WRITTEN or die WRITTEN . ": $!";
	while ($page =~ /^Save this as `bpf\/(\w+)\.bpf\.c`:\n\n```c\n(.*?)^```$/msg) {
		write_file(WRITTEN . "/$1.bpf.c", $2);
		push @objects, WRITTEN . "/$1.bpf.o";
	}
	ok(@objects && !system('make', '-s', @objects), 'the files to save can be built: ' . @objects);
}

# The commands that run here. What an earlier page has said for the same host is not run again.
sub commands_to_run {
	my ($block, $said) = @_;
	my ($host, $page) = (host_of($block), $block->{page});
	my @commands;

	for (@{$block->{commands}}) {
		my ($command, $shown) = @$_;
		my $first = $said->{"$host " . join ' ', split ' ', $command =~ s/ +# .*//r} //= $page;

		push @commands, $_ if ($shown || $first eq $page) && !grep { index($command, $_) == 0 } keys %not_run;
	}
	return \@commands;
}

# What each host is to run. Nothing is parsed in a VM, where a shell that looks at one command takes a quarter of a second.
sub save_blocks {
	my %said;
	my @blocks = grep { @{$_->{commands}} } map { +{ %$_, commands => commands_to_run($_, \%said) } } @_;

	for my $host (sort keys %hosts) {
		my @here = grep { host_of($_) eq $host } @blocks;

		ok(scalar @here, "$host: there are commands");
		Storable::store(\@here, WRITTEN . "/$host");
	}
}

chdir $checkout or die "$checkout: $!";
s{^\Q$checkout/}{} for @pages;
run_parts(LIMIT_S, { follow => \&follow }, sub {
	my @blocks = map { blocks_of($_) } @pages;
	my $cache = $ENV{MEMATTR_CACHE} // ($ENV{XDG_CACHE_HOME} // "$ENV{HOME}/.cache") . '/memattr';

	kinds_are_known(@blocks);
	write_files(read_file('docs/policies.md'));
	save_blocks(@blocks);
	chomp(my $modules_built = qx(KVM_SW_PROTECTED_VM=y kernel-patches/kernel modules));
	in_vm('follow', $hosts{$_}, LIMIT_S, $cache, $_, $modules_built) for sort keys %hosts;
});
