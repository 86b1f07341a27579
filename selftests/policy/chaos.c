// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps guests running that convert memory and check their data, while policies that misbehave
 * (chaos.bpf.c) are attached to them, updated, detached and killed at random.
 *
 * usage: chaos SECONDS SEED
 *
 * One process for each guest, one for each loader of policies; this one starts them, kills them,
 * reads debugfs and detaches other people's links. It prints what happened, "NAME COUNT" a line,
 * and "wrong: ..." for each thing that must not be. Exit status 1: there was such a thing.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "exit_kinds.h"
#include "exits.h"
typedef __u32 u32;
typedef __u64 u64;
#include "chaos.h"
#include "chaos.skel.h"
#include "exits.skel.h"
#include "policy.h"
#include "testvm.h"

#define GUEST "build/bin/memattr-guest"
#define GUESTS 4
#define LOADERS 3		/* the first one is for all VMs, the others for one each */
#define POLICIES 3		/* in one object */

/* A guest that takes this much longer than it was to run hangs. Its last check takes a while. */
#define GUEST_LATE_S 180
#define PROGRESS_S 30
/* For callbacks that are owed when all is over. */
#define SETTLE_S 30

/* In loaders, where the policy expects its VM. What is open otherwise is closed. */
#define COUNTS_FD 3
#define VM_FD 4

static struct exit_kinds kinds;

static const char *const chaos_names[] = {
	[CHAOS_ATTACHED] = "vm_attach",
	[CHAOS_ATTACH_REFUSED] = "vm_attach_refused",
	[CHAOS_DETACHED] = "vm_detach",
	[CHAOS_CONVERTS] = "convert",
	[CHAOS_ZAPS] = "zap",
	[CHAOS_PREFAULTS] = "prefault",
	[CHAOS_WINDOWS] = "windows",
	[CHAOS_BLOCKS] = "gmem_block",
	[CHAOS_BLOCKS_WANTED] = "blocks_wanted",
	[CHAOS_REFUSALS] = "convert_refused",
	[CHAOS_WIDENED] = "zap_widened",
	[CHAOS_LOOPS] = "loops",
	[CHAOS_SLEEPS] = "sleeps",
	[CHAOS_SLEEP_ERRORS] = "sleep_errors",
	[CHAOS_RECURSIONS] = "recursions",
	[CHAOS_TAIL_CALLS] = "tail_calls",
	[CHAOS_KFUNCS] = "kfuncs",
	[CHAOS_RANGES] = "iterator_ranges",
	[CHAOS_EJECT_REQUESTS] = "eject_requests",
	[CHAOS_ATTACHED_TWICE] = "attached_twice",
	[CHAOS_NOT_ATTACHED] = "not_attached",
	[CHAOS_NO_REASON] = "no_reason",
	[CHAOS_BAD_RANGE] = "bad_range",
};

/* What loaders count, and what they have to know. Shared, as they are killed. */
#define SHARED_COUNTS(X)								\
	X(loads) X(load_failures) X(attaches) X(attach_failures) X(again_refused)	\
	X(again_attached) X(updates) X(update_failures) X(closes) X(detaches)
static struct shared {
	struct {
		_Atomic int pid, vm_fd;		/* pid 0: there is none now */
	} vms[GUESTS];
	_Atomic bool loaded[LOADERS];
#define COUNT(name) _Atomic u64 name;
	SHARED_COUNTS(COUNT)
#undef COUNT
} *shared;

struct guest {
	pid_t pid;		/* 0: none */
	int vm_fd;		/* -1: not ready yet */
	int input, summary, said;
	int ejections, policy;	/* files of debugfs, -1 if not held */
	bool killed;
	uint64_t deadline_ns;
};

static struct guest guests[GUESTS];
static pid_t loaders[LOADERS];
static uint64_t random_state;
static int counts_fd;
static struct exits_bpf *exits;
static uint64_t end_ns;
static bool ending;
static uint64_t wrongs;

