// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "history.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct track {
	struct snapshot_vm vm;
	uint64_t last;
	unsigned int samples;		/* since the VM was first seen */
	float rates[HISTORY_SAMPLES];	/* a ring: sample n is at n % HISTORY_SAMPLES */
};

static int compare_tracks(const void *a, const void *b)
{
	const struct snapshot_vm *left = &((const struct track *)a)->vm, *right = &((const struct track *)b)->vm;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->creator_tid != right->creator_tid)
		return left->creator_tid < right->creator_tid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

static const struct track *find(const struct history *history, const struct snapshot_vm *vm)
{
	const struct track key = { .vm = *vm };

	if (!history->count)
		return NULL;
	return bsearch(&key, history->tracks, history->count, sizeof(key), compare_tracks);
}

static void add_sample(struct track *track, const struct track *before, double seconds, uint64_t count)
{
	if (before) {
		memcpy(track->rates, before->rates, sizeof(track->rates));
		track->samples = before->samples;
		/* A count that went back is another VM's, or of a record that was wound back. */
		if (seconds > 0 && count >= before->last)
			track->rates[track->samples++ % HISTORY_SAMPLES] = (count - before->last) / seconds;
	}
	track->last = count;
}

void history_add(struct history *history, const struct snapshot *now, uint64_t (*count)(const struct snapshot_vm *vm))
{
	double seconds = now->time_ns > history->time_ns ? (now->time_ns - history->time_ns) / 1e9 : 0;
	size_t vms = now->lists[0].count;
	struct history next = { calloc(vms + 1, sizeof(*next.tracks)), vms, now->time_ns };

	for (size_t i = 0; next.tracks && i < vms; i++) {
		const struct snapshot_vm *vm = snapshot_item(now, 0, i);

		next.tracks[i].vm = *vm;
		add_sample(&next.tracks[i], find(history, vm), seconds, count(vm));
	}
	if (next.tracks)
		qsort(next.tracks, vms, sizeof(*next.tracks), compare_tracks);
	else
		next.count = 0;
	free(history->tracks);
	*history = next;
}

void history_free(struct history *history)
{
	free(history->tracks);
	*history = (struct history){};
}

/* Returns the mean of the samples that cell @cell of @width stands for, or -1 if there are none. */
static float cell_rate(const struct track *track, int cell, int width)
{
	/* A short history takes all cells, too. */
	int kept = track->samples < HISTORY_SAMPLES ? track->samples : HISTORY_SAMPLES, span = kept > width ? kept : width;
	int first = cell * span / width, end = (cell + 1) * span / width, counted = 0;
	float sum = 0;

	for (int age = span - end; age < span - first; age++) {
		if ((unsigned int)age >= track->samples)
			continue;
		sum += track->rates[(track->samples - 1 - age) % HISTORY_SAMPLES];
		counted++;
	}
	return counted ? sum / counted : -1;
}

static const char *bar(float share)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const plain[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	int level = share * 8;

	if (level > 7)
		level = 7;
	return (strcmp(nl_langinfo(CODESET), "UTF-8") ? plain : blocks)[level];
}

void history_text(const struct history *history, const struct snapshot_vm *vm, int width, char *text, size_t size)
{
	const struct track *track = find(history, vm);
	float most = 0;
	size_t len = 0;

	*text = '\0';
	for (int i = 0; track && i < width; i++)
		most = cell_rate(track, i, width) > most ? cell_rate(track, i, width) : most;
	for (int i = 0; track && i < width && len + 4 < size; i++) {
		float rate = cell_rate(track, i, width);

		len += snprintf(text + len, size - len, "%s", rate < 0 ? " " : bar(most > 0 ? rate / most : 0));
	}
}
