#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# Tests the tools' screens on terminals of all kinds, and in all locales: what they make of text, numbers and colours.
# Needs no VM.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use Test::More;
use lib "$FindBin::Bin/lib";
use Tool;

chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!";

my $UNIT = 'build/selftests/tools/screen-unit';

# The numbers of the colours that an escape sequence sets: 30 to 37, and bright ones.
sub colours {
	return map { /^[39][0-7]$/ ? $_ % 10 : () } map { split /;/ } $_[0] =~ /\e\[([\d;]+)m/g;
}

# Draws the texts on a terminal; comes back when they are there. The variables come first.
sub draw {
	my ($width, @words) = @_;
	my @variables = grep { /^\w+=/ } @words;
	start_on_screen(qr/coloured\s+coloured|^ended/m, $width, 24, @variables, $UNIT, 'draw', grep { !/^\w+=/ } @words);
}

sub leave {
	press('x');
	see_end("$_[0]: the terminal is as before");
}

sub locales {
	draw(80, 'LC_ALL=C.UTF-8', 'büro-7');
	see(qr/^büro-7\s*\n {74}büro-7$/m, 'UTF-8');
	leave('UTF-8');
	draw(80, 'LC_ALL=ja_JP.UTF-8', 'büro-7');
	see(qr/^büro-7\s*\n {74}büro-7$/m, 'a locale that is not installed');
	leave('a locale that is not installed');
	draw(80, 'LC_ALL=C', 'büro-7');
	see(qr/^b\?ro-7\s*\n {74}b\?ro-7$/m, 'no locale');
	leave('no locale');
}

# Where people write 0,5 figures are as everywhere, and they can still enter it.
sub decimal_comma {
	my $locales = tempdir(CLEANUP => 1);
	my @german = ("LOCPATH=$locales", 'LC_ALL=de_DE.UTF-8');
	my ($status, $out, $err) = run('localedef', qw(-i de_DE -f UTF-8), "$locales/de_DE.UTF-8");
	is($status, 0, 'there is a locale with a decimal comma') or diag($err);
	($status, $out) = run('env', @german, '/usr/bin/printf', '%.1f', '0,5');
	is($out, '0,5', 'which C programs obey');
	($status, $out) = run('env', @german, $UNIT);
	ok($status == 0 && $out =~ /^ok \d+ - a prompt takes a decimal comma$/m, 'numbers are read there as everywhere')
		or diag($out);
	draw(80, @german, 'büro-7');
	see(qr/^büro-7\s*\n {74}büro-7\n0\.5 s$/m, 'figures have a point');
	leave('a decimal comma');
}

# Each text has other characters at its end, and all of it fits in.
sub wide {
	my $text = 'x' x 590 . '-the-end';
	draw(600, $text);
	see(qr/^$text\s*\n  $text$/m, '600 columns: all of the text, from the left and from the right');
	resize(80, 24);
	leave('600 columns');
}

sub unusable {
	for my $type (qw(dumb unknown hardcopy lpr nonsense)) {
		draw(80, "TERM=$type", 'text');
		see(qr/^ended 1 sane$/m, "$type: there is no screen on it");
		unlike(screen(), qr/text/, "$type: nothing is drawn");
	}
}

sub readable_colours {
	draw(80, 'text');
	my @colours = colours(screen('-e'));
	ok(@colours >= 2, 'there are colours');
	is(join(' ', grep { $_ == 0 || $_ == 3 || $_ == 7 } @colours), '', 'none of them is black, yellow or white');
	leave('colours');
	draw(80, 'NO_COLOR=1', 'text');
	see(qr/^text/m, 'NO_COLOR');
	is(scalar(() = colours(screen('-e'))), 0, 'there are none');
	leave('NO_COLOR');
}

unit_tests_ok($UNIT, 'what needs no terminal');
start_tmux();
locales();
decimal_comma();
wide();
unusable();
readable_colours();
end_tmux();
done_testing();