/* What this process counts. */
#define COUNTS(X)									\
	X(guests_started) X(guests_verified) X(guests_killed) X(guest_verified_pages)	\
	X(host_verified_pages) X(conversions) X(denied) X(gave_up) X(retries)		\
	X(loaders_started) X(loaders_killed) X(both_killed) X(links_detached) X(reads)	\
	X(records) X(vms_accounted) X(ejections_accounted)
static struct {
#define COUNT(name) u64 name;
	COUNTS(COUNT)
#undef COUNT
} did;

__attribute__((format(printf, 1, 2)))
static void wrong(const char *fmt, ...)
{
	va_list args;

	wrongs++;
	printf("wrong: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int limit)
{
	return random_u64() % limit;
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* --- loaders ------------------------------------------------------------- */

static void reweigh(struct chaos_bpf *policy)
{
	/* Mostly nothing, so that each fault gets its turn before another one ends it. */
	static const u32 often[] = { 0, 0, 0, 0, 10, 100, 500 }, rarely[] = { 0, 0, 0, 0, 10, 300 };
	/* It is asked but once about a block. */
	static const u32 blocks[] = { 0, 500, 1000 };
	volatile struct chaos_weights *w = &policy->bss->weights;

#define ANY(values) (values)[below(ARRAY_SIZE(values))]
	w->refuse = ANY(often);
	w->widen = ANY(often);
	w->loop = ANY(often);
	w->sleep = ANY(often);
	w->recurse = ANY(often);
	w->tail = ANY(often);
	w->ask = ANY(often);
	w->bad_return = ANY(rarely);
	w->bad_zap = ANY(rarely);
	w->prefault = ANY(often);
	w->bad_prefault = ANY(rarely);
	w->block = ANY(blocks);
	w->eject = ANY(rarely);
	w->attach_refuse = ANY(often);
#undef ANY
	policy->bss->loop_turns = 1 << below(15);
}

static struct chaos_bpf *load_chaos(bool all)
{
	/* With a budget that no call meets, one that loops exceed, and none. */
	static const u32 budgets[] = { 0, 0, 0, 1, 50, 500, 5000, 50000 };
	struct chaos_bpf *policy = chaos_bpf__open_opts(kvm_open_options());
	int vm_fd = all ? -1 : VM_FD;

	if (!policy)
		err(1, "cannot open the policies");
	policy->struct_ops.chaos->vm_fd = vm_fd;
	policy->struct_ops.chaos_sleep->vm_fd = vm_fd;
	policy->struct_ops.chaos_tail->vm_fd = vm_fd;
	policy->struct_ops.chaos->budget_us = budgets[below(8)];
	policy->struct_ops.chaos_sleep->budget_us = budgets[below(8)];
	policy->struct_ops.chaos_tail->budget_us = budgets[below(8)];
	policy->bss->random_state = random_u64();
	if (bpf_map__reuse_fd(policy->maps.chaos_counts, COUNTS_FD) || chaos_bpf__load(policy)) {
		shared->load_failures++;
		exit(1);
	}
	shared->loads++;
	reweigh(policy);
	return policy;
}

static struct bpf_map *any_map(struct chaos_bpf *policy)
{
	struct bpf_map *maps[POLICIES] = {
		policy->maps.chaos, policy->maps.chaos_sleep, policy->maps.chaos_tail,
	};

	return maps[below(POLICIES)];
}

/* The VMM's memory, for the programs that read it: any mapping. */
static void find_memory(struct chaos_bpf *policy, int pid)
{
	unsigned long long start, end;
	char path[64], line[512];
	unsigned int seen = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx r", &start, &end) != 2 || below(++seen))
			continue;
		policy->bss->user_bytes = 0;
		policy->bss->user_start = start;
		policy->bss->user_bytes = end - start;
	}
	if (maps)
		fclose(maps);
}

/* Some VM's descriptor comes to where the policies expect it. Returns its process, or 0. */
static int take_vm(void)
{
	unsigned int i = below(GUESTS);
	int pid = shared->vms[i].pid, pidfd, fd;

	close(VM_FD);
	if (!pid)
		return 0;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, shared->vms[i].vm_fd, 0);
	close(pidfd);
	if (fd < 0)
		return 0;
	if (fd != VM_FD) {
		dup2(fd, VM_FD);
		close(fd);
	}
	return pid;
}

/* Returns what the link has then, which is @map if it stays. */
static struct bpf_map *update(struct bpf_link *link, struct bpf_map *map, struct chaos_bpf *to)
{
	struct bpf_map *next = any_map(to);

	if (bpf_link__update_map(link, next)) {
		shared->update_failures++;
		return map;
	}
	shared->updates++;
	return next;
}

/*
 * The same map, not another one of the object: that could come to the VM before this one, ejected,
 * has let go of it.
 */
static void attach_again(struct bpf_map *map)
{
	struct bpf_link *again = bpf_map__attach_struct_ops(map);

	/* There may be room for it again: the first one may have been ejected. */
	if (!again) {
		shared->again_refused++;
		return;
	}
	shared->again_attached++;
	if (chance(50))
		sleep_ms(below(100));
	bpf_link__destroy(again);
}

static void let_go(struct bpf_link *link)
{
	if (chance(50) && !bpf_link__detach(link))
		shared->detaches++;
	else
		shared->closes++;
	if (chance(30))
		sleep_ms(below(50));
	bpf_link__destroy(link);
}

static void govern(struct chaos_bpf *policies[2], bool all)
{
	struct bpf_map *map = any_map(policies[0]), *next;
	struct bpf_link *link;
	int pid, current = 0;

	pid = take_vm();
	if (!pid && !all) {
		sleep_ms(100);
		return;
	}
	for (int i = 0; i < 2; i++) {
		reweigh(policies[i]);
		find_memory(policies[i], pid);
	}
	link = bpf_map__attach_struct_ops(map);
	if (!link) {
		shared->attach_failures++;
		sleep_ms(below(300));
		return;
	}
	shared->attaches++;
	for (int steps = below(10); steps > 0; steps--) {
		switch (below(6)) {
		case 0:
		case 1:
			/* To the other object, which has no policy on this VM. */
			next = update(link, map, policies[!current]);
			if (next != map)
				current = !current;
			map = next;
			break;
		case 2:
			attach_again(map);
			break;
		case 3:
			reweigh(policies[current]);
			break;
		case 4:
			/* The VM is free to go. */
			if (!all && chance(20))
				close(VM_FD);
			break;
		}
		sleep_ms(below(300));
	}
	let_go(link);
}

static void run_loader(unsigned int i)
{
	struct chaos_bpf *policies[2];
	bool all = i == 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, all ? "chaos-all" : "chaos-one");
	libbpf_set_print(NULL);
	/* VMs and their files must not be held by accident. */
	kvm_close_options();
	dup2(counts_fd, COUNTS_FD);
	close_range(COUNTS_FD + 1, ~0U, 0);
	/* Keeps the place. */
	dup2(STDERR_FILENO, VM_FD);
	policies[0] = load_chaos(all);
	policies[1] = load_chaos(all);
	shared->loaded[i] = true;
	for (int cycles = 5 + below(40); cycles > 0; cycles--)
		govern(policies, all);
	/* As it is, which the kernel has to clean up. */
	if (chance(50)) {
		take_vm();
		bpf_map__attach_struct_ops(any_map(policies[0]));
	}
	_exit(0);
}

