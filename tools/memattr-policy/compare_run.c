// SPDX-License-Identifier: GPL-2.0
/* One run of the load: attaches a policy, and reads KVM's statistics before and after. */
#define _GNU_SOURCE
#include "compare.h"
#include "attach.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GUEST "memattr-guest"
#define GUEST_WORDS_MAX 64
#define NO_FD (-1)

/* --- KVM's statistics ---------------------------------------------------- */

static bool read_stat(const struct vm *vm, const char *name, double *value)
{
	char path[128];
	uint64_t number;
	bool read;
	FILE *f;

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/%s", vm->dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	read = fscanf(f, "%" SCNu64, &number) == 1;
	fclose(f);
	*value = number;
	return read;
}

static void add_stat(const struct vm *vm, const char *name, struct sample *sample, enum figure_id figure, int sign)
{
	double value = 0;

	sample->known[figure] &= read_stat(vm, name, &value);
	sample->value[figure] += sign * value;
}

/* All that KVM has counted so far. These figures are the first ones. */
static void read_stats(const struct vm *vm, struct sample *sample)
{
	*sample = (struct sample){};
	for (int i = FIGURE_EXITS; i <= FIGURE_AHEAD; i++)
		sample->known[i] = true;
	add_stat(vm, "exits", sample, FIGURE_EXITS, 1);
	add_stat(vm, "pf_taken", sample, FIGURE_FAULTS, 1);
	add_stat(vm, "memattr_requests_private", sample, FIGURE_CONVERSIONS, 1);
	add_stat(vm, "memattr_requests_shared", sample, FIGURE_CONVERSIONS, 1);
	add_stat(vm, "memattr_refused", sample, FIGURE_CONVERSIONS, -1);
	add_stat(vm, "memattr_refused", sample, FIGURE_REFUSED, 1);
	add_stat(vm, "memattr_zapped_pages", sample, FIGURE_ZAPPED, 1);
	add_stat(vm, "prefaulted_pages", sample, FIGURE_AHEAD, 1);
}

static void take_difference(struct sample *sample, const struct sample *before)
{
	for (int i = FIGURE_EXITS; i <= FIGURE_AHEAD; i++) {
		sample->known[i] &= before->known[i];
		sample->value[i] -= before->value[i];
	}
}

static void set_figure(struct sample *sample, enum figure_id figure, double value)
{
	sample->value[figure] = value;
	sample->known[figure] = true;
}

/* --- a policy on the VM -------------------------------------------------- */

struct trial {
	const struct contender *contender;
	const struct vm *vm;
	struct guard *guard;	/* NULL: the VM has no policy of its own */
	struct policy policy;
	struct bpf_link *link;
	uint32_t link_id;	/* which link has to govern the VM until the end; 0: none */
};

/* Without a policy to attach, what there is must be what the contender says. */
static int leave_as_it_is(struct trial *trial)
{
	char text[VM_TEXT_LEN];
	struct vm_policy state = {};
	int ret = trial->guard ? guard_restore(trial->guard) : EXIT_OK;

	if (!ret)
		ret = read_state(trial->vm, &state);
	trial->link_id = state.link_id;
	if (ret || !trial->contender->none || !state.link_id)
		return ret;
	return diag_fail(EXIT_BUSY, state.all ? "memattr-policy detach --all, or compare with 'current'" :
			 "compare with 'current'", "%s is under %s, and not without a policy",
			 vm_text(trial->vm, text), state.policy);
}

static int put_in_force(struct trial *trial)
{
	int err = 0, ret;

	if (!trial->guard) {
		trial->link = bpf_map__attach_struct_ops(trial->policy.ops);
		err = trial->link ? 0 : -errno;
	} else {
		ret = policy_store_ops(&trial->policy);
		if (ret)
			return ret;
		err = guard_replace(trial->guard, bpf_map__fd(trial->policy.ops));
	}
	if (!err)
		return EXIT_OK;
	return attach_report(&trial->contender->options, &trial->policy, trial->vm, NULL, err);
}

static int trial_start(struct trial *trial)
{
	const struct options *options = &trial->contender->options;
	struct vm_policy state = {};
	int ret, vm_fd;

	if (!options->file)
		return leave_as_it_is(trial);
	ret = attach_open(options, &trial->policy);
	if (!ret)
		ret = attach_load(options, &trial->policy, trial->vm, &vm_fd);
	if (ret)
		return ret;
	ret = put_in_force(trial);
	close(vm_fd);
	if (!ret)
		ret = read_state(trial->vm, &state);
	trial->link_id = state.link_id;
	return ret;
}

