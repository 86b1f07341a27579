/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memattr-guest, the host side. memattr-guest.c: options and the run as a whole. vm.c: makes the
 * VM. vcpu.c: runs it and does the conversions. footprint.c: measures the memory it takes.
 * recording.c: reads what perf recorded. replay.c: makes it the guest's steps. report.c: the summary.
 */
#ifndef VMM_H
#define VMM_H

#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest-abi.h"
#include "h2.h"

enum exit_code {
	EXIT_OK,
	EXIT_MISMATCH,
	EXIT_USAGE,
	EXIT_ENVIRONMENT,
	EXIT_STUCK,
};

/* --inject-corruption: where this program spoils data, to show that it would be noticed. */
enum corruption {
	CORRUPT_NOTHING, CORRUPT_REQUEST, CORRUPT_ANSWER, CORRUPT_PRIVATE,
	/* A conversion in place loses the content. */
	CORRUPT_TO_SHARED, CORRUPT_TO_PRIVATE,
};

enum thp { THP_SYSTEM, THP_ON, THP_OFF };

struct options {
	enum scenario scenario;
	uint64_t mem_bytes;
	uint64_t chunk_bytes;
	uint64_t touch_every;
	unsigned int vcpus;
	double rate;			/* conversions/s over all vCPUs, 0: no limit */
	uint64_t seed;
	double duration_s;		/* 0: no limit */
	uint64_t count;			/* 0: no limit */
	enum thp thp;
	bool keep;
	bool in_place;			/* one backing instead of two */
	enum corruption corruption;
	const char *replay;		/* a recording */
	double replay_speed;		/* 0: as fast as it goes */
	uint64_t replay_vm;		/* KVM's number; 0: the first VM in the recording */
	uint64_t replay_base;		/* the recorded gpa that is WORK_GPA here */
	const char *name;
	bool wait;
	bool json;
};

#define ERRNO_MAX		133	/* EHWPOISON, the highest there is */

/* All members are of type uint64_t, to be added up. */
struct counts {
	uint64_t to_shared;		/* conversions done */
	uint64_t to_private;
	uint64_t converted_pages;
	uint64_t dropped_pages;		/* of the stale side, freed by the VMM */
	uint64_t asked;			/* by the guest, each conversion once */
	uint64_t requested_pages;
	uint64_t refused_eagain;	/* answers, several per conversion */
	uint64_t retries;
	uint64_t denied[ERRNO_MAX + 1];	/* refused with another errno */
	uint64_t gave_up;
	uint64_t kvm_run_returns;
	uint64_t exits;			/* KVM's own count, with those that never left the kernel */
	uint64_t stage2_faults;
	uint64_t host_verified_pages;
	uint64_t guest_verified_pages;
	uint64_t sequence;		/* digest of what was asked for, in order */
	uint64_t convert_ns[H2_BUCKETS];	/* of the ioctl, where it was not refused */
};

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	struct guest_vcpu *guest;	/* the page shared with the guest */
	pthread_t thread;
	bool retrying;			/* the last conversion got -EAGAIN */
	int64_t ran_ns;			/* when the scenario was over */
	struct counts counts;
};

struct vm {
	const struct options *opt;
	int vm_fd;
	int gmem_fd;
	uint8_t *control;
	uint64_t control_bytes;
	uint8_t *work;			/* shared work memory; in place a mapping of the guest_memfd */
	struct replay *replay;		/* NULL: a scenario of our own */
	struct vcpu vcpus[MAX_VCPUS];
	unsigned int vcpus_alive;
	int ended_fd;			/* eventfd: the last vCPU thread has ended */
	int64_t start_ns;

	pthread_mutex_t lock;		/* for the rest */
	pthread_cond_t changed;		/* started, stopped */
	bool started;
	enum stop stop;
	int64_t next_conversion_ns;	/* --rate */
	enum exit_code failure;
	char failure_text[512];
};

/* The memory that a VM takes, in bytes; -1 where this host does not tell. */
struct footprint {
	int64_t anonymous;		/* of this process: two backings have shared pages here */
	int64_t gmem;			/* pages of the guest_memfd, whoever maps them */
	int64_t resident;		/* both of these */
	int64_t rss;			/* what top shows */
	int64_t memcg_current;		/* of this process's memory cgroup, the kernel's memory included */
	int64_t memcg_peak;
};

/* footprint.c */
void measure_footprint(const struct vm *vm, struct footprint *footprint);

/* vm.c; these return 0, or -1 after vm_fail(). */
int vm_create(struct vm *vm, const struct options *opt);
int vm_start(struct vm *vm);
/* Sets the state of pages of the work memory before the guest runs. */
int vm_set_initial(struct vm *vm, uint64_t first, uint64_t pages, bool private);

/* vcpu.c */
void *vcpu_thread(void *arg);
/* Converts as KVM is set up to do it, and returns 0 or a positive errno. */
int try_set_private(struct vm *vm, uint64_t gpa, uint64_t bytes, bool private);
/* Instead of ending the program, a host access that KVM refuses becomes a failure of the VM. */
void report_bus_errors(void);
void vm_stop(struct vm *vm, enum stop stop);
void vm_sleep_until(struct vm *vm, int64_t until_ns);

/* The first failure counts: it is kept for the report, and the VM stops. Returns -1. */
__attribute__((format(printf, 3, 4)))
int vm_fail(struct vm *vm, enum exit_code code, const char *fmt, ...);

/* report.c */
void report(struct vm *vm, const char *ended);
void report_failure(const struct vm *vm);
extern const char *const scenario_names[];	/* ends with NULL */

#endif