static void start_loader(unsigned int i)
{
	uint64_t seed = random_u64();

	fflush(stdout);
	shared->loaded[i] = false;
	loaders[i] = fork();
	if (loaders[i] < 0)
		err(1, "fork");
	if (!loaders[i]) {
		random_state = seed;
		run_loader(i);
	}
	did.loaders_started++;
}

/* --- guests -------------------------------------------------------------- */

static void start_guest(unsigned int i)
{
	static const struct { const char *scenario, *vcpus; } mix[] = {
		{ "churn", "2" }, { "ping-pong", "2" }, { "sparse", "2" },
		{ "boot-accept", "1" }, { "churn", "1" }, { "sparse", "1" },
	};
	/* Two of the guests have two vCPUs, always. */
	unsigned int which = i < 2 ? below(3) : below(6), seconds = 5 + below(20);
	char duration[16], seed[16], name[16];
	struct guest *g = &guests[i];
	const char *argv[] = {
		GUEST, "--json", "--wait", "--name", name, "--scenario", mix[which].scenario,
		"--vcpus", mix[which].vcpus, "--mem", below(4) ? "16" : "64", "--seed", seed,
		"--duration", duration, below(2) ? "--keep" : "--no-thp", NULL,
	};
	int input[2];

	snprintf(name, sizeof(name), "guest%u", i);
	snprintf(seed, sizeof(seed), "%u", below(1u << 31));
	snprintf(duration, sizeof(duration), "%u", seconds);
	g->summary = memfd_create("summary", MFD_CLOEXEC);
	g->said = memfd_create("said", MFD_CLOEXEC);
	if (g->summary < 0 || g->said < 0 || pipe2(input, O_CLOEXEC))
		err(1, "descriptors of a guest");
	g->pid = fork();
	if (g->pid < 0)
		err(1, "fork");
	if (!g->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Guests take all the time there is: loaders first. */
		setpriority(PRIO_PROCESS, 0, 5);
		dup2(input[0], STDIN_FILENO);
		dup2(g->summary, STDOUT_FILENO);
		dup2(g->said, STDERR_FILENO);
		execv(GUEST, (char **)argv);
		_exit(127);
	}
	close(input[0]);
	g->input = input[1];
	g->vm_fd = -1;
	g->ejections = g->policy = -1;
	g->killed = false;
	g->deadline_ns = now_ns() + (seconds + GUEST_LATE_S) * 1000000000ull;
	did.guests_started++;
}

