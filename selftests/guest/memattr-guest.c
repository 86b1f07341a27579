// SPDX-License-Identifier: GPL-2.0
/*
 * memattr-guest: a small VMM with a guest that converts its memory between private and shared and
 * checks the data on both sides. Options, and the run as a whole.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "replay.h"
#include "testvm.h"
#include "vmm.h"

#define MIB			((uint64_t)1 << 20)
#define CHUNK_MAX		(1ull << 30)
#define DEFAULT_COUNT		10000
#define DEFAULT_MEM_MIB		64
#define DURATION_MAX_S		1e6	/* fits poll()'s milliseconds */

const char *argp_program_version = "memattr-guest 0.1";

static const char doc[] =
"Runs a software-protected VM whose guest converts its memory between private and shared, "
"and checks the data on both sides.\v"
"Scenarios:\n"
"  boot-accept  all memory starts shared; the guest makes it private chunk by\n"
"               chunk, once, and touches it (chunk: 2M)\n"
"  churn        bounce buffers: a chunk becomes shared, is exchanged with the\n"
"               host and becomes private again (chunk: 16K)\n"
"  ping-pong    each vCPU flips one chunk as fast as it can (chunk: 4K)\n"
"  sparse       random single pages change sides\n"
"  sweep        all memory is used in both states: each chunk bounces as in churn,\n"
"               once (chunk: 2M)\n"
"Every vCPU works on pages of its own. The same seed, count and vCPUs ask for the same "
"conversions. What KVM answers with -EAGAIN the guest asks for again, at most 1000 times; "
"another refusal is counted as denied, and the page stays as it is.\n\n"
"Usually memory has two backings: anonymous memory for shared pages, a guest_memfd for private "
"ones. What a conversion leaves behind on the stale side is dropped. With --in-place all pages "
"are in one guest_memfd, and keep their content. KVM does the one or the other: see its module "
"parameter gmem_in_place_conversion.\n\n"
"SIGINT and SIGTERM end the run with the summary; a second one skips the final check of "
"all pages.\n\n"
"Exit status:\n"
"  0  the run is over and all data was right\n"
"  1  data mismatch\n"
"  2  wrong usage\n"
"  3  something is missing here: no /dev/kvm, no software-protected VMs, KVM's other mode\n"
"  4  the scenario could not go on\n";

enum {
	OPT_CHUNK = 256, OPT_COUNT, OPT_CORRUPT, OPT_DURATION, OPT_IN_PLACE, OPT_JSON, OPT_KEEP, OPT_MEM,
	OPT_NAME, OPT_NO_THP, OPT_RATE, OPT_REPLAY, OPT_REPLAY_BASE, OPT_REPLAY_SPEED, OPT_REPLAY_VM, OPT_SCENARIO, OPT_SEED, OPT_THP, OPT_TOUCH_EVERY,
	OPT_VCPUS, OPT_WAIT,
};