/* The figures count only if the policy was in force all the time. */
static int trial_check(const struct trial *trial)
{
	char text[VM_TEXT_LEN];
	struct vm_policy state;
	int ret = read_state(trial->vm, &state);

	if (ret || state.link_id == trial->link_id)
		return ret;
	return diag_fail(EXIT_EJECTED, "memattr-policy show", "%s: no longer in force on %s: %s: %s",
			 trial->contender->text, vm_text(trial->vm, text),
			 state.exit_kind[0] ? state.exit_kind : "replaced", state.exit_text);
}

/* With a guard, the next policy takes over, or in the end the one from before. */
static void trial_end(struct trial *trial)
{
	bpf_link__destroy(trial->link);
	policy_close(&trial->policy);
}

/* --- a VM that runs anyway ----------------------------------------------- */

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int report_interrupted(void)
{
	return diag_fail(EXIT_FAILED, "let it run to its end", "interrupted: there is nothing to compare");
}

static int wait_while_running(const struct comparison *c, const struct vm *vm)
{
	struct pollfd fds[] = {
		{ .fd = c->signals, .events = POLLIN },
		{ .fd = pidfd_open(vm->pid, 0), .events = POLLIN },
	};
	char text[VM_TEXT_LEN];

	while (poll(fds, 2, (int)c->options->seconds * 1000) < 0 && errno == EINTR)
		;
	if (fds[1].fd >= 0)
		close(fds[1].fd);
	if (fds[0].revents)
		return report_interrupted();
	if (fds[1].revents)
		return diag_fail(EXIT_VM_ENDED, "memattr-policy show", "%s has ended", vm_text(vm, text));
	return EXIT_OK;
}

int run_vm(const struct comparison *c, const struct contender *contender, const struct vm *vm, struct guard *guard,
	   struct sample *sample)
{
	struct trial trial = { .contender = contender, .vm = vm, .guard = guard };
	struct sample before;
	double start_s;
	int ret;

	ret = trial_start(&trial);
	if (!ret) {
		read_stats(vm, &before);
		start_s = seconds_now();
		ret = wait_while_running(c, vm);
	}
	if (!ret)
		ret = trial_check(&trial);
	if (!ret) {
		read_stats(vm, sample);
		take_difference(sample, &before);
		sample->known[FIGURE_HUGE] = read_stat(vm, "pages_2m", &sample->value[FIGURE_HUGE]);
		set_figure(sample, FIGURE_TIME, seconds_now() - start_s);
	}
	trial_end(&trial);
	return ret;
}

/* --- memattr-guest ------------------------------------------------------- */

struct guest {
	pid_t pid;
	int in;
	FILE *out, *err;
	char summary[8192];
	char said[1024];	/* on stderr */
	int instructions;	/* a perf event */
};

/* The one that was built with this program, or else that in PATH. */
__attribute__((noreturn)) static void exec_guest(char *const words[])
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *name;

	path[len > 0 ? len : 0] = '\0';
	name = strrchr(path, '/');
	if (name && (size_t)(name + 1 - path) + sizeof(GUEST) <= sizeof(path)) {
		strcpy(name + 1, GUEST);
		execv(path, words);
	}
	execvp(GUEST, words);
	fprintf(stderr, GUEST ": %s; install the package memattr-guest\n", strerror(errno));
	_exit(EXIT_SYSTEM);
}