static int open_debugfs(const struct guest *g, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/memattr_%s", g->pid, g->vm_fd,
		 name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static size_t read_text(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	/* What cannot be sought, as some files of debugfs, is read once. */
	while ((n = pread(fd, text + used, size - 1 - used, used)) > 0 ||
	       (n < 0 && errno == ESPIPE && (n = read(fd, text + used, size - 1 - used)) > 0))
		used += n;
	text[used] = '\0';
	return used;
}

/* "ready pid=PID vmfd=FD": lets it go. */
static void check_ready(unsigned int i)
{
	struct guest *g = &guests[i];
	char said[512], *ready;
	int pid, vm_fd;

	read_text(g->said, said, sizeof(said));
	ready = strstr(said, "ready ");
	if (!ready || !strchr(ready, '\n') || sscanf(ready, "ready pid=%d vmfd=%d", &pid, &vm_fd) != 2)
		return;
	g->vm_fd = vm_fd;
	/* These hold the VM: some end with their process, others when we have had a look. */
	if (chance(75)) {
		g->ejections = open_debugfs(g, "ejections");
		g->policy = open_debugfs(g, "policy");
		if (g->ejections < 0 || g->policy < 0)
			wrong("guest %u: no files in debugfs: %s", i, strerror(errno));
	}
	shared->vms[i].vm_fd = vm_fd;
	shared->vms[i].pid = pid;
	if (write(g->input, "\n", 1) != 1)
		wrong("guest %u does not listen", i);
}

static u64 exits_of(u32 pid, u32 kind)
{
	struct exits_key key = { .vm_pid = pid, .kind = kind };
	u64 count = 0;

	bpf_map_lookup_elem(bpf_map__fd(exits->maps.exits), &key, &count);
	return count;
}

static bool is_line(const char *text, const char *line)
{
	return !strncmp(text, line, strlen(line)) && text[strlen(line)] == '\n';
}

/* The record of why the last policy left. Returns whether there is one. */
static bool check_record(const char *text, u32 pid)
{
	const char *kind = strstr(text, "\nexit_kind: "), *why = strstr(text, "\nexit_text: ");
	size_t known = 0;

	if (strncmp(text, "policy: ", 8)) {
		wrong("VM of %u: memattr_policy reads '%s'", pid, text);
		return false;
	}
	if (!kind && !why)
		return false;
	did.records++;
	while (kind && known < kinds.count && !is_line(kind + 12, kinds.kinds[known].name))
		known++;
	if (!kind || !why || known == kinds.count || !kinds.kinds[known].value ||
	    why[12] == '\n' || !why[12])
		wrong("VM of %u: a policy left for no reason: '%s'", pid, text);
	return true;
}

/*
 * The VM's process has ended and with it all conversions: what KVM counted is what the tracepoint
 * told.
 */
static void account(struct guest *g)
{
	char text[1024];
	u64 ejected = 0, any = 0, counted;

	if (g->ejections < 0)
		return;
	for (size_t i = 0; i < kinds.count; i++) {
		u32 kind = kinds.kinds[i].value;

		any += exits_of(g->pid, kind);
		if (kind >= kinds.first_ejected)
			ejected += exits_of(g->pid, kind);
	}
	if (!read_text(g->ejections, text, sizeof(text))) {
		wrong("VM of %d: cannot read its ejections", g->pid);
		return;
	}
	counted = strtoull(text, NULL, 10);
	if (counted != ejected)
		wrong("VM of %d: %llu ejections counted, %llu traced", g->pid,
		      (unsigned long long)counted, (unsigned long long)ejected);
	read_text(g->policy, text, sizeof(text));
	if (check_record(text, g->pid) != !!any && any)
		wrong("VM of %d: %llu policies left, and there is no record", g->pid,
		      (unsigned long long)any);
	did.vms_accounted++;
	did.ejections_accounted += counted;
}

static u64 number(const char *json, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(json, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void guest_ended(unsigned int i, int status)
{
	struct guest *g = &guests[i];
	char json[4096], said[1024];

	shared->vms[i].pid = 0;
	read_text(g->summary, json, sizeof(json));
	read_text(g->said, said, sizeof(said));
	if (g->killed && WIFSIGNALED(status)) {
		did.guests_killed++;
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) || g->vm_fd < 0) {
		wrong("guest %d ended with status %#x: %s%s", g->pid, status, json, said);
	} else {
		did.guests_verified++;
		did.guest_verified_pages += number(json, "guest_verified_pages");
		did.host_verified_pages += number(json, "host_verified_pages");
		did.conversions += number(json, "conversions");
		did.denied += number(json, "denied");
		did.gave_up += number(json, "gave_up");
		did.retries += number(json, "retries");
		if (!number(json, "guest_verified_pages"))
			wrong("guest %d has verified nothing: %s", g->pid, json);
	}
	account(g);
	close(g->input);
	close(g->summary);
	close(g->said);
	/* The VM ends here. */
	close(g->ejections);
	close(g->policy);
	g->pid = 0;
}

/* --- what happens to them ------------------------------------------------ */

static bool kill_guest(struct guest *g)
{
	if (!g->pid || g->killed)
		return false;
	g->killed = true;
	kill(g->pid, SIGKILL);
	return true;
}

static bool kill_loader(void)
{
	unsigned int i = below(LOADERS);

	/* To load takes seconds, of which not too many shall be in vain. */
	if (!loaders[i] || (!shared->loaded[i] && chance(90)))
		return false;
	kill(loaders[i], SIGKILL);
	did.loaders_killed++;
	return true;
}

static void look(bool detach)
{
	static const char *const files[] = {
		"ranges", "ejections", "policy_calls", "policy_ns", "refused", "widened_pages",
		"zapped_pages", "pages_private", "pages_shared", "noops",
	};
	struct guest *g = &guests[below(GUESTS)];
	char text[8192], *link;
	int fd;

	if (g->pid <= 0 || g->vm_fd < 0)
		return;
	fd = open_debugfs(g, files[below(ARRAY_SIZE(files))]);
	if (fd >= 0 && read_text(fd, text, sizeof(text)))
		did.reads++;
	close(fd);
	fd = open_debugfs(g, "policy");
	if (fd < 0)
		return;
	if (read_text(fd, text, sizeof(text))) {
		did.reads++;
		check_record(text, g->pid);
	}
	close(fd);
	link = strstr(text, "\nlink_id: ");
	if (!detach || !link)
		return;
	fd = bpf_link_get_fd_by_id(strtoul(link + 10, NULL, 10));
	if (fd < 0)
		return;
	if (!bpf_link_detach(fd))
		did.links_detached++;
	close(fd);
}

static void act(void)
{
	unsigned int die = below(200);

	if (die < 4)
		kill_loader();
	else if (die < 5)
		kill_guest(&guests[below(GUESTS)]);
	else if (die < 7)
		did.both_killed += kill_guest(&guests[below(GUESTS)]) && kill_loader();
	else if (die < 15)
		look(true);
	else if (die < 100)
		look(false);
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned int i = 0; i < GUESTS; i++)
			if (guests[i].pid == pid)
				guest_ended(i, status);
		for (unsigned int i = 0; i < LOADERS; i++) {
			if (loaders[i] != pid)
				continue;
			loaders[i] = 0;
			if (WIFEXITED(status) && WEXITSTATUS(status))
				wrong("a loader ended with status %d", WEXITSTATUS(status));
		}
	}
}

