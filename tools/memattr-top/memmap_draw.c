// SPDX-License-Identifier: GPL-2.0
/* Draws the map of a VM's memory, and handles its keys. */
#include "memmap_view.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "figures.h"
#include "screen.h"

#define PAGE_SHIFT	12
#define LABEL_WIDTH	16
/* A line has a power of two of cells, so that its address is round. */
#define COLUMNS_MIN	8
/* Lines of text below the map. */
#define TEXT_LINES	3
#define ZOOM_STEP	1

/* The part of the map that is on the screen, as the keys have left it. */
static struct {
	uint64_t birth;		/* of the VM */
	uint64_t gfn_start;	/* the first cell */
	uint64_t cursor;	/* a gfn */
	unsigned int order;
	bool zoomed;		/* false: all of the memory is shown */
	bool by_faults;
	int y, columns, lines;	/* of the cells, when they were drawn last */
} screen;

static uint64_t cell_pages(void)
{
	return 1ULL << screen.order;
}

static uint64_t cell_count(void)
{
	return (uint64_t)screen.columns * screen.lines;
}

static void set_size(int y, int end)
{
	screen.y = y;
	screen.lines = end - y - TEXT_LINES;
	screen.columns = COLUMNS_MIN;
	while (screen.columns * 2 <= COLS - LABEL_WIDTH)
		screen.columns *= 2;
}

/* Moves the part that is shown as little as is needed to have the cursor in it. */
static void follow_cursor(uint64_t memory_end)
{
	uint64_t line = cell_pages() * screen.columns, page = line * screen.lines;

	if (screen.cursor >= memory_end)
		screen.cursor = memory_end - 1;
	if (screen.cursor < screen.gfn_start)
		screen.gfn_start = screen.cursor;
	screen.gfn_start -= screen.gfn_start % line;
	if (screen.cursor >= screen.gfn_start + page)
		screen.gfn_start = screen.cursor - screen.cursor % line - page + line;
}

/* Decides which part of the memory is shown. */
static void settle(const struct snapshot_vm *vm, uint64_t memory_end)
{
	unsigned int all = map_fit(0, memory_end, cell_count());

	if (screen.birth != vm->birth) {
		screen.birth = vm->birth;
		screen.zoomed = false;
		screen.gfn_start = screen.cursor = 0;
	}
	if (!screen.zoomed || screen.order > all)
		screen.order = all;
	if (!screen.zoomed)
		screen.gfn_start = 0;
	follow_cursor(memory_end);
}

/* Hot cells stand out without colours, too: they are in capitals, and bold. */
static chtype cell_look(const struct map_cell *cell, int heat)
{
	static const char letters[] = {
		[MAP_SHARED] = 's', [MAP_PRIVATE] = 'p', [MAP_NOT_KNOWN] = 'u', [MAP_MIXED] = 'm', [MAP_NOTHING] = '.',
	};
	static const chtype heats[MAP_HEAT_MAX + 1] = { A_DIM, A_NORMAL, A_NORMAL, A_BOLD };
	unsigned int kind = map_cell_kind(cell);
	chtype tint = kind == MAP_PRIVATE ? tint_of(COLOUR_PRIVATE) : kind == MAP_MIXED ? tint_of(COLOUR_WARNING) : 0;
	unsigned char letter = letters[kind];

	return (heat >= 2 ? (chtype)toupper(letter) : letter) | heats[heat] | tint;
}

static int heat_of(const struct map_cell *cell, const struct pair *pair)
{
	return screen.by_faults ? map_heat_by_faults(cell, pair->before ? pair->seconds : 0) :
				  map_heat_by_age(cell, pair->now->time_ns);
}

static void draw_cells(const struct map_grid *grid, const struct pair *pair)
{
	uint64_t cursor = (screen.cursor - grid->gfn_start) >> grid->order;
	char label[LABEL_WIDTH + 1];

	for (int line = 0; line < grid->lines; line++) {
		uint64_t gfn = grid->gfn_start + ((uint64_t)line * grid->columns << grid->order);

		snprintf(label, sizeof(label), "0x%-12" PRIx64, gfn << PAGE_SHIFT);
		put(screen.y + line, 0, label);
		for (int column = 0; column < grid->columns; column++) {
			uint64_t at = (uint64_t)line * grid->columns + column;
			chtype look = cell_look(&grid->cells[at], heat_of(&grid->cells[at], pair));

			mvaddch(screen.y + line, LABEL_WIDTH + column, look | (at == cursor ? A_REVERSE : 0));
		}
	}
}

static void draw_legend(int y)
{
	char text[160], size[16];

	map_size_text(cell_pages(), size, sizeof(size));
	snprintf(text, sizeof(text), "cell %s  p private s shared m mixed u n/a . none  P %s", size,
		 screen.by_faults ? ">=10 faults/s, bold >=100" : "changed <30 s, bold <2 s");
	put(y, 0, text);
}

static void draw_cursor(int y, const struct map_grid *grid, const struct pair *pair, uint64_t birth)
{
	const struct map_cell *cell = &grid->cells[(screen.cursor - grid->gfn_start) >> grid->order];
	uint64_t gfn = screen.cursor & ~(cell_pages() - 1);
	char text[192];

	map_cell_text(cell, gfn, grid->order, map_run_at(pair->now, birth, screen.cursor), text, sizeof(text));
	put(y, 0, text);
	map_history_text(cell, pair->now->time_ns, pair->now->measured, text, sizeof(text));
	put(y + 1, 0, text);
}