static const struct argp_option options[] = {
	{ "scenario", OPT_SCENARIO, "NAME", 0,
	  "boot-accept, churn (default), ping-pong, sparse or sweep", 0 },
	{ "mem", OPT_MEM, "MIB", 0, "memory that can be converted (64)", 0 },
	{ "vcpus", OPT_VCPUS, "N", 0, "1 (default) to 64", 0 },
	{ "chunk", OPT_CHUNK, "BYTES", 0, "size of a conversion, 4K to 1G", 0 },
	{ "rate", OPT_RATE, "N", 0, "at most N conversions/s in all; 0 (default): no limit", 0 },
	{ "replay", OPT_REPLAY, "FILE", 0,
	  "instead of a scenario: do again what perf recorded of a VM; see memattr-guest(1)", 0 },
	{ "replay-speed", OPT_REPLAY_SPEED, "N", 0,
	  "N times as fast as recorded (1); 0: as fast as it goes", 0 },
	{ "replay-vm", OPT_REPLAY_VM, "NUMBER", 0,
	  "the VM with KVM's NUMBER (the first one in the recording)", 0 },
	{ "replay-base", OPT_REPLAY_BASE, "GPA", 0,
	  "where the memory to replay begins in the recording, a multiple of 1 GiB (0x100000000)", 0 },
	{ "seed", OPT_SEED, "N", 0, "for the order of pages and their content (1)", 0 },
	{ "duration", OPT_DURATION, "S", 0, "end after S seconds", 0 },
	{ "count", OPT_COUNT, "N", 0,
	  "end after N conversions in all (10000 without --duration; boot-accept and sweep end with "
	  "their memory)", 0 },
	{ "in-place", OPT_IN_PLACE, NULL, 0,
	  "convert in place: host and guest use the same page of one guest_memfd", 0 },
	{ "touch-every", OPT_TOUCH_EVERY, "N", 0, "boot-accept: touch one page in N (1)", 0 },
	{ "keep", OPT_KEEP, NULL, 0,
	  "do not drop the stale side after a conversion; the guest finds the old content again",
	  0 },
	{ "thp", OPT_THP, NULL, 0, "ask for huge pages on the shared side", 0 },
	{ "no-thp", OPT_NO_THP, NULL, 0, "ask for no huge pages on the shared side", 0 },
	{ "name", OPT_NAME, "NAME", 0, "name of the process and of the summary", 0 },
	{ "wait", OPT_WAIT, NULL, 0,
	  "when the VM exists, print \"ready pid=PID vmfd=FD\" on stderr and wait for a line on "
	  "stdin", 0 },
	{ "json", OPT_JSON, NULL, 0, "print the summary, or the error, as JSON", 0 },
	{ "inject-corruption", OPT_CORRUPT, "WHERE", 0,
	  "self-test: spoil data (request, answer or private; with --in-place also to-shared or "
	  "to-private), so that the run must end with status 1", 0 },
	{ 0 }
};

static uint64_t parse_number(struct argp_state *state, const char *option, const char *arg,
			     uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || strchr(arg, '-') || value < min || value > max)
		argp_error(state, "--%s: %s is not a number from %lu to %lu", option, arg, min,
			   max);
	return value;
}

static double parse_real(struct argp_state *state, const char *option, const char *arg, double max)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !isfinite(value) || value < 0 || value > max)
		argp_error(state, "--%s: %s is not a number from 0 to %g", option, arg, max);
	return value;
}

static uint64_t parse_chunk(struct argp_state *state, const char *arg)
{
	static const char units[] = "KMG";
	char *end;
	uint64_t value = strtoull(arg, &end, 0);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (unit && value <= CHUNK_MAX) {
		value <<= 10 * (unit - units + 1);
		end++;
	}
	if (end == arg || *end || value % GUEST_PAGE_SIZE || !value || value > CHUNK_MAX)
		argp_error(state, "--chunk: %s is not a multiple of 4K from 4K to 1G", arg);
	return value;
}

static int parse_name(struct argp_state *state, const char *option, const char *arg,
		      const char *const names[])
{
	int i = 0;

	while (names[i] && strcmp(names[i], arg))
		i++;
	if (!names[i])
		argp_error(state, "--%s: there is no %s", option, arg);
	return i;
}

static void check_backing(struct argp_state *state, const struct options *opt)
{
	if (opt->in_place && opt->keep)
		argp_error(state, "--keep does not go with --in-place, which has no stale side");
	if (opt->in_place && opt->thp != THP_SYSTEM)
		argp_error(state, "--thp and --no-thp do not go with --in-place, which has no shared side");
	if (!opt->in_place && opt->corruption >= CORRUPT_TO_SHARED)
		argp_error(state, "--inject-corruption: to-shared and to-private are for --in-place");
}

/* The recording tells the layout of the VM, and what to do. */
static void check_replay(struct argp_state *state, const struct options *opt)
{
	if (opt->scenario != REPLAY)
		argp_error(state, "--replay takes the place of --scenario");
	if (opt->mem_bytes || opt->vcpus || opt->chunk_bytes || opt->count || opt->rate || opt->touch_every != 1 ||
	    opt->corruption)
		argp_error(state, "--mem, --vcpus, --chunk, --count, --rate, --touch-every and "
			   "--inject-corruption do not go with --replay: the recording tells what to do");
	if (opt->replay_base % CHUNK_MAX)
		argp_error(state, "--replay-base: 0x%lx is not a multiple of 1 GiB", opt->replay_base);
}

