#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests the test VM's runner: what comes back from the guest, and how different
# failures are told apart.
use strict;
use warnings;
use Cwd qw(getcwd realpath);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IPC::Open2;
use Test::More;

chdir dirname(__FILE__) . '/..' or die;
my $top = getcwd();
my $kernel = $ENV{MEMATTR_KERNEL} // 'patched';
my $run = "$top/selftests/vm/run";
my $tmp = tempdir(CLEANUP => 1);
mkdir "$tmp/tmp";
# A place where the runner would put temporary files, and a mark on its processes.
$ENV{TMPDIR} = "$tmp/tmp";
$ENV{MEMATTR_TEST_ID} = "10-vm.$$";

sub slurp {
	open my $fh, '<:raw', $_[0] or die "$_[0]: $!";
	local $/;
	return <$fh> // '';
}

# Starts the runner, with its output in files.
sub start {
	my @args = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDOUT, '>', "$tmp/out";
		open STDERR, '>', "$tmp/err";
		exec $run, @args;
		die "exec: $!";
	}
	return $pid;
}

sub finish {
	waitpid $_[0], 0;
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, slurp("$tmp/out"), slurp("$tmp/err"));
}

sub vm { finish(start(@_)) }

sub processes {
	# The environment of a process that has just ended cannot be read.
	return grep { $_ != $$ && (eval { slurp("/proc/$_/environ") } // '') =~ /MEMATTR_TEST_ID=10-vm\.$$\0/ }
		map { m,/(\d+)$, } glob '/proc/[0-9]*';
}

# --- what comes back ---

my $every_byte = join('', map { chr } 0 .. 255) x 500 . "\0memattr-vm-en";
open my $fh, '>:raw', "$tmp/bytes" or die;
print $fh $every_byte;
close $fh;
my ($status, $out, $err) = vm('--kernel', $kernel, '--with', "$tmp/bytes", '--', 'sh', '-c',
	"cat $tmp/bytes; cat $tmp/bytes >/dev/stderr; printf end >&2; exit 7");
is($status, 7, 'exit status passes through');
ok($out eq $every_byte, 'stdout is the same to the byte');
ok($err eq "${every_byte}end", 'stderr is the same to the byte, and apart');

($status, $out, $err) = vm('--kernel', $kernel, '--cpus', 3, '--', 'bash', '-c', <<'END', 'zero', 'a b', q('"$x), '', '*');
check() { if eval "$2"; then echo "yes $1"; else echo "no $1"; fi; }
for arg; do echo "<$arg>"; done
check "same directory" '[ "$PWD" = "'"$PWD"'" ] && [ -x selftests/vm/run ]'
check "root, with a home" '[ "$(id -u)" = 0 ] && touch $HOME/x && [ "$LC_ALL" = C.UTF-8 ]'
check "three CPUs" '[ "$(nproc)" = 3 ]'
check "many files" '[ "$(ulimit -n)" -ge 65536 ]'
check "/dev/kvm" '[ -c /dev/kvm ] && ls /sys/module | grep -q kvm_'
check "filesystems" 'grep -q debugfs /proc/mounts && [ -d /sys/kernel/tracing/events ] && grep -q "bpf /sys/fs/bpf" /proc/mounts'
check "read-only root" '! touch /usr/x 2>/dev/null && ! touch /etc/x 2>/dev/null'
mkdir -p build && rm -f build/10-vm.$$
check "writable checkout" 'echo from the guest >build/10-vm.test'
check "BTF" '[ -s /sys/kernel/btf/vmlinux ] && [ -s /sys/kernel/btf/kvm ]'
kill -9 $$
END
is($status, 137, 'death by signal is told as a shell tells it');
like($out, qr/^<a b>\n<'"\$x>\n<>\n<\*>\n/, 'arguments arrive as given');
is(slurp('build/10-vm.test'), "from the guest\n", 'a file written to the checkout is there');
unlink 'build/10-vm.test';
is($1, 'yes', $2) while $out =~ /^(yes|no) (.*)$/mg;
is(scalar(() = $out =~ /^yes/mg), 9, 'everything in the guest was looked at');

($status, $out, $err) = vm('--kernel', $kernel, '--append', 'x.nested=3 kvm.halt_poll_ns=123', '--append', 'kvm_amd.nested=0 kvm_intel.nested=0',
	'--', 'sh', '-c', 'cat /proc/cmdline /sys/module/kvm/parameters/halt_poll_ns /sys/module/kvm_*/parameters/nested');
like($out, qr/ x\.nested=3 kvm\.halt_poll_ns=123 kvm_amd\.nested=0 kvm_intel\.nested=0\n123\n[0N]\n$/,
     'the command line is added to, and modules get their options from it');

# --- live output; the guest sees the host's changes to the checkout ---

mkdir 'build';
unlink "build/10-vm.$$";
open my $live, '-|', $run, '--kernel', $kernel, '--', 'sh', '-c',
	"echo first; until [ -e build/10-vm.$$ ]; do :; done; echo second" or die;
is(scalar <$live>, "first\n", 'output arrives while the command runs');
open $fh, '>', "build/10-vm.$$";
close $fh;
is(scalar <$live>, "second\n", 'the guest sees what the host puts into the checkout');
close $live;
unlink "build/10-vm.$$";

# --- a terminal ---

my $shell = open2(my $screen, my $keys, $run, '--kernel', $kernel, '-i', '--', 'sh');
my $shown = '';
sysread $screen, $shown, 4096, length $shown or last until $shown =~ /# $/;
syswrite $keys, "tty; echo \$((6 * 7)); exit 5\n";
$shown .= join '', <$screen>;
waitpid $shell, 0;
is($? >> 8, 5, 'interactive: exit status');
like($shown, qr,/dev/hvc0\r?\n42,, 'interactive: the command has a terminal');

# --- stock ---

SKIP: {
	chomp(my $dir = qx(kernel-patches/kernel path stock));
	skip 'the stock kernel is not built', 2 if $?;
	my ($version) = slurp("$dir/config") =~ m,Linux/x86 (\S+) Kernel,;
	($status, $out, $err) = vm(qw(--kernel stock -- uname -r));
	is($out, "$version\n", 'the stock kernel runs');
	($status, $out, $err) = vm('--kernel', $dir, '--', 'uname', '-r');
	is($out, "$version\n", 'a kernel can be named by directory');
}

# --- failures, told apart ---

# A process in the guest passes the output on: the crash must come after that, not before.
unlink "$tmp/out";
my $crashing = start('--kernel', $kernel, '--', 'sh', '-c',
	"echo before; until [ -e build/10-vm.$$ ]; do :; done; echo c >/proc/sysrq-trigger");
# It has said so, or has ended too early.
select undef, undef, undef, 0.01 until -s "$tmp/out" || slurp("/proc/$crashing/stat") =~ /\) Z /;
open $fh, '>', "build/10-vm.$$";
close $fh;
($status, $out, $err) = finish($crashing);
unlink "build/10-vm.$$";
is($status, 126, 'a crash of the guest has its own status');
is($out, "before\n", 'what was said before the crash is not lost');
like($err, qr/Kernel panic.*sysrq_handle_crash/s, 'the crash is shown with its backtrace');

($status, $out, $err) = vm('--kernel', $kernel, '--', 'sh', '-c',
	'echo "<4>WARNING: CPU: 0 PID: 1 at mm/nowhere.c:1 f+0x0/0x1" >/dev/kmsg; echo went on');
is($status, 126, 'a warning on the console is a crash although the command succeeds');
is($out, "went on\n", 'its output is passed on all the same');
like($err, qr/WARNING: .*nowhere/, 'the warning is shown');

($status, $out, $err) = vm('--kernel', $kernel, '--timeout', 12, '--', 'sh', '-c',
	'echo "<3>last words" >/dev/kmsg; exec sleep 1000');
is($status, 124, 'a hang has its own status');
like($err, qr/time limit of 12 s.*last words/s, 'the end of the console is shown with it');

($status, $out, $err) = vm('--kernel', $kernel, '--', 'no-such-command');
is($status, 127, 'a command that is not there');
like($err, qr/no-such-command: not found/, 'and its name');

{
	local $ENV{PATH} = "$tmp/tmp";
	($status, $out, $err) = vm('--kernel', $kernel, '--', 'true');
	is($status, 127, 'QEMU missing');
	like($err, qr/qemu-system-x86_64 not found.*make deps/, 'and what to do about it');
}
{
	local $ENV{MEMATTR_CACHE} = "$tmp/empty-cache";
	($status, $out, $err) = vm(qw(--kernel debug -- true));
	is($status, 125, 'kernel not built');
	like($err, qr,kernel-patches/kernel build debug,, 'and how to build it');
}
for (['no command'], ['unknown option', '--nonsense', 'x'], ['cpus', '--cpus', 0, 'true'], ['mem', '--mem', 1, 'true'],
     ['physical addresses', '--phys-bits', 53, 'true'],
     ['cpus that count instructions', '--icount', '--cpus', 3, 'true'],
     ['no such file', '--with', "$tmp/nothing", 'true'], ['no such kernel', '--kernel', $tmp, 'true']) {
	my ($name, @args) = @$_;
	($status, $out, $err) = vm(@args);
	is($status, 125, "bad usage: $name");
}
{
	local $ENV{MEMATTR_ACCEL} = 'fast';
	($status, $out, $err) = vm('true');
	is($status, 125, 'bad usage: MEMATTR_ACCEL');
}

# --- nothing stays behind ---

# Run all at once: they are independent of each other.
my %end = (INT => 130, TERM => 143, KILL => 137);
my (%pid, %said);
for my $signal (sort keys %end) {
	$pid{$signal} = open $said{$signal}, '-|', $run, '--kernel', $kernel, '--', 'sh', '-c', 'echo up; sleep 1000' or die;
}
for my $signal (sort keys %end) {
	my $up = readline $said{$signal};
	kill $signal, $pid{$signal};
	close $said{$signal};
	is($? & 127 ? 128 + ($? & 127) : $? >> 8, $end{$signal}, "SIG$signal ends the runner");
}
# The kernel kills QEMU when the runner is killed; that may take a moment.
my $left;
for (1 .. 600) {
	$left = join ' ', processes();
	last if $left eq '';
	select undef, undef, undef, 0.05;
}
is($left, '', 'no process is left');
is(join(' ', glob "$tmp/tmp/*"), '', 'no temporary file is left');

# --- instruction counting ---

# Two runs at once in different directories, with the same options and script: what each of them says, the console's
# lines included.
sub icount_twice {
	my ($script, @options) = @_;
	my (@vm, @said);
	my $here = getcwd();

	for my $i (0, 1) {
		my $directory = "$tmp/" . 'directory' x (1 + 9 * $i);
		mkdir $directory;
		chdir $directory or die "$directory: $!";
		open $vm[$i], '-|', $run, '--kernel', $kernel, '--icount', '--console', "$tmp/console$i", @options, '--',
			'bash', '-c', $script or die;
	}
	chdir $here;
	for my $i (0, 1) {
		$said[$i] = join '', readline $vm[$i];
		close $vm[$i];
		is($? >> 8, 3, 'icount: exit status');
		$said[$i] .= slurp("$tmp/console$i");
	}
	return @said;
}

my @said = icount_twice("times; exec 3<$tmp/bytes; read -N 10 -u 3; read up idle </proc/uptime; echo \$up; echo \$PWD; exit 3",
			'--with', "$tmp/bytes");
ok($said[0] eq $said[1], 'icount: two runs say the same');
like($said[0], qr/^\d+\.\d\d$/m, 'icount: the command ran');

# Field 39 is the CPU that the process is on. The kernel may leave short processes on the CPU where they began.
@said = icount_twice(<<'END', '--cpus', 2);
turns() { taskset -cp $2 $BASHPID >/dev/null; for i in {1..500}; do read -ra stat </proc/self/stat; echo "$1 on ${stat[38]}"; done; }
turns a 0 & turns b 1 & turns c 0 & turns d 1 & wait
read up idle </proc/uptime; echo $up; exit 3
END
ok($said[0] eq $said[1], 'icount, two CPUs: two runs say the same');
my @turns = $said[0] =~ /^([a-d] on [01])$/mg;
is(scalar @turns, 2000, 'icount, two CPUs: four processes ran');
is(join(' ', sort { $a <=> $b } keys %{{ map { /(\d)/ => 1 } @turns }}), '0 1', 'icount, two CPUs: on both of them');
cmp_ok(scalar(grep { substr($turns[$_], 0, 1) ne substr($turns[$_ - 1], 0, 1) } 1 .. $#turns), '>', 2,
       'icount, two CPUs: in turns');

done_testing();
