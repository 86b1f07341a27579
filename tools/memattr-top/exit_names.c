// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* Reasons of exits in words: those of the processor come from the kernel's own headers. */
#include "figures.h"

/* The numbers of exceptions, which <asm/svm.h> uses, are in <linux/kvm.h>. */
#include <linux/kvm.h>

#include <asm/svm.h>
#include <asm/vmx.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reason {
	unsigned int number;
	const char *name;
};

static const struct reason vmx[] = { VMX_EXIT_REASONS };
static const struct reason svm[] = { SVM_EXIT_REASONS };

/* "user:hypercall" for each KVM_EXIT_*; made from <linux/kvm.h>. */
static const char * const user[] = {
#include "user_exits.h"
};

#define USER_COUNT (sizeof(user) / sizeof(*user))

/* Numbers without a name are few. Their texts stay where they are, because two of them get compared. */
#define UNNAMED_MAX 64

static const char *unnamed(long part, const char *format, unsigned int number)
{
	/* Metrics are written in another thread. */
	static __thread struct {
		long part;
		char text[24];
	} texts[UNNAMED_MAX];
	static __thread int count;

	for (int i = 0; i < count; i++)
		if (texts[i].part == part)
			return texts[i].text;
	if (count == UNNAMED_MAX)
		return "other";
	texts[count].part = part;
	snprintf(texts[count].text, sizeof(texts[count].text), format, number);
	return texts[count++].text;
}

static const char *find(const struct reason *reasons, size_t count, unsigned int number)
{
	for (size_t i = 0; i < count; i++)
		if (reasons[i].number == number)
			return reasons[i].name;
	return NULL;
}

static const char *user_name(unsigned int number)
{
	/* Debian 12's header does not have it. */
	if (number == USER_EXIT_MEMORY_FAULT)
		return "user:memory_fault";
	return number < USER_COUNT ? user[number] : NULL;
}

const char *exit_name(long part)
{
	unsigned int number = (uint32_t)part;

	switch (part >> 32) {
	case REASON_VMX:
		return find(vmx, sizeof(vmx) / sizeof(*vmx), number) ?: unnamed(part, "vmx:%u", number);
	case REASON_SVM:
		return find(svm, sizeof(svm) / sizeof(*svm), number) ?: unnamed(part, "svm:%#x", number);
	case REASON_USER:
		return user_name(number) ?: unnamed(part, "user:%u", number);
	default:
		return number == EINTR ? "user:EINTR" : unnamed(part, "user:error_%u", number);
	}
}