static void tend(void)
{
	reap();
	for (unsigned int i = 0; i < GUESTS; i++) {
		struct guest *g = &guests[i];

		if (!g->pid && !ending)
			start_guest(i);
		if (g->pid && g->vm_fd < 0)
			check_ready(i);
		if (g->pid && now_ns() > g->deadline_ns) {
			wrong("guest %d does not end", g->pid);
			g->deadline_ns = UINT64_MAX;
			kill_guest(g);
		}
	}
	for (unsigned int i = 0; i < LOADERS && !ending; i++)
		if (!loaders[i])
			start_loader(i);
}

static bool anybody(void)
{
	for (unsigned int i = 0; i < GUESTS; i++)
		if (guests[i].pid)
			return true;
	for (unsigned int i = 0; i < LOADERS; i++)
		if (loaders[i])
			return true;
	return false;
}

static void stop_all(void)
{
	ending = true;
	for (unsigned int i = 0; i < LOADERS; i++)
		if (loaders[i])
			kill(loaders[i], chance(50) ? SIGKILL : SIGTERM);
	for (unsigned int i = 0; i < GUESTS; i++) {
		if (guests[i].vm_fd < 0)
			kill_guest(&guests[i]);
		else if (guests[i].pid && !guests[i].killed)
			kill(guests[i].pid, SIGINT);
	}
	while (anybody()) {
		tend();
		sleep_ms(20);
	}
}