static void check_scenario(struct argp_state *state, struct options *opt)
{
	static const uint64_t default_chunk[] = {
		[BOOT_ACCEPT] = 2 * MIB,
		[CHURN] = 16 << 10,
		[PING_PONG] = GUEST_PAGE_SIZE,
		[SPARSE] = GUEST_PAGE_SIZE,
		[SWEEP] = 2 * MIB,
	};
	uint64_t chunks;

	if (!opt->chunk_bytes)
		opt->chunk_bytes = default_chunk[opt->scenario];
	if (opt->scenario == SPARSE && opt->chunk_bytes != GUEST_PAGE_SIZE)
		argp_error(state, "--chunk: sparse converts single pages");
	if (opt->scenario != BOOT_ACCEPT && opt->touch_every != 1)
		argp_error(state, "--touch-every is for boot-accept");
	if (opt->replay_speed != 1 || opt->replay_vm || opt->replay_base != WORK_GPA)
		argp_error(state, "--replay-speed, --replay-vm and --replay-base need --replay");
	if (!opt->count && !opt->duration_s && opt->scenario != BOOT_ACCEPT && opt->scenario != SWEEP)
		opt->count = DEFAULT_COUNT;

	/* In a boot the last chunk may be cut off, and a vCPU may have none. Else each has one. */
	if (opt->scenario == BOOT_ACCEPT)
		return;
	chunks = opt->mem_bytes / opt->chunk_bytes;
	if (chunks < opt->vcpus + (opt->scenario == PING_PONG))
		argp_error(state, "%lu MiB hold %lu chunks: too few for %s with %u vCPUs",
			   opt->mem_bytes / MIB, chunks, scenario_names[opt->scenario], opt->vcpus);
}

static void check_options(struct argp_state *state, struct options *opt)
{
	check_backing(state, opt);
	if (opt->replay) {
		check_replay(state, opt);
	} else if (opt->scenario == REPLAY) {
		argp_error(state, "--scenario: to replay a recording, give --replay FILE");
	} else {
		opt->mem_bytes = opt->mem_bytes ?: DEFAULT_MEM_MIB * MIB;
		opt->vcpus = opt->vcpus ?: 1;
		check_scenario(state, opt);
	}
}

static error_t parse_replay_option(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case OPT_REPLAY:
		opt->replay = arg;
		opt->scenario = REPLAY;
		break;
	case OPT_REPLAY_BASE:
		opt->replay_base = parse_number(state, "replay-base", arg, 0, UINT64_MAX);
		break;
	case OPT_REPLAY_SPEED:
		opt->replay_speed = parse_real(state, "replay-speed", arg, 1e6);
		break;
	case OPT_REPLAY_VM:
		opt->replay_vm = parse_number(state, "replay-vm", arg, 1, UINT64_MAX);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	static const char *const corruptions[] = {
		"nothing", "request", "answer", "private", "to-shared", "to-private", NULL
	};
	struct options *opt = state->input;

	switch (key) {
	case OPT_CHUNK:
		opt->chunk_bytes = parse_chunk(state, arg);
		break;
	case OPT_COUNT:
		opt->count = parse_number(state, "count", arg, 1, UINT64_MAX);
		break;
	case OPT_CORRUPT:
		opt->corruption = parse_name(state, "inject-corruption", arg, corruptions);
		break;
	case OPT_DURATION:
		opt->duration_s = parse_real(state, "duration", arg, DURATION_MAX_S);
		break;
	case OPT_IN_PLACE:
		opt->in_place = true;
		break;
	case OPT_JSON:
		opt->json = true;
		break;
	case OPT_KEEP:
		opt->keep = true;
		break;
	case OPT_MEM:
		opt->mem_bytes = parse_number(state, "mem", arg, 1, WORK_SIZE_MAX / MIB) * MIB;
		break;
	case OPT_NAME:
		opt->name = arg;
		break;
	case OPT_NO_THP:
		opt->thp = THP_OFF;
		break;
	case OPT_RATE:
		opt->rate = parse_real(state, "rate", arg, 1e9);
		break;
	case OPT_SCENARIO:
		opt->scenario = parse_name(state, "scenario", arg, scenario_names);
		break;
	case OPT_SEED:
		opt->seed = parse_number(state, "seed", arg, 0, UINT64_MAX);
		break;
	case OPT_THP:
		opt->thp = THP_ON;
		break;
	case OPT_TOUCH_EVERY:
		opt->touch_every = parse_number(state, "touch-every", arg, 1, UINT64_MAX / 2);
		break;
	case OPT_VCPUS:
		opt->vcpus = parse_number(state, "vcpus", arg, 1, MAX_VCPUS);
		break;
	case OPT_WAIT:
		opt->wait = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument: %s", arg);
		break;
	case ARGP_KEY_END:
		check_options(state, opt);
		break;
	default:
		return parse_replay_option(key, arg, state);
	}
	return 0;
}

