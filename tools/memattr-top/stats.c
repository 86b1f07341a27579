// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "stats.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "bpf_maps.h"

int stats_open(struct stats *stats, const struct bpf_map *map, int program)
{
	*stats = (struct stats){ .map = map, .shared = map_shared(map), .program = program };
	return stats->shared ? 0 : -errno;
}

void stats_close(struct stats *stats)
{
	if (stats->map)
		unmap_shared(stats->map, stats->shared);
}

/* If it fails, the counts of a VM that is there already begin after its first event. */
void stats_read_old(const struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	char none;

	/* It prints nothing: one call goes through all files. */
	while (fd >= 0 && read(fd, &none, 1) < 0 && errno == EAGAIN)
		;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
}

int stats_read(const struct stats *stats)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	return bpf_prog_test_run_opts(stats->program, &options);
}

void stats_count_huge(struct stats *stats, const struct vm_table *table, const struct top_counts *counts,
		      bool counting)
{
	bool begins = counting && !stats->counting;

	stats->counting = counting;
	if (!begins || stats_read(stats))
		return;
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		stats->begin[slot].birth = table->shared[slot].birth;
		stats->begin[slot].huge_pages = stats->shared[slot].now.huge_pages - counts[slot].huge_mapped;
	}
}

/* What was mapped, and is not, has been lost. KVM counts only those that are mapped at the moment. */
static uint64_t huge_lost(struct stats *stats, const struct top_vm *vm, uint32_t slot)
{
	uint64_t mapped;

	if (stats->begin[slot].birth != vm->vm.birth) {
		stats->begin[slot].birth = vm->vm.birth;
		stats->begin[slot].huge_pages = stats->shared[slot].first.huge_pages;
	}
	mapped = stats->begin[slot].huge_pages + vm->numbers.huge_mapped;
	return mapped > vm->huge_pages ? mapped - vm->huge_pages : 0;
}

void stats_fill(struct stats *stats, struct top_vm *vm, uint32_t slot, const struct vm_owner *owner, bool of_series)
{
	const struct top_stats_of_vm *of_vm = &stats->shared[slot];
	const struct top_stats *from = owner->ended && !owner->vanished ? &of_vm->last : &of_vm->now;
	const struct top_stats *first = &of_vm->first;
	struct numbers *to = &vm->numbers;

	vm->huge_pages = from->huge_pages;
	vm->private_pages = from->pages_private - from->pages_shared;
	if (of_series)
		to->zap_pages = from->zapped_pages - first->zapped_pages;
	to->widened_pages = from->widened_pages - first->widened_pages;
	to->policy_calls = from->policy_calls - first->policy_calls;
	to->policy_ns = from->policy_ns - first->policy_ns;
	to->refused = from->refused - first->refused;
	to->host_refused = from->host_refused - first->host_refused;
	to->ejections = from->ejections - first->ejections;
	to->prefaulted_pages = from->prefaulted_pages - first->prefaulted_pages;
	to->prefaulted_unused = from->prefaulted_unused - first->prefaulted_unused;
	to->gmem_huge_allocated = from->gmem_huge_allocated - first->gmem_huge_allocated;
	to->gmem_huge_refused = from->gmem_huge_refused - first->gmem_huge_refused;
	to->gmem_huge_declined = from->gmem_huge_declined - first->gmem_huge_declined;
	to->gmem_huge_splits = from->gmem_huge_splits - first->gmem_huge_splits;
	if (stats->counting)
		to->huge_lost = huge_lost(stats, vm, slot);
}
