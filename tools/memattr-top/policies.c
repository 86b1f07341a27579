// SPDX-License-Identifier: GPL-2.0
/* Policies that have left their VMs, and why. */
#include "figures.h"

#include <stdio.h>
#include <string.h>

#include "rows.h"
#include "table.h"

/* The last ejections, of VMs that may be gone. Older ones are still in the count. */
#define NOTED_MAX 64

static struct noted {
	struct snapshot_vm vm;
	char left[sizeof(((struct top_vm *)NULL)->left)];
} noted[NOTED_MAX];
static unsigned int noted_count, pending;

static bool is_noted(const struct top_vm *vm)
{
	unsigned int kept = noted_count < NOTED_MAX ? noted_count : NOTED_MAX;

	for (unsigned int i = 0; i < kept; i++)
		if (vm_is_row_of(&noted[i].vm, &vm->vm) && !strcmp(noted[i].left, vm->left))
			return true;
	return false;
}

void note_ejections(const struct snapshot *now)
{
	for (size_t i = 0; i < now->lists[0].count; i++) {
		const struct top_vm *vm = snapshot_item(now, 0, i);
		struct noted *to = &noted[noted_count % NOTED_MAX];

		if (!vm->ejected || is_noted(vm))
			continue;
		to->vm = vm->vm;
		memcpy(to->left, vm->left, sizeof(to->left));
		noted_count++;
		pending++;
	}
}

bool ejection_alert(char *text, size_t size)
{
	const struct noted *last = &noted[(noted_count - 1) % NOTED_MAX];
	char name[4 * 24];

	if (!pending)
		return false;
	cut_middle(name, sizeof(name), last->vm.name, 24);
	snprintf(text, size, "%u policies ejected, the last one %s from %s; a: seen", pending, last->left, name);
	if (pending == 1)
		snprintf(text, size, "ejected: %s from %s; a: seen, l: why", last->left, name);
	return true;
}

void acknowledge_ejections(void)
{
	pending = 0;
}

static bool is_shown(const struct top_vm *vm, const struct args *args)
{
	return vm->left[0] && vm_is_of(&vm->vm, args->pid);
}

bool has_left(const struct snapshot *now, const struct args *args)
{
	for (size_t i = 0; i < now->lists[0].count; i++)
		if (is_shown(snapshot_item(now, 0, i), args))
			return true;
	return false;
}

int draw_left(int y, int end, const struct snapshot *now, const struct args *args)
{
	char text[2 * VM_NAME_LEN + VM_EXIT_TEXT_LEN];

	attron(A_BOLD);
	put(y++, 0, "Policies that have left their VMs");
	attroff(A_BOLD);
	if (!has_left(now, args))
		put(y++, 0, "none");
	for (size_t i = 0; i < now->lists[0].count && y < end; i++) {
		const struct top_vm *vm = snapshot_item(now, 0, i);
		chtype attributes = vm->ejected ? colour(COLOUR_WARNING) : A_NORMAL;

		if (!is_shown(vm, args))
			continue;
		snprintf(text, sizeof(text), "%7d %s  %s %s%s%s", vm->vm.pid, vm->vm.name,
			 vm->ejected ? "ejected" : "left", vm->left, vm->left_text[0] ? ": " : "", vm->left_text);
		attron(attributes);
		put(y++, 0, text);
		attroff(attributes);
	}
	return y;
}
