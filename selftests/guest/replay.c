// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"
#include "recording.h"
#include "replay.h"
#include "vmm.h"

#define LINE_SIZE	1024	/* twice the longest line */
#define READ_SIZE	(1 << 20)	/* a recording may be on a network */
#define QUEUE_STEPS	4096	/* how far the reader is ahead of a vCPU, at most */
#define PAGES_MAX	(WORK_SIZE_MAX / GUEST_PAGE_SIZE)
#define HUGE_PAGES	((2ull << 20) / GUEST_PAGE_SIZE)
#define GROW_PAGES	(1ull << 18)	/* 1 GiB of guest memory */

#define HOW_TO_RECORD "perf record -e kvm:kvm_memattr_convert,kvm:kvm_stage2_fault -p PID, and then: perf script >FILE"

/* What the first event of a page tells about its state before that. */
enum first_state { UNKNOWN, FIRST_SHARED, FIRST_PRIVATE };

struct timed_step {
	int64_t at_ns;
	struct guest_step step;
};

/* The numbers of steps count from the start of the run. */
struct queue {
	struct timed_step steps[QUEUE_STEPS];
	uint64_t pushed, popped, done;
};

/* A step of a vCPU, as one word. Steps are counted from 1, so that 0 stands for none. */
#define VCPU_BITS	6
_Static_assert(MAX_VCPUS <= 1 << VCPU_BITS, "the number of a vCPU fits");

struct replay {
	struct vm *vm;
	FILE *file;
	pthread_t reader;
	uint64_t vm_id;			/* 0: that of the first event */
	uint64_t tids[MAX_VCPUS];	/* of the recorded vCPUs; 0: not known */
	uint8_t *first_states;		/* enum first_state, by page */
	uint64_t known_pages;		/* how many pages that has */
	uint64_t last_page;		/* the first page that no event is about */
	uint32_t vcpus;
	uint64_t page_limit;		/* events beyond these are not replayed */
	uint32_t vcpu_limit;
	int64_t first_ns;		/* time of the first event; -1: there was none */
	struct replay_counts counts;
	struct queue *queues;
	/* By page: the last step that is about it, which no other vCPU's step may overtake. */
	uint64_t *last_steps;
	bool ended;			/* under the VM's lock, as are the queues' numbers */
};

/* --- reading ------------------------------------------------------------- */

/* Reads a line without its newline, and only the start of a line that is too long. Returns false after the last one. */
static bool read_line(FILE *file, char *line, size_t size)
{
	size_t len;
	int c = 0;

	if (!fgets(line, size, file))
		return false;
	len = strlen(line);
	if (!len || line[len - 1] != '\n')
		while (c != '\n' && c != EOF)
			c = getc(file);
	return true;
}

static uint32_t vcpu_of_tid(const struct replay *replay, uint64_t tid)
{
	for (uint32_t vcpu = 0; vcpu < replay->vcpu_limit; vcpu++)
		if (replay->tids[vcpu] == tid)
			return vcpu;
	return UNKNOWN_VCPU;
}

static bool is_inside(const struct replay *replay, const struct recorded_event *event)
{
	uint64_t base = replay->vm->opt->replay_base;
	uint64_t page;

	if (event->gpa < base || !event->pages)
		return false;
	page = (event->gpa - base) / GUEST_PAGE_SIZE;
	return page < replay->page_limit && event->pages <= replay->page_limit - page &&
	       (event->vcpu < replay->vcpu_limit || event->vcpu == UNKNOWN_VCPU);
}

/* Which of the counts the line belongs to. */
static uint64_t *count_of(struct replay *replay, enum recorded recorded,
			  const struct recorded_event *event)
{
	struct replay_counts *counts = &replay->counts;

	if (recorded == RECORDED_NOTHING)
		return &counts->unreadable_lines;
	if (recorded == RECORDED_OTHER)
		return &counts->other_events;
	if (!replay->vm_id)
		replay->vm_id = event->vm_id;
	if (event->vm_id != replay->vm_id)
		return &counts->other_vm_events;
	if (!is_inside(replay, event))
		return &counts->outside_events;
	if (recorded == RECORDED_CONVERSION)
		return event->done ? &counts->conversions : &counts->failed_conversions;
	return event->done ? &counts->touches : &counts->unmapped_faults;
}

