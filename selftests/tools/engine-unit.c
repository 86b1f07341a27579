// SPDX-License-Identifier: GPL-2.0
/* The engine of the tools with a clock that the test turns: 48 hours pass in seconds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch.h"
#include "figures.h"
#include "history.h"
#include "saved.h"
#include "unzip.h"
#include "vm_table.h"

#define SECOND_NS	1000000000ULL
#define HOURS_48_S	(48 * 3600)
#define START_NS	(7 * SECOND_NS + 123456789)

/* Returns a name that nobody else has, valid until the next call. */
static const char *temporary(const char *what)
{
	static char name[64];

	snprintf(name, sizeof(name), "/tmp/engine-unit-%d.%s", getpid(), what);
	return name;
}

/* --- intervals --- */

static void test_interval(void **state)
{
	struct interval interval = {};

	(void)state;
	interval_start(&interval, START_NS, 0.2);
	assert_int_equal(interval.deadline_ns, START_NS + 200000000);
	/* Whatever the delay, the next deadline is on the grid. */
	interval_next(&interval, START_NS + 200000000 + 90000000);
	assert_int_equal(interval.deadline_ns, START_NS + 400000000);
	assert_int_equal(interval.missed, 0);
	/* After four seconds that were missed: one deadline, and none that comes at once. */
	interval_next(&interval, START_NS + 4390000000);
	assert_int_equal(interval.deadline_ns, START_NS + 4600000000);
	assert_int_equal(interval.missed, 20);
	interval_next(&interval, START_NS + 4600000000);
	assert_int_equal(interval.deadline_ns, START_NS + 4800000000);
}

/* --- a run of two days --- */

static struct {
	uint64_t now_ns, end_ns;
	uint64_t waits, late_most_ns;
	unsigned int seed;
} fake;

static uint64_t fake_now(void)
{
	return fake.now_ns;
}

/* Wakes up to 50 ms late, and once for ten minutes: the host was suspended. */
static bool fake_wait(uint64_t deadline_ns)
{
	uint64_t late_ns;

	assert_true(deadline_ns > fake.now_ns);
	fake.seed = fake.seed * 1103515245 + 12345;
	late_ns = (fake.seed >> 8) % 50000000;
	assert_int_equal((deadline_ns - START_NS) % SECOND_NS, 0);
	fake.now_ns = deadline_ns + late_ns;
	if (++fake.waits == 1000)
		fake.now_ns += 600 * SECOND_NS;
	return fake.now_ns < fake.end_ns;
}

static const struct clock fake_clock = { fake_now, fake_wait };

/* A collector whose VMs come and go, in the slots of a real table. */
static struct vm_slot slots[VM_SLOTS];
static struct vm_table table;
static __u32 epoch;
static uint64_t births, snapshots;
static struct mallinfo2 early, late;

static void live_and_die(void)
{
	struct vm_slot *slot = &slots[snapshots / 60 % 8];

	/* There is always one that stays. */
	if (!snapshots)
		slots[8] = (struct vm_slot){ .birth = ++births, .pid = getpid(), .comm = "vmm", .dir = "1-3" };
	if (snapshots % 60)
		return;
	if (slot->birth)
		slot->ended = 1;
	else
		*slot = (struct vm_slot){ .birth = ++births, .pid = getpid(), .comm = "vmm", .dir = "1-2" };
}

static uint64_t counted(const struct snapshot_vm *vm)
{
	return ((const struct top_vm *)vm)->numbers.exits;
}

/* Twice as fast at the end: the last bars are full, the others half; a wound-back record adds no sample. */
static void test_history(void **state)
{
	struct history history = {};
	struct snapshot *s;
	uint64_t exits = 0;
	char text[64];

	(void)state;
	setlocale(LC_ALL, "C");
	for (int i = 0; i <= HISTORY_SAMPLES; i++) {
		struct top_vm *vm;

		if (i == 3) {
			history_text(&history, &(struct snapshot_vm){ .pid = 5, .fd = 3 }, 4, text, sizeof(text));
			assert_string_equal(text, "  ##");
		}

		s = snapshot_new(top_lists, 1);
		vm = snapshot_add(s, 0);
		exits += i > HISTORY_SAMPLES / 2 ? 200 : 100;
		vm->vm = (struct snapshot_vm){ .birth = 1, .pid = 5, .fd = 3 };
		vm->numbers.exits = exits;
		s->time_ns = (i + 1) * SECOND_NS;
		history_add(&history, s, counted);
		if (i < HISTORY_SAMPLES)
			snapshot_free(s);
	}
	history_text(&history, snapshot_item(s, 0, 0), 4, text, sizeof(text));
	assert_string_equal(text, "==##");
	((struct top_vm *)snapshot_item(s, 0, 0))->numbers.exits = 0;
	history_add(&history, s, counted);
	history_text(&history, snapshot_item(s, 0, 0), 4, text, sizeof(text));
	assert_string_equal(text, "==##");
	((struct top_vm *)snapshot_item(s, 0, 0))->vm.pid = 6;
	history_text(&history, snapshot_item(s, 0, 0), 4, text, sizeof(text));
	assert_string_equal(text, "");
	snapshot_free(s);
	history_free(&history);
}

