// SPDX-License-Identifier: GPL-2.0
/* Runs the vCPUs: conversions, doorbells, pacing. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "kvmstat.h"
#include "replay.h"
#include "testvm.h"
#include "vmm.h"

#define NS_PER_S	1000000000ll
#define NS_PER_US	1000ll

/*
 * What the guest gets for a conversion that is refused: later kernels let a VMM answer the
 * hypercall with these two errors only.
 */
#define GUEST_EINVAL	((uint64_t)-EINVAL)
#define GUEST_EAGAIN	((uint64_t)-EAGAIN)

int vm_fail(struct vm *vm, enum exit_code code, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&vm->lock);
	if (!vm->failure) {
		vm->failure = code;
		va_start(args, fmt);
		vsnprintf(vm->failure_text, sizeof(vm->failure_text), fmt, args);
		va_end(args);
	}
	pthread_mutex_unlock(&vm->lock);
	vm_stop(vm, STOP_NOW);
	return -1;
}

void vm_stop(struct vm *vm, enum stop stop)
{
	pthread_mutex_lock(&vm->lock);
	if (stop > vm->stop) {
		vm->stop = stop;
		for (unsigned int id = 0; id < vm->opt->vcpus; id++)
			if (vm->vcpus[id].guest)
				vm->vcpus[id].guest->stop = stop;
		pthread_cond_broadcast(&vm->changed);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* Returns early where the VM is to stop. */
void vm_sleep_until(struct vm *vm, int64_t until_ns)
{
	struct timespec until = {
		.tv_sec = until_ns / NS_PER_S,
		.tv_nsec = until_ns % NS_PER_S,
	};

	pthread_mutex_lock(&vm->lock);
	while (!vm->stop && pthread_cond_timedwait(&vm->changed, &vm->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&vm->lock);
}

/* Conversions start at even intervals; what is late is not made up for by a burst. */
static void wait_for_rate(struct vm *vm)
{
	int64_t start_ns;

	if (!vm->opt->rate)
		return;
	pthread_mutex_lock(&vm->lock);
	start_ns = now_ns();
	if (start_ns < vm->next_conversion_ns)
		start_ns = vm->next_conversion_ns;
	vm->next_conversion_ns = start_ns + (int64_t)(NS_PER_S / vm->opt->rate);
	pthread_mutex_unlock(&vm->lock);
	vm_sleep_until(vm, start_ns);
}

/* Frees one side of a range. With one backing, the content goes in whichever state a page is. */
static int drop(struct vm *vm, uint64_t gpa, uint64_t bytes, bool private)
{
	if (private && try_punch(vm->gmem_fd, gpa - WORK_GPA, bytes))
		return vm_fail(vm, EXIT_STUCK, "PUNCH_HOLE at gpa 0x%lx: %s", gpa, strerror(errno));
	if (!private && madvise(vm->work + (gpa - WORK_GPA), bytes, MADV_DONTNEED))
		return vm_fail(vm, EXIT_STUCK, "MADV_DONTNEED at gpa 0x%lx: %s", gpa,
			       strerror(errno));
	return 0;
}

/* The range has become @private. */
static int drop_stale_side(struct vcpu *vcpu, uint64_t gpa, uint64_t pages, bool private)
{
	const struct options *opt = vcpu->vm->opt;

	if (opt->corruption == (private ? CORRUPT_TO_PRIVATE : CORRUPT_TO_SHARED))
		return drop(vcpu->vm, gpa, pages * GUEST_PAGE_SIZE, true);
	if (opt->keep || opt->in_place)
		return 0;
	vcpu->counts.dropped_pages += pages;
	return drop(vcpu->vm, gpa, pages * GUEST_PAGE_SIZE, !private);
}

int try_set_private(struct vm *vm, uint64_t gpa, uint64_t bytes, bool private)
{
	uint64_t attributes = private ? PRIVATE : 0;

	return vm->opt->in_place ?
	       try_convert(vm->gmem_fd, gpa - WORK_GPA, bytes, attributes, NULL) :
	       try_set_attributes(vm->vm_fd, gpa, bytes, attributes);
}

static bool in_work_memory(const struct vm *vm, uint64_t gpa, uint64_t pages)
{
	uint64_t work_pages = vm->opt->mem_bytes / GUEST_PAGE_SIZE;
	uint64_t page = (gpa - WORK_GPA) / GUEST_PAGE_SIZE;

	return gpa >= WORK_GPA && gpa % GUEST_PAGE_SIZE == 0 && pages && pages <= work_pages &&
	       page <= work_pages - pages;
}

/* KVM_HC_MAP_GPA_RANGE. */
static int handle_conversion(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct counts *counts = &vcpu->counts;
	struct vm *vm = vcpu->vm;
	uint64_t gpa = run->hypercall.args[0];
	uint64_t pages = run->hypercall.args[1];
	bool private = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED;
	int64_t start_ns;
	int err;

	if (run->hypercall.nr != KVM_HC_MAP_GPA_RANGE || !in_work_memory(vm, gpa, pages))
		return vm_fail(vm, EXIT_STUCK, "unexpected hypercall %llu of gpa 0x%lx, %lu pages",
			       run->hypercall.nr, gpa, pages);
	if (vcpu->retrying) {
		counts->retries++;
	} else {
		wait_for_rate(vm);
		counts->requested_pages += pages;
		counts->sequence = mix64(counts->sequence + mix64(gpa + private) + pages);
	}

	start_ns = now_ns();
	err = try_set_private(vm, gpa, pages * GUEST_PAGE_SIZE, private);
	vcpu->retrying = err == EAGAIN;
	if (!err) {
		counts->convert_ns[h2_bucket(now_ns() - start_ns)]++;
		counts->to_private += private;
		counts->to_shared += !private;
		counts->converted_pages += pages;
		run->hypercall.ret = 0;
		return drop_stale_side(vcpu, gpa, pages, private);
	}
	if (err == EAGAIN) {
		counts->refused_eagain++;
		run->hypercall.ret = GUEST_EAGAIN;
	} else {
		counts->denied[err <= ERRNO_MAX ? err : 0]++;
		run->hypercall.ret = GUEST_EINVAL;
	}
	return 0;
}

static int report_mismatch(struct vm *vm, uint64_t gpa, uint64_t expected, uint64_t found,
			   uint32_t tag, bool private, const char *seen_by, unsigned int vcpu)
{
	return vm_fail(vm, EXIT_MISMATCH,
		       "data mismatch at gpa 0x%lx: expected 0x%016lx, found 0x%016lx "
		       "(%s page, generation %u, seen by the %s on vCPU %u)",
		       gpa, expected, found, private ? "private" : "shared",
		       tag >> TAG_WRITER_BITS, seen_by, vcpu);
}

/* Where KVM refuses this thread an access to guest memory, the thread goes on at bus_error_from. */
static _Thread_local sigjmp_buf *volatile bus_error_from;
static _Thread_local uint8_t *volatile bus_error_at;

static void handle_bus_error(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	bus_error_at = info->si_addr;
	if (bus_error_from)
		siglongjmp(*bus_error_from, 1);
	signal(signal_number, SIG_DFL);
}

void report_bus_errors(void)
{
	struct sigaction action = { .sa_sigaction = handle_bus_error, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
}

/* The shared pages hold what the guest wrote; they get an answer that it will check. */
static int answer_request(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct guest_vcpu *guest = vcpu->guest;
	uint64_t gpa = guest->exchange.gpa;
	uint64_t pages = guest->exchange.pages;
	uint64_t end = gpa + pages * GUEST_PAGE_SIZE;
	uint32_t request = guest->exchange.tag;
	uint32_t answer = tag_of(request >> TAG_WRITER_BITS, HOST_ANSWER);
	uint64_t *first_word;

	if (!in_work_memory(vm, gpa, pages))
		return vm_fail(vm, EXIT_STUCK, "unexpected exchange of gpa 0x%lx, %lu pages", gpa,
			       pages);
	first_word = (uint64_t *)(vm->work + (gpa - WORK_GPA));
	if (vm->opt->corruption == CORRUPT_REQUEST)
		*first_word ^= 1;
	for (uint64_t page = gpa; page < end; page += GUEST_PAGE_SIZE) {
		for (unsigned int line = 0; line < LINES_PER_PAGE; line++) {
			uint64_t at = page + word_offset(line);
			uint64_t *word = (uint64_t *)(vm->work + (at - WORK_GPA));
			uint64_t expected = pattern(vm->opt->seed, at, request);

			if (*word != expected)
				return report_mismatch(vm, at, expected, *word, request, false,
						       "host", vcpu->id);
			*word = pattern(vm->opt->seed, at, answer);
		}
		vcpu->counts.host_verified_pages++;
	}
	if (vm->opt->corruption == CORRUPT_ANSWER)
		*first_word ^= 1;
	guest->exchange.tag = answer;
	return 0;
}

static int handle_exchange(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	sigjmp_buf from;
	int ret;

	if (sigsetjmp(from, 1)) {
		bus_error_from = NULL;
		return vm_fail(vm, EXIT_STUCK,
			       "the host may not access gpa 0x%llx, which the guest has shared "
			       "(SIGBUS); is there a policy? memattr-policy list",
			       WORK_GPA + (uint64_t)(bus_error_at - vm->work));
	}
	bus_error_from = &from;
	ret = answer_request(vcpu);
	bus_error_from = NULL;
	return ret;
}

/* 1: the vCPU has ended. */
static int handle_doorbell(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct guest_vcpu *guest = vcpu->guest;
	struct vm *vm = vcpu->vm;
	uint32_t value;

	memcpy(&value, (uint8_t *)run + run->io.data_offset, sizeof(value));
	switch (run->io.port) {
	case PORT_EXCHANGE:
		return handle_exchange(vcpu);
	case PORT_BACKOFF:
		vm_sleep_until(vm, now_ns() + value * NS_PER_US);
		return 0;
	case PORT_RAN:
		vcpu->ran_ns = now_ns();
		/* What the last conversion left open is over as well. */
		if (vm->opt->corruption == CORRUPT_PRIVATE)
			return drop(vm, WORK_GPA, vm->opt->mem_bytes, true);
		return 0;
	case PORT_CHECKED:
		return 1;
	case PORT_STEPS:
		replay_next(vcpu);
		return 0;
	case PORT_MISMATCH:
		return report_mismatch(vm, guest->mismatch.gpa, guest->mismatch.expected,
				       guest->mismatch.found, guest->mismatch.tag,
				       guest->mismatch.private, "guest", vcpu->id);
	}
	return vm_fail(vm, EXIT_STUCK, "unexpected I/O at port 0x%x", run->io.port);
}

static int fail_unexpected_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs regs = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	if (run->exit_reason == KVM_EXIT_MMIO)
		return vm_fail(vcpu->vm, EXIT_STUCK,
			       "vCPU %u touched gpa 0x%llx, where no memory is, at rip 0x%llx",
			       vcpu->id, run->mmio.phys_addr, regs.rip);
	return vm_fail(vcpu->vm, EXIT_STUCK, "unexpected exit of vCPU %u: reason %u, rip 0x%llx",
		       vcpu->id, run->exit_reason, regs.rip);
}

static int fail_run(struct vcpu *vcpu, int err)
{
	const struct kvm_run *run = vcpu->run;

	/* Only with these two does the exit reason belong to this call. */
	if ((err == EFAULT || err == EHWPOISON) && run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		return vm_fail(vcpu->vm, EXIT_STUCK,
			       "KVM_RUN of vCPU %u: %s: memory fault at gpa 0x%llx, %s access",
			       vcpu->id, strerror(err), run->memory_fault.gpa,
			       run->memory_fault.flags & KVM_MEMORY_EXIT_FLAG_PRIVATE ?
			       "private" : "shared");
	return vm_fail(vcpu->vm, EXIT_STUCK, "KVM_RUN of vCPU %u: %s", vcpu->id, strerror(err));
}

/* 0: goes on, 1: ended, -1: failed. */
static int run_once(struct vcpu *vcpu)
{
	int ret = ioctl(vcpu->fd, KVM_RUN, NULL);

	vcpu->counts.kvm_run_returns++;
	if (ret && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (ret)
		return fail_run(vcpu, errno);
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_HYPERCALL:
		return handle_conversion(vcpu);
	case KVM_EXIT_IO:
		return handle_doorbell(vcpu);
	}
	return fail_unexpected_exit(vcpu);
}

static void name_thread(const struct vcpu *vcpu)
{
	char name[16];

	snprintf(name, sizeof(name), "CPU %u/KVM", vcpu->id);
	pthread_setname_np(pthread_self(), name);
}

void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	bool last;

	name_thread(vcpu);
	pthread_mutex_lock(&vm->lock);
	while (!vm->started)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);

	while (run_once(vcpu) == 0)
		;
	if (!vcpu->ran_ns)
		vcpu->ran_ns = now_ns();
	vcpu->counts.exits = kvm_stat(vcpu->fd, "exits");
	vcpu->counts.stage2_faults = kvm_stat(vcpu->fd, "pf_taken");
	vcpu->counts.asked = vcpu->guest->asked;
	vcpu->counts.gave_up = vcpu->guest->gave_up;
	vcpu->counts.guest_verified_pages = vcpu->guest->verified_pages;

	pthread_mutex_lock(&vm->lock);
	last = --vm->vcpus_alive == 0;
	pthread_mutex_unlock(&vm->lock);
	if (last)
		eventfd_write(vm->ended_fd, 1);
	return NULL;
}