/* Finds the next event that can be replayed, and counts all lines up to it. */
static bool next_event(struct replay *replay, struct recorded_event *event, bool *is_conversion)
{
	char line[LINE_SIZE];

	while (read_line(replay->file, line, sizeof(line))) {
		enum recorded recorded = recorded_parse(line, event);
		uint64_t *count = count_of(replay, recorded, event);

		replay->counts.lines++;
		++*count;
		if (recorded == RECORDED_FAULT && event->vcpu < MAX_VCPUS)
			replay->tids[event->vcpu] = event->tid;
		*is_conversion = count == &replay->counts.conversions;
		if (!*is_conversion && count != &replay->counts.touches)
			continue;
		if (event->vcpu == UNKNOWN_VCPU)
			event->vcpu = vcpu_of_tid(replay, event->tid);
		if (replay->first_ns < 0)
			replay->first_ns = event->time_ns;
		return true;
	}
	return false;
}

static uint64_t first_page(const struct replay *replay, const struct recorded_event *event)
{
	return (event->gpa - replay->vm->opt->replay_base) / GUEST_PAGE_SIZE;
}

/* --- the layout ---------------------------------------------------------- */

static bool make_room(struct replay *replay, uint64_t pages)
{
	uint64_t room = (pages + GROW_PAGES - 1) / GROW_PAGES * GROW_PAGES;
	uint8_t *grown;

	if (pages <= replay->known_pages)
		return true;
	grown = realloc(replay->first_states, room);
	if (!grown)
		return false;
	memset(grown + replay->known_pages, UNKNOWN, room - replay->known_pages);
	replay->first_states = grown;
	replay->known_pages = room;
	return true;
}

static bool note_layout(struct replay *replay, const struct recorded_event *event, bool is_conversion)
{
	bool private = is_conversion ? event->was_private : event->private;
	uint64_t page = first_page(replay, event), end = page + event->pages;

	if (!make_room(replay, end))
		return false;
	if (end > replay->last_page)
		replay->last_page = end;
	if (event->vcpu != UNKNOWN_VCPU && event->vcpu >= replay->vcpus)
		replay->vcpus = event->vcpu + 1;
	for (; page < end; page++)
		if (replay->first_states[page] == UNKNOWN)
			replay->first_states[page] = private ? FIRST_PRIVATE : FIRST_SHARED;
	return true;
}

/* A page without an event is as the one before it: it may be in the middle of a large range. */
static void fill_gaps(struct replay *replay)
{
	uint8_t state = UNKNOWN;

	for (uint64_t page = 0; page < replay->last_page && state == UNKNOWN; page++)
		state = replay->first_states[page];
	for (uint64_t page = 0; page < replay->known_pages; page++) {
		if (replay->first_states[page] == UNKNOWN)
			replay->first_states[page] = state;
		state = replay->first_states[page];
	}
}

static int read_layout(struct replay *replay, struct options *opt)
{
	struct recorded_event event;
	bool is_conversion;

	while (next_event(replay, &event, &is_conversion))
		if (!note_layout(replay, &event, is_conversion))
			return vm_fail(replay->vm, EXIT_STUCK, "%s", strerror(ENOMEM));
	if (ferror(replay->file))
		return vm_fail(replay->vm, EXIT_USAGE, "%s: %s", opt->replay, strerror(errno));
	if (replay->first_ns < 0)
		return vm_fail(replay->vm, EXIT_USAGE,
			       "%s: of its %" PRIu64 " lines, none is an event that can be replayed (%"
			       PRIu64 " are outside of the memory from gpa 0x%" PRIx64
			       " on, see --replay-base); record with: %s", opt->replay,
			       replay->counts.lines, replay->counts.outside_events, opt->replay_base,
			       HOW_TO_RECORD);
	fill_gaps(replay);
	/* The last pages may have been part of a huge one. */
	opt->mem_bytes = (replay->last_page + HUGE_PAGES - 1) / HUGE_PAGES * HUGE_PAGES * GUEST_PAGE_SIZE;
	opt->vcpus = replay->vcpus ? replay->vcpus : 1;
	/* The VM cannot grow any more, even if the file does. */
	replay->page_limit = opt->mem_bytes / GUEST_PAGE_SIZE;
	replay->vcpu_limit = opt->vcpus;
	return 0;
}

