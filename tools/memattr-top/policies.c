// SPDX-License-Identifier: GPL-2.0
/* Policies that have left their VMs, and why. */
#include "figures.h"

#include "rows.h"
#include "screen.h"

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