/* --- the outcome --------------------------------------------------------- */

static u64 counted(u32 index)
{
	u64 value = 0;

	bpf_map_lookup_elem(counts_fd, &index, &value);
	return value;
}

static u64 exits_in_all(u32 kind)
{
	struct exits_key key, *last = NULL;
	int fd = bpf_map__fd(exits->maps.exits);
	u64 sum = 0;

	while (!bpf_map_get_next_key(fd, last, &key)) {
		if (key.kind == kind)
			sum += exits_of(key.vm_pid, kind);
		last = &key;
	}
	return sum;
}

static void progress(uint64_t start_ns)
{
	fprintf(stderr, "# %lld s: guests %llu verified %llu killed, %llu loaders, %llu attaches, "
		"%llu updates, %llu converts, ejected", (long long)(now_ns() - start_ns) / 1000000000,
		did.guests_verified, did.guests_killed, did.loaders_started,
		(u64)shared->attaches, (u64)shared->updates, counted(CHAOS_CONVERTS));
	for (size_t i = 0; i < kinds.count; i++)
		if (kinds.kinds[i].value >= kinds.first_ejected)
			fprintf(stderr, " %s %llu", kinds.kinds[i].name,
				exits_in_all(kinds.kinds[i].value));
	fprintf(stderr, ", wrong %llu\n", (u64)wrongs);
}