int replay_open(struct vm *vm, struct options *opt)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	vm->opt = opt;
	if (!replay)
		return vm_fail(vm, EXIT_STUCK, "%s", strerror(ENOMEM));
	vm->replay = replay;
	replay->vm = vm;
	replay->vm_id = opt->replay_vm;
	replay->first_ns = -1;
	replay->page_limit = PAGES_MAX;
	replay->vcpu_limit = MAX_VCPUS;
	replay->file = fopen(opt->replay, "re");
	if (!replay->file)
		return vm_fail(vm, EXIT_USAGE, "%s: %s", opt->replay, strerror(errno));
	setvbuf(replay->file, NULL, _IOFBF, READ_SIZE);
	if (fseek(replay->file, 0, SEEK_SET))
		return vm_fail(vm, EXIT_USAGE,
			       "%s: %s; it is read twice: write it to a file first", opt->replay,
			       strerror(errno));
	if (read_layout(replay, opt))
		return -1;
	if (fseek(replay->file, 0, SEEK_SET))
		return vm_fail(vm, EXIT_USAGE, "%s: %s", opt->replay, strerror(errno));
	replay->counts = (struct replay_counts){};
	return 0;
}

/* --- the initial state --------------------------------------------------- */

static uint64_t run_end(const struct replay *replay, uint64_t start, uint64_t end)
{
	uint64_t page = start;

	while (page < end && replay->first_states[page] == replay->first_states[start])
		page++;
	return page;
}

bool replay_starts_shared(const struct replay *replay)
{
	return replay->first_states[0] == FIRST_SHARED;
}

int replay_set_up(struct vm *vm)
{
	struct replay *replay = vm->replay;
	uint64_t pages = vm->opt->mem_bytes / GUEST_PAGE_SIZE, end;

	replay->queues = calloc(vm->opt->vcpus, sizeof(*replay->queues));
	replay->last_steps = calloc(pages, sizeof(*replay->last_steps));
	if (!replay->queues || !replay->last_steps)
		return vm_fail(vm, EXIT_STUCK, "%s", strerror(ENOMEM));
	for (uint64_t page = 0; page < pages; page = end) {
		bool private = replay->first_states[page] == FIRST_PRIVATE;

		end = run_end(replay, page, pages);
		if (vm_set_initial(vm, page, end - page, private))
			return -1;
	}
	return 0;
}

/* --- the run ------------------------------------------------------------- */

/* Whether all that others have to do with these pages is done. Under the VM's lock. */
static bool is_free(const struct replay *replay, uint64_t page, uint64_t end, uint32_t vcpu)
{
	for (; page < end; page++) {
		uint32_t last_vcpu = replay->last_steps[page] & (MAX_VCPUS - 1);

		if (last_vcpu != vcpu && replay->queues[last_vcpu].done < replay->last_steps[page] >> VCPU_BITS)
			return false;
	}
	return true;
}

