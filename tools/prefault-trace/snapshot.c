// SPDX-License-Identifier: GPL-2.0
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->slow_count; i++)
		free(s->slow[i].frames);
	for (size_t i = 0; i < s->stack_count; i++)
		free(s->stacks[i].folded);
	free(s->vms);
	free(s->series);
	free(s->slow);
	free(s->stacks);
	free(s);
}

int snapshot_compare_series(const void *a, const void *b)
{
	const struct snapshot_series *left = a, *right = b;

	if (left->birth != right->birth)
		return left->birth < right->birth ? -1 : 1;
	if (left->vcpu != right->vcpu)
		return left->vcpu < right->vcpu ? -1 : 1;
	return memcmp(&left->kind, &right->kind, sizeof(left->kind));
}

const struct snapshot_vm *snapshot_vm(const struct snapshot *s, uint64_t birth)
{
	for (size_t i = 0; i < s->vm_count; i++)
		if (s->vms[i].birth == birth)
			return &s->vms[i];
	return NULL;
}

uint64_t snapshot_touched(const struct snapshot_use *use)
{
	/* The three counts are not read at the same instant. */
	uint64_t rest = use->unused + use->untouched;

	return use->prefaulted > rest ? use->prefaulted - rest : 0;
}