static void check_outcome(void)
{
	uint64_t late_ns = now_ns() + SETTLE_S * 1000000000ull;

	/* The last ones may be on their way. */
	while (counted(CHAOS_ATTACHED) != counted(CHAOS_DETACHED) && now_ns() < late_ns)
		sleep_ms(50);
	if (counted(CHAOS_ATTACHED) != counted(CHAOS_DETACHED))
		wrong("vm_attach succeeded %llu times, vm_detach was called %llu times",
		      counted(CHAOS_ATTACHED), counted(CHAOS_DETACHED));
	for (u32 i = CHAOS_ATTACHED_TWICE; i < CHAOS_COUNTS; i++)
		if (counted(i))
			wrong("%s: %llu times", chaos_names[i], counted(i));
	if (exits->bss->without_reason)
		wrong("%llu exits without a reason were traced", exits->bss->without_reason);
	if (exits->bss->lost)
		wrong("%llu exits found no room in the map", exits->bss->lost);
	if (exits_in_all(0))
		wrong("%llu exits of no kind", exits_in_all(0));
}

static void report(void)
{
#define REPORT(name) printf("%s %llu\n", #name, (u64)did.name);
#define REPORT_SHARED(name) printf("%s %llu\n", #name, (u64)shared->name);
	COUNTS(REPORT)
	SHARED_COUNTS(REPORT_SHARED)
#undef REPORT_SHARED
#undef REPORT
	for (u32 i = 0; i < CHAOS_COUNTS; i++)
		printf("%s %llu\n", chaos_names[i], counted(i));
	for (size_t i = 0; i < kinds.count; i++)
		printf("exit:%s %llu\n", kinds.kinds[i].name, exits_in_all(kinds.kinds[i].value));
	printf("wrong %llu\n", (u64)wrongs);
}

int main(int argc, char **argv)
{
	uint64_t start_ns = now_ns(), progress_ns = start_ns + PROGRESS_S * 1000000000ull;

	if (argc != 3)
		errx(2, "usage: chaos SECONDS SEED");
	random_state = strtoull(argv[2], NULL, 0);
	printf("seed %s\n", argv[2]);
	end_ns = start_ns + atoll(argv[1]) * 1000000000ull;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	counts_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "chaos_counts", sizeof(u32), sizeof(u64),
				   CHAOS_COUNTS, NULL);
	if (counts_fd < 0)
		err(1, "bpf_map_create");
	if (exit_kinds_load(&kinds))
		errx(1, "KVM's BTF has no enum kvm_memattr_exit_kind");
	exits = exits_bpf__open_opts(kvm_open_options());
	if (!exits || exits_bpf__load(exits) || exits_bpf__attach(exits))
		err(1, "the tracepoint kvm_memattr_exit");

	while (now_ns() < end_ns) {
		tend();
		act();
		sleep_ms(below(200));
		if (now_ns() >= progress_ns) {
			progress(start_ns);
			progress_ns += PROGRESS_S * 1000000000ull;
		}
	}
	stop_all();
	check_outcome();
	progress(start_ns);
	report();
	exits_bpf__destroy(exits);
	return wrongs ? 1 : 0;
}