/* What is saved is read again; what is damaged or of another version changes nothing. */
static void test_saved(void **state)
{
	static const struct tool tool = { .name = "engine-unit", .sheets = sheets, .sheet_count = SHEET_COUNT };
	const struct saved saved = { 0.5, true, SHEET_CONVERSIONS, { [SHEET_CONVERSIONS] = { 3, true } } };
	struct saved again = {};
	const char *folder = temporary("config");
	char path[256];
	FILE *file;

	(void)state;
	setenv("XDG_CONFIG_HOME", folder, 1);
	assert_int_equal(saved_write(&tool, &saved, path, sizeof(path)), 0);
	saved_read(&tool, &again);
	assert_memory_equal(&again, &saved, sizeof(saved));
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("delay 0.001\ndelay nan\nview nonesuch\nsort vms nonesuch\nreverse\n\ntotals and more\nsort conversions pid\n", file);
	fclose(file);
	saved_read(&tool, &again);
	assert_true(again.delay_s == 0.5 && again.sheet == SHEET_CONVERSIONS);
	assert_int_equal(again.orders[SHEET_CONVERSIONS].sort, 0);
	remove(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path) | rmdir(folder), 0);
	setenv("XDG_CONFIG_HOME", "/proc/nowhere", 1);
	assert_true(saved_write(&tool, &saved, path, sizeof(path)) < 0);
}

/* A VM came between the two readings that a list is made of: its descriptor is known, its folder is not. */
static void test_listed_without_folder(void **state)
{
	struct vm listed = { .id = 7, .pid = getpid(), .fd = 5, .name = "guest" };

	(void)state;
	slots[0] = (struct vm_slot){ .birth = 1, .id = 7, .pid = getpid(), .comm = "vmm", .dir = "1-5" };
	table = (struct vm_table){ .shared = slots, .epoch = &epoch, .watch = -1, .list = { .vms = &listed, .count = 1 } };
	vm_table_update(&table, true);
	assert_string_equal(table.owners[0].vm.name, "guest");
	assert_string_equal(table.owners[0].vm.dir, "1-5");
	assert_int_equal(table.owners[0].vm.creator_tid, 1);
	slots[0] = (struct vm_slot){};
}

static void *open_fake(const struct args *args, struct diag *why)
{
	(void)args;
	(void)why;
	table = (struct vm_table){ .shared = slots, .epoch = &epoch, .watch = -1 };
	return &table;
}

static void close_fake(void *collector)
{
	(void)collector;
}

static struct snapshot *take_fake(void *collector)
{
	struct snapshot *s = snapshot_new(top_lists, 1);

	(void)collector;
	live_and_die();
	s->time_ns = fake.now_ns;
	s->measured = MEASURE_EXITS;
	vm_table_update(&table, true);
	for (uint32_t i = 0; i < VM_SLOTS; i++) {
		const struct vm_owner *owner = &table.owners[i];
		struct top_vm *vm = owner->listed ? snapshot_add(s, 0) : NULL;

		if (!vm)
			continue;
		vm_table_identify(&vm->vm, &owner->vm, owner->birth, owner->ended);
		vm->numbers.exits = fake.now_ns / 1000;
	}
	vm_table_release(&table);
	snapshot_sort(s);
	/* An hour after the start everything has its size. */
	if (++snapshots == 3600)
		early = mallinfo2();
	late = mallinfo2();
	return s;
}

static uint64_t lengths[2];	/* of intervals, in seconds: one, and others */