static void guest_child(const struct comparison *c, const int pipes[3][2])
{
	char *words[GUEST_WORDS_MAX + 4] = { GUEST, "--json", "--wait" }, *rest = strdup(c->options->guest), *word;
	size_t count = 3;
	sigset_t none;

	/* What tries policies on it is gone, so it has to go as well. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(pipes[0][0], STDIN_FILENO);
	dup2(pipes[1][1], STDOUT_FILENO);
	dup2(pipes[2][1], STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (count < GUEST_WORDS_MAX + 3 && (word = strsep(&rest, " ")))
		if (*word)
			words[count++] = word;
	if (rest) {
		fprintf(stderr, GUEST ": these are more than %d words\n", GUEST_WORDS_MAX);
		_exit(EXIT_USAGE);
	}
	exec_guest(words);
}

static int guest_spawn(const struct comparison *c, struct guest *guest)
{
	int pipes[3][2];

	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC))
			return diag_fail(EXIT_FAILED, NULL, "pipe: %s", strerror(errno));
	fflush(NULL);
	guest->pid = fork();
	if (!guest->pid)
		guest_child(c, pipes);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	guest->in = pipes[0][1];
	guest->out = fdopen(pipes[1][0], "r");
	guest->err = fdopen(pipes[2][0], "r");
	if (guest->pid < 0 || !guest->out || !guest->err)
		return diag_fail(EXIT_FAILED, NULL, "fork: %s", strerror(errno));
	return EXIT_OK;
}

/* The guest's own words, without its name, which come before an end that is not a good one. */
static int report_guest(const struct guest *guest, const char *what)
{
	const char *said = guest->said;

	if (!strncmp(said, GUEST ": ", strlen(GUEST ": ")))
		said += strlen(GUEST ": ");
	return diag_fail(EXIT_FAILED, GUEST " --help", GUEST " %s: %.*s", what, (int)strcspn(said, "\n"), said);
}

/* Waits until the guest has a VM, which does not run yet. */
static int guest_ready(struct guest *guest, struct options *options)
{
	if (fgets(guest->said, sizeof(guest->said), guest->err) &&
	    sscanf(guest->said, "ready pid=%d vmfd=%d", &options->pid, &options->vm_fd) == 2)
		return EXIT_OK;
	return report_guest(guest, "does not start");
}

/* Instructions of all threads that the process starts from now on; where perf cannot count: NO_FD. */
static int count_instructions(pid_t pid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.inherit = 1,
	};

	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Lets the guest run, and reads its summary to the end. */
static int guest_run(const struct comparison *c, struct guest *guest)
{
	struct pollfd fds[] = {
		{ .fd = c->signals, .events = POLLIN },
		{ .fd = fileno(guest->out), .events = POLLIN },
	};
	int status;

	if (write(guest->in, "\n", 1) != 1)
		return diag_fail(EXIT_FAILED, NULL, GUEST ": %s", strerror(errno));
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents)
		return report_interrupted();
	guest->summary[fread(guest->summary, 1, sizeof(guest->summary) - 1, guest->out)] = '\0';
	guest->said[fread(guest->said, 1, sizeof(guest->said) - 1, guest->err)] = '\0';
	if (waitpid(guest->pid, &status, 0) < 0)
		status = -1;
	guest->pid = 0;
	return status ? report_guest(guest, "has failed") : EXIT_OK;
}

static void take_number(const struct guest *guest, const char *key, struct sample *sample, enum figure_id figure)
{
	char pattern[64], *at;
	double value;

	snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(guest->summary, pattern);
	if (at && sscanf(at + strlen(pattern), "%lf", &value) == 1)
		set_figure(sample, figure, value);
}

static void take_summary(const struct guest *guest, struct sample *sample)
{
	uint64_t instructions;

	take_number(guest, "huge_mappings", sample, FIGURE_HUGE);
	take_number(guest, "resident_bytes", sample, FIGURE_MEMORY);
	take_number(guest, "guest_run_s", sample, FIGURE_TIME);
	if (guest->instructions >= 0 &&
	    read(guest->instructions, &instructions, sizeof(instructions)) == sizeof(instructions))
		set_figure(sample, FIGURE_INSTRUCTIONS, instructions);
}

static void guest_end(struct guest *guest)
{
	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		waitpid(guest->pid, NULL, 0);
	}
	if (guest->instructions >= 0)
		close(guest->instructions);
	if (guest->out)
		fclose(guest->out);
	if (guest->err)
		fclose(guest->err);
	if (guest->in >= 0)
		close(guest->in);
}

/* The guest under a policy. @vm_fd keeps the VM, and with it KVM's statistics, for longer than the guest. */
static int run_trial(const struct comparison *c, struct trial *trial, struct guest *guest, struct sample *sample)
{
	struct sample before;
	int vm_fd, ret;

	ret = trial_start(trial);
	if (ret)
		return ret;
	vm_fd = vm_open(trial->vm);
	if (vm_fd < 0)
		return diag_fail(EXIT_FAILED, NULL, "cannot get the descriptor of the VM of " GUEST ": %s",
				 strerror(-vm_fd));
	guest->instructions = count_instructions(guest->pid);
	read_stats(trial->vm, &before);
	ret = guest_run(c, guest);
	if (!ret)
		ret = trial_check(trial);
	if (!ret) {
		read_stats(trial->vm, sample);
		take_difference(sample, &before);
		take_summary(guest, sample);
	}
	close(vm_fd);
	return ret;
}

int run_guest(const struct comparison *c, const struct contender *contender, struct sample *sample)
{
	struct guest guest = { .in = NO_FD, .instructions = NO_FD };
	struct options target = { .vm_fd = ANY_VM_FD };
	struct trial trial = { .contender = contender };
	struct vm vm;
	int ret;

	ret = guest_spawn(c, &guest);
	if (!ret)
		ret = guest_ready(&guest, &target);
	if (!ret)
		ret = choose_vm(&target, &vm);
	if (!ret) {
		trial.vm = &vm;
		ret = run_trial(c, &trial, &guest, sample);
		trial_end(&trial);
	}
	guest_end(&guest);
	return ret;
}
