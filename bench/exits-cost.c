// SPDX-License-Identifier: GPL-2.0
/*
 * What memattr-top's programs take for each exit on this machine, at a rate of exits that is kept for some seconds. Prints
 * WATCHED NS_BY_BPF NS_OF_EMPTY_BY_BPF NS for exits alone and for all that is known of them. The kernel's statistics of
 * BPF include what it takes to keep them, which is all that an empty program costs by them: without that they are what
 * memattr-top shows as its own cost in most intervals. The last number is the time that passes, without statistics, beyond
 * that of empty programs.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "bpf_maps.h"
#include "counts.h"
#include "cpus.h"
#include "exits.skel.h"
#include "kvm_btf.h"

#define EXITS_PER_BURST	50	/* 50,000 a second */
#define SECONDS		5
/* Guests exit again and again, between which the caches get cold. */
#define BURSTS_PER_S	1000
#define BURST_NS	(1000000000 / BURSTS_PER_S)

/* Per exit. */
struct cost {
	double bpf_ns, ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Its descriptors keep the vCPU until the process ends. */
static void make_vcpu(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	if (kvm < 0)
		err(1, "cannot open /dev/kvm; try: memattr-policy doctor");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
		err(1, "cannot create a vCPU; try: memattr-policy doctor");
}

static void find_vcpu(struct exits_bpf *bpf)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { .task.pid = getpid() };
	struct bpf_link *link;
	int iter;
	char byte;

	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	link = bpf_program__attach_iter(bpf->progs.find_vcpu, &opts);
	iter = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	while (iter >= 0 && read(iter, &byte, 1) > 0)
		;
	if (!bpf->bss->vcpu)
		errx(1, "cannot find the vCPU in the kernel");
	close(iter);
	bpf_link__destroy(link);
}

/* Where a vCPU has a pointer to what it shares with userspace: as good as one to a VMCB. */
static __u32 offset_of_run(void)
{
	struct kvm_btf kvm;
	int id, offset = 0;

	if (kvm_btf_load(&kvm))
		errx(1, "cannot read KVM's types");
	id = btf__find_by_name_kind(kvm.btf, "kvm_vcpu", BTF_KIND_STRUCT);
	if (id > 0)
		offset = btf_member_offset(kvm.btf, btf__type_by_id(kvm.btf, id), "run");
	kvm_btf_free(&kvm);
	if (offset <= 0)
		errx(1, "cannot find the member run of struct kvm_vcpu");
	return offset;
}

static struct exits_bpf *load(void)
{
	struct exits_bpf *bpf = exits_bpf__open();
	struct bpf_program *program;

	if (!bpf)
		err(1, "cannot read the programs");
	bpf_object__for_each_program(program, bpf->obj)
		bpf_program__set_autoload(program, false);
	bpf_program__set_autoload(bpf->progs.find_vcpu, true);
	bpf_program__set_autoload(bpf->progs.nothing, true);
	bpf_program__set_autoload(bpf->progs.exit_only, true);
	bpf_program__set_autoload(bpf->progs.exit_and_entry, true);
	bpf_program__set_autoload(bpf->progs.call_all, true);
	bpf_map__set_max_entries(bpf->maps.cpus, cpus_end(POSSIBLE_CPUS));
	bpf_map__set_max_entries(bpf->maps.series, VM_SLOTS);
	bpf_map__set_max_entries(bpf->maps.series_ids, VM_SLOTS);
	bpf_map__set_max_entries(bpf->maps.free_series, VM_SLOTS);
	bpf->rodata->svm_vmcb_at = offset_of_run();
	if (exits_bpf__load(bpf))
		errx(1, "cannot load the programs; Linux 6.10 is the oldest that can");
	if (push_all(bpf->maps.free_slots) || push_all(bpf->maps.free_series))
		errx(1, "cannot fill the maps");
	return bpf;
}

static uint64_t run_ns(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &len) ? 0 : info.run_time_ns;
}

/* One burst after the other, each at its time. Returns how long the middle one took. */
static uint64_t run_bursts(const struct exits_bpf *bpf, unsigned int bursts)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint64_t next = now_ns(), *took = calloc(bursts, sizeof(*took)), middle;

	if (!took)
		err(1, "cannot keep the times");
	for (unsigned int i = 0; i < bursts; i++) {
		struct timespec at = { .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000 };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		took[i] = now_ns();
		if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.call_all), &opts))
			err(1, "cannot call the tracepoint");
		took[i] = now_ns() - took[i];
		next += BURST_NS;
	}
	middle = median(took, bursts);
	free(took);
	return middle;
}

static struct cost measure(struct exits_bpf *bpf, struct bpf_program *program, unsigned int bursts)
{
	struct bpf_link *link = bpf_program__attach(program);
	double exits = (double)EXITS_PER_BURST * bursts;
	struct cost cost;
	uint64_t began;
	int stats;

	if (!link)
		err(1, "cannot attach the program");
	cost.ns = (double)run_bursts(bpf, bursts) / EXITS_PER_BURST;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0)
		err(1, "the kernel keeps no statistics of BPF");
	began = run_ns(program);
	run_bursts(bpf, bursts);
	cost.bpf_ns = (run_ns(program) - began) / exits;
	close(stats);
	bpf_link__destroy(link);
	return cost;
}

static void report(struct exits_bpf *bpf, const char *watched, struct bpf_program *program, unsigned int calls_per_exit,
		   unsigned int seconds)
{
	struct cost empty, cost;

	bpf->bss->calls = EXITS_PER_BURST * calls_per_exit;
	empty = measure(bpf, bpf->progs.nothing, seconds * BURSTS_PER_S);
	cost = measure(bpf, program, seconds * BURSTS_PER_S);
	printf("%s %.1f %.1f %.1f\n", watched, cost.bpf_ns, empty.bpf_ns, cost.ns - empty.ns);
	if (bpf->bss->lost_events)
		errx(1, "%llu exits were not counted", (unsigned long long)bpf->bss->lost_events);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : SECONDS;
	struct exits_bpf *bpf;

	make_vcpu();
	bpf = load();
	find_vcpu(bpf);
	report(bpf, "exits", bpf->progs.exit_only, 1, seconds);
	bpf->bss->divide_exits = true;
	report(bpf, "reasons", bpf->progs.exit_and_entry, 2, seconds);
	exits_bpf__destroy(bpf);
	return 0;
}
