#!/bin/sh
# ncurses tells of Enter as '\r' instead of '\n' if the key comes right after an event of the mouse.
#
# Version:  ncurses 6.4 (Debian 12: 6.4-4).
# Expected: In nl() mode, the default, curs_outopts(3x) has the return key translated into newline on
#           input; a program that handles '\n' and KEY_ENTER knows each Enter.
# Seen:     Enter by itself is 10. If the event of a click and Enter are there at once, getch() reads
#           both to see whether the mouse goes on, gives KEY_MOUSE, and then gives Enter as 13.
# Effect:   Click a row, press Enter, and nothing happens, if the terminal, ssh or tmux sends both in
#           one piece. Only fast hands and tests meet it. Taking '\r' for '\n' mends it.
#
# Needs apt-get, dpkg-deb and gcc; the packages have 1.1 MB. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

version=6.4-4
for package in libncursesw6 libtinfo6 libncurses-dev ncurses-base; do
	apt-get -qq -o APT::Sandbox::User=root download "$package=$version" ||
		{ echo "not tried: $package=$version is not offered here; run apt-get update" >&2; exit 2; }
done
for package in ./*.deb; do
	dpkg-deb -x "$package" root
done

# Prints the keys that a program at a terminal gets when $1 is typed at once.
cat > keys.c <<'C'
#include <curses.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_keys(const char *log)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	FILE *file = fopen(log, "w");
	MEVENT event;
	int key = 0;

	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	mouseinterval(0);
	mousemask(ALL_MOUSE_EVENTS, NULL);
	refresh();
	while (key != 'q') {
		poll(&input, 1, 1000);
		while (key != 'q' && (key = getch()) != ERR) {
			fprintf(file, key == KEY_MOUSE ? "mouse " : "%d ", key);
			while (key == KEY_MOUSE && getmouse(&event) == OK)
				;
		}
	}
	endwin();
	return fclose(file);
}

int main(int argc, char **argv)
{
	struct winsize size = { 24, 80, 0, 0 };
	char screen[4096];
	int terminal;
	pid_t child = forkpty(&terminal, NULL, NULL, &size);

	if (!child)
		exit(argc != 3 || read_keys(argv[1]));
	/* What it draws comes once it takes keys. */
	read(terminal, screen, sizeof(screen));
	usleep(300000);
	write(terminal, argv[2], strlen(argv[2]));
	usleep(300000);
	write(terminal, "q", 1);
	while (read(terminal, screen, sizeof(screen)) > 0)
		;
	return waitpid(child, NULL, 0) != child;
}
C
libraries=$(echo "$PWD"/root/lib/*-linux-gnu)
gcc -Wno-unused-result -Iroot/usr/include keys.c -o keys "$libraries"/lib*.so.6 ||
	{ echo "not tried: gcc can't compile here" >&2; exit 2; }
LD_LIBRARY_PATH=$libraries
TERMINFO=$PWD/root/lib/terminfo
TERM=xterm
export LD_LIBRARY_PATH TERMINFO TERM

keys_of() {
	./keys log "$1" > /dev/null
	cat log
}

press=$(printf '\033[<0;1;1M')
alone=$(keys_of "$(printf '\rx')")
after=$(keys_of "$press$(printf '\rx')")
echo "ncurses $version, Enter and x: $alone"
echo "a press of a button, Enter and x: $after"
[ "$alone" = "10 120 113 " ] || { echo "CHANGED: Enter by itself is not 10"; exit 1; }
[ "$after" = "mouse 13 120 113 " ] || { echo "CHANGED: Enter after the mouse is not 13"; exit 1; }
echo "as described: Enter right after an event of the mouse is not translated"