/* SIGINT and SIGTERM arrive here; every thread started later has them blocked as well. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* 0: a line has come, 1: a signal. */
static int wait_for_line(struct vm *vm, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	char c = 0;

	fprintf(stderr, "ready pid=%d vmfd=%d\n", getpid(), vm->vm_fd);
	while (c != '\n') {
		poll(fds, 2, -1);
		if (fds[1].revents)
			return 1;
		if (fds[0].revents && read(STDIN_FILENO, &c, 1) != 1)
			return vm_fail(vm, EXIT_STUCK, "--wait: stdin ended before a line came");
	}
	return 0;
}

/* Returns when all vCPUs have ended, and says what ended them. */
static const char *wait_for_end(struct vm *vm, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = vm->ended_fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	int64_t deadline_ns = vm->start_ns + (int64_t)(vm->opt->duration_s * 1e9);
	bool timed = vm->opt->duration_s != 0;
	const char *ended = "finished";
	enum stop stop = STOP_AND_CHECK;

	for (;;) {
		int64_t left_ns = deadline_ns - (int64_t)now_ns();
		struct timespec left = {
			.tv_sec = left_ns > 0 ? left_ns / 1000000000 : 0,
			.tv_nsec = left_ns > 0 ? left_ns % 1000000000 : 0,
		};
		struct signalfd_siginfo taken;

		ppoll(fds, 2, timed ? &left : NULL, NULL);
		if (fds[0].revents)
			return vm->failure ? "failure" : ended;
		if (fds[1].revents && read(signal_fd, &taken, sizeof(taken)) == sizeof(taken)) {
			ended = "signal";
			vm_stop(vm, stop);
			stop = STOP_NOW;
			timed = false;
		} else if (timed && left_ns <= 0) {
			ended = "duration";
			vm_stop(vm, STOP_AND_CHECK);
			timed = false;
		}
	}
}

static struct vm vm;

/* Instead of the function of lib/testvm.c. */
void failed(const char *what)
{
	vm_fail(&vm, EXIT_STUCK, "%s: %s", what, strerror(errno));
	report_failure(&vm);
	exit(vm.failure);
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse_option, NULL, doc, NULL, NULL, NULL };
	struct options opt = {
		.scenario = CHURN,
		.touch_every = 1,
		.replay_speed = 1,
		.replay_base = WORK_GPA,
		.seed = 1,
		.name = "memattr-guest",
	};
	const char *ended;
	int signal_fd;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &opt);
	prctl(PR_SET_NAME, opt.name);
	signal_fd = open_signals();

	if ((opt.replay && replay_open(&vm, &opt)) || vm_create(&vm, &opt)) {
		report_failure(&vm);
		return vm.failure;
	}
	if (opt.wait) {
		int interrupted = wait_for_line(&vm, signal_fd);

		if (interrupted < 0) {
			report_failure(&vm);
			return vm.failure;
		}
		if (interrupted) {
			report(&vm, "signal");
			return EXIT_OK;
		}
	}
	if (vm_start(&vm)) {
		report_failure(&vm);
		return vm.failure;
	}
	ended = wait_for_end(&vm, signal_fd);
	for (unsigned int id = 0; id < opt.vcpus; id++)
		pthread_join(vm.vcpus[id].thread, NULL);
	if (vm.replay)
		replay_end(&vm);
	report(&vm, ended);
	return vm.failure;
}