/* Waits until the vCPU has room and may do the step. False: the VM is to stop. */
static bool push(struct replay *replay, uint32_t vcpu, const struct timed_step *step)
{
	struct queue *queue = &replay->queues[vcpu];
	uint64_t page = step->step.page, end = page + step->step.pages;
	struct vm *vm = replay->vm;
	bool stop;

	pthread_mutex_lock(&vm->lock);
	while (!vm->stop && (queue->pushed - queue->popped == QUEUE_STEPS ||
			     !is_free(replay, page, end, vcpu)))
		pthread_cond_wait(&vm->changed, &vm->lock);
	stop = vm->stop;
	if (!stop) {
		queue->steps[queue->pushed % QUEUE_STEPS] = *step;
		if (queue->pushed++ == queue->popped)
			pthread_cond_broadcast(&vm->changed);
	}
	for (; !stop && page < end; page++)
		replay->last_steps[page] = queue->pushed << VCPU_BITS | vcpu;
	pthread_mutex_unlock(&vm->lock);
	return !stop;
}

static int64_t when(const struct replay *replay, int64_t time_ns)
{
	double speed = replay->vm->opt->replay_speed;

	return speed ? replay->vm->start_ns + (int64_t)((time_ns - replay->first_ns) / speed) : 0;
}

static enum step_kind kind_of(const struct recorded_event *event, bool is_conversion)
{
	if (is_conversion)
		return event->private ? STEP_TO_PRIVATE : STEP_TO_SHARED;
	return event->write ? STEP_WRITE : STEP_READ;
}

static void *read_steps(void *arg)
{
	struct replay *replay = arg;
	struct vm *vm = replay->vm;
	struct recorded_event event;
	bool is_conversion, goes_on = true;

	while (goes_on && next_event(replay, &event, &is_conversion)) {
		const struct timed_step step = {
			.at_ns = when(replay, event.time_ns),
			.step = {
				.page = first_page(replay, &event),
				.pages = event.pages,
				.kind = kind_of(&event, is_conversion),
			},
		};

		replay->counts.by_no_vcpu += event.vcpu == UNKNOWN_VCPU;
		goes_on = push(replay, event.vcpu == UNKNOWN_VCPU ? 0 : event.vcpu, &step);
	}
	pthread_mutex_lock(&vm->lock);
	replay->ended = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

int replay_start(struct vm *vm)
{
	struct replay *replay = vm->replay;

	if (pthread_create(&replay->reader, NULL, read_steps, replay))
		return vm_fail(vm, EXIT_STUCK, "no thread to read %s", vm->opt->replay);
	return 0;
}

void replay_end(struct vm *vm)
{
	pthread_join(vm->replay->reader, NULL);
}

/* Waits under the VM's lock for the time of the queue's first step, or until the VM is to stop. */
static void wait_for_step(struct replay *replay, struct queue *queue)
{
	struct vm *vm = replay->vm;

	while (!vm->stop && queue->pushed == queue->popped && !replay->ended)
		pthread_cond_wait(&vm->changed, &vm->lock);
	while (!vm->stop && queue->pushed != queue->popped) {
		const struct timed_step *first = &queue->steps[queue->popped % QUEUE_STEPS];
		struct timespec until = {
			.tv_sec = first->at_ns / 1000000000,
			.tv_nsec = first->at_ns % 1000000000,
		};

		if (first->at_ns <= (int64_t)now_ns())
			return;
		pthread_cond_timedwait(&vm->changed, &vm->lock, &until);
	}
}

void replay_next(struct vcpu *vcpu)
{
	struct guest_vcpu *guest = vcpu->guest;
	struct vm *vm = vcpu->vm;
	struct queue *queue = &vm->replay->queues[vcpu->id];

	guest->step_count = 0;
	pthread_mutex_lock(&vm->lock);
	queue->done = queue->popped;
	pthread_cond_broadcast(&vm->changed);
	wait_for_step(vm->replay, queue);
	while (!vm->stop && guest->step_count < STEPS_MAX && queue->pushed != queue->popped) {
		const struct timed_step *step = &queue->steps[queue->popped % QUEUE_STEPS];

		if (step->at_ns > (int64_t)now_ns())
			break;
		guest->steps[guest->step_count++] = step->step;
		queue->popped++;
	}
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

const struct replay_counts *replay_counts(const struct replay *replay)
{
	return &replay->counts;
}