void map_draw(int y, int end, const struct pair *pair, const struct snapshot_vm *vm)
{
	uint64_t memory_end = map_end(pair->now, vm->birth);
	struct map_grid grid;

	set_size(y, end);
	if (screen.lines < 1)
		return;
	if (!memory_end) {
		put(y, 0, vm->birth ? "reading the VM's memslots" : "the VM has had no event so far");
		return;
	}
	settle(vm, memory_end);
	grid = (struct map_grid){
		.gfn_start = screen.gfn_start, .order = screen.order, .columns = screen.columns, .lines = screen.lines,
		.cells = calloc(cell_count(), sizeof(*grid.cells)),
	};
	if (!grid.cells)
		return;
	map_fill(&grid, pair->before, pair->now, vm->birth);
	draw_cells(&grid, pair);
	draw_legend(y + grid.lines);
	draw_cursor(y + grid.lines + 1, &grid, pair, vm->birth);
	free(grid.cells);
}

static void move_cursor(int64_t cells, uint64_t memory_end)
{
	uint64_t pages = (uint64_t)llabs(cells) << screen.order;

	if (cells < 0)
		screen.cursor = screen.cursor > pages ? screen.cursor - pages : 0;
	else
		screen.cursor = screen.cursor + pages < memory_end ? screen.cursor + pages : memory_end - 1;
}

/* Keeps the cursor in the middle of the screen. */
static void zoom(bool in)
{
	uint64_t half;

	if (in && screen.order)
		screen.order -= ZOOM_STEP;
	if (!in && screen.order < MAP_ORDER_MAX)
		screen.order += ZOOM_STEP;
	screen.zoomed = true;
	half = cell_count() / 2 << screen.order;
	screen.gfn_start = screen.cursor > half ? screen.cursor - half : 0;
}

/* Shows the next memslot as large as the screen allows. If there is only one, this is the next one, too. */
static void show_next_slot(const struct pair *pair, const struct snapshot_vm *vm, uint64_t memory_end)
{
	uint64_t start, end;

	if (!map_next_slot(pair->now, vm->birth, screen.cursor, &start, &end) &&
	    !map_next_slot(pair->now, vm->birth, memory_end, &start, &end))
		return;
	screen.zoomed = true;
	screen.order = map_fit(start, end, cell_count() - screen.columns);
	screen.cursor = screen.gfn_start = start;
}

/* A click moves the cursor, the wheel moves by lines. */
static void use_event(const MEVENT *event, uint64_t memory_end)
{
	uint64_t gfn;
	int at;

	if (event->bstate & BUTTON4_PRESSED)
		move_cursor(-screen.columns, memory_end);
	else if (event->bstate & BUTTON5_PRESSED)
		move_cursor(screen.columns, memory_end);
	if (!(event->bstate & MOUSE_CLICK) || event->x < LABEL_WIDTH ||
	    event->x >= LABEL_WIDTH + screen.columns || event->y < screen.y || event->y >= screen.y + screen.lines)
		return;
	at = (event->y - screen.y) * screen.columns + event->x - LABEL_WIDTH;
	gfn = screen.gfn_start + ((uint64_t)at << screen.order);
	screen.cursor = gfn < memory_end ? gfn : memory_end - 1;
}

static void use_mouse(uint64_t memory_end)
{
	MEVENT event;

	while (getmouse(&event) == OK)
		use_event(&event, memory_end);
}

static bool cursor_key(int key, uint64_t memory_end)
{
	const int64_t page = (int64_t)cell_count();

	switch (key) {
	case KEY_LEFT:
		move_cursor(-1, memory_end);
		return true;
	case KEY_RIGHT:
		move_cursor(1, memory_end);
		return true;
	case KEY_UP:
		move_cursor(-screen.columns, memory_end);
		return true;
	case KEY_DOWN:
		move_cursor(screen.columns, memory_end);
		return true;
	case KEY_PPAGE:
		move_cursor(-page, memory_end);
		return true;
	case KEY_NPAGE:
		move_cursor(page, memory_end);
		return true;
	case KEY_HOME:
		screen.cursor = 0;
		return true;
	case KEY_END:
		screen.cursor = memory_end - 1;
		return true;
	case KEY_MOUSE:
		use_mouse(memory_end);
		return true;
	}
	return false;
}

bool map_key(int key, const struct pair *pair, const struct snapshot_vm *vm)
{
	uint64_t memory_end = map_end(pair->now, vm->birth);

	/* Nothing has been drawn that a key could be about. */
	if (!memory_end || screen.birth != vm->birth)
		return false;
	switch (key) {
	case 'z':
	case '+':
		zoom(true);
		return true;
	case 'Z':
	case '-':
		zoom(false);
		return true;
	case 'n':
		show_next_slot(pair, vm, memory_end);
		return true;
	case 'c':
		screen.by_faults = !screen.by_faults;
		return true;
	}
	return cursor_key(key, memory_end);
}