static int check_interval(FILE *out, const struct tool *tool, const struct snapshot *before,
			  const struct snapshot *now, const struct args *args)
{
	uint64_t ns = now->time_ns - before->time_ns;

	(void)out;
	(void)tool;
	(void)args;
	lengths[ns < SECOND_NS - 60000000 || ns > SECOND_NS + 60000000]++;
	return 0;
}

static void empty_text(char *text, size_t size, const struct snapshot *now, pid_t pid)
{
	(void)now;
	snprintf(text, size, "no VM of %d", pid);
}

static void test_two_days(void **state)
{
	static const struct format format = { .interval = check_interval };
	struct tool tool = {
		.name = "engine-unit", .sheets = sheets, .sheet_count = SHEET_COUNT, .lists = top_lists,
		.list_count = 1, .measures = (const char *const []){ "exits", NULL },
		.open = open_fake, .snapshot = take_fake, .close = close_fake,
		.empty_text = empty_text,
	};
	const struct args args = { .format = &format, .delay_s = 1, .record = temporary("record") };
	struct source source;
	struct diag why = {};
	struct stat stats;

	(void)state;
	fake.now_ns = START_NS;
	fake.end_ns = START_NS + HOURS_48_S * SECOND_NS;
	assert_int_equal(source_open(&source, &tool, &args, &why), EXIT_OK);
	assert_int_equal(batch_run(&tool, &source, &args, &fake_clock), EXIT_OK);
	/* No deadline drifted; ten minutes were one interval, which ended off the grid, and so did its successor. */
	assert_int_equal(fake.waits, HOURS_48_S - 600);
	assert_true(lengths[1] >= 1 && lengths[1] <= 2);
	/* Nothing grew but the record, by what its few VMs take. */
	assert_true(late.uordblks <= early.uordblks + 4096);
	assert_int_equal(stat(args.record, &stats), 0);
	assert_true(stats.st_size > 0 && stats.st_size < HOURS_48_S * 2000LL);
	assert_true(births > 1000);
	unlink(args.record);
}

/* --- output files --- */

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_contents(const char *name, const char *expected)
{
	char text[64] = "";
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static void assert_unzips(const char *name, const char *text)
{
	FILE *plain = fopen(name, "r"), *file = plain ? unzip(plain) : NULL;
	char got[64] = "";
	size_t len;

	assert_non_null(file);
	assert_ptr_not_equal(file, plain);
	len = fread(got, 1, sizeof(got) - 1, file);
	got[len] = '\0';
	assert_string_equal(got, text);
	fclose(file);
}

/* What was flushed can be read, whether or not the file is ever closed. */
static void test_zipped_output(void **state)
{
	const char *name = temporary("gz");
	struct output output;

	(void)state;
	unlink(name);
	assert_int_equal(output_open(&output, name), 0);
	fputs("new", output.text);
	assert_int_equal(output_flush(&output), 0);
	assert_unzips(name, "new");
	fputs(" and more", output.text);
	assert_int_equal(output_flush(&output), 0);
	assert_unzips(name, "new and more");
	assert_int_equal(output_close(&output), 0);
	assert_unzips(name, "new and more");
	unlink(name);
	assert_int_equal(output_open(&output, name), 0);
	output_close(&output);
	assert_int_equal(access(name, F_OK), -1);
}

static void test_output(void **state)
{
	const char *name = temporary("out");
	struct output output;

	(void)state;
	write_file(name, "a long time of work");
	assert_int_equal(output_open(&output, name), 0);
	fputs("new", output.text);
	assert_contents(name, "a long time of work");
	assert_int_equal(output_flush(&output), 0);
	assert_contents(name, "new");
	fputs(" and more", output.text);
	assert_int_equal(output_flush(&output), 0);
	assert_int_equal(output_close(&output), 0);
	assert_contents(name, "new and more");
	/* Nothing to write: as it was. */
	assert_int_equal(output_open(&output, name), 0);
	output_close(&output);
	assert_contents(name, "new and more");
	unlink(name);
	/* Nor is a file made for nothing. */
	assert_int_equal(output_open(&output, name), 0);
	output_close(&output);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(output_open(&output, "/dev/full"), 0);
	fputs("text", output.text);
	assert_int_equal(output_flush(&output), -ENOSPC);
	output_close(&output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_listed_without_folder),
		cmocka_unit_test(test_two_days),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_zipped_output),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
