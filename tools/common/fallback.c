// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "fallback.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int probe(const struct hook_prober *prober, const struct hook *hook)
{
	const struct hook_site needed = { HOOK_FENTRY, hook->needs };
	int err;

	if (hook->needs && !hook_exists(prober, &needed))
		return -ENOENT;
	if (hook->also.target) {
		err = hook_probe(prober, &hook->also, hook->trial);
		if (err < 0)
			return err;
		/* What the first events show of one function says nothing of another. */
		if (err == HOOK_UNSURE && strcmp(hook->also.target, hook->site.target))
			return -ENXIO;
	}
	return hook_probe(prober, &hook->site, hook->trial);
}

static int probe_all(const struct fallback *fallback, struct hooks *hooks)
{
	struct hook_prober prober;
	int err = hook_prober_open(&prober);

	if (err)
		return err;
	for (const struct hook *hook = fallback->hooks; hook < fallback->hooks + fallback->count; hook++) {
		if (hooks->active[hook->metric])
			continue;
		err = probe(&prober, hook);
		hooks->errors[hook->metric] = err;
		if (err < 0)
			continue;
		hooks->active[hook->metric] = hook;
		hooks->sure[hook->metric] = err != HOOK_UNSURE;
	}
	hook_prober_close(&prober);
	return 0;
}

/* No hook works: name the cause for each metric, as the causes may differ. */
static void no_hooks(const struct fallback *fallback, const struct hooks *hooks, struct diag *why)
{
	char text[DIAG_TEXT_LEN] = "";
	size_t len = 0;

	for (int metric = 0; metric < fallback->vital && len < sizeof(text); metric++) {
		struct snapshot_hook hook;

		fallback_describe(fallback, hooks, metric, &hook);
		len += snprintf(text + len, sizeof(text) - len, "%s %s: %s", len ? ";" : "",
				hook.metric, hook.note);
	}
	diag_set(why, "boot Linux 6.8 or later with CONFIG_BPF_EVENTS=y, or the patched kernel",
		 "nothing can be measured here:%s", text);
}

static bool has_measures(const struct fallback *fallback, const struct hooks *hooks)
{
	for (int metric = 0; metric < fallback->vital; metric++)
		if (hooks->active[metric])
			return true;
	return false;
}

int fallback_probe(const struct fallback *fallback, struct hooks *hooks, struct diag *why)
{
	int err;

	*hooks = (struct hooks){};
	/* Check the rights first: without them nothing else can be checked. */
	if (!diag_has(DIAG_BPF_RIGHTS, why) || !diag_has(DIAG_ADMIN_RIGHTS, why) ||
	    !diag_has(DIAG_KVM_BTF, why))
		return -EPERM;
	err = probe_all(fallback, hooks);
	if (err == -EPERM)
		diag_bpf_load(why, err);
	else if (err)
		diag_set(why, "run it again with -v", "cannot read the kernel's types: %s",
			 strerror(-err));
	if (err)
		return err;
	if (!has_measures(fallback, hooks)) {
		no_hooks(fallback, hooks, why);
		return -ENOENT;
	}
	return 0;
}

int fallback_select(const struct fallback *fallback, const struct hooks *hooks, struct bpf_object *object)
{
	for (const struct hook *hook = fallback->hooks; hook < fallback->hooks + fallback->count; hook++) {
		for (int i = 0; i < HOOK_PROGRAMS && hook->programs[i]; i++) {
			struct bpf_program *program =
				bpf_object__find_program_by_name(object, hook->programs[i]);

			if (!program)
				return -ENOENT;
			bpf_program__set_autoload(program, hooks->active[hook->metric] == hook);
		}
	}
	return 0;
}

void fallback_give_up(const struct fallback *fallback, struct hooks *hooks, int err)
{
	for (const struct hook *hook = fallback->hooks; hook < fallback->hooks + fallback->count; hook++) {
		if (!hooks->active[hook->metric])
			continue;
		hooks->active[hook->metric] = NULL;
		hooks->errors[hook->metric] = err;
	}
}

/* Adds up the runs of the object's programs on the site, and the calls that were kept from them. */
static void count_runs(const struct fallback *fallback, const struct hook_site *site,
		       const struct bpf_object *object, uint64_t *runs, uint64_t *missed)
{
	*runs = *missed = 0;
	for (const struct hook *hook = fallback->hooks; hook < fallback->hooks + fallback->count; hook++) {
		if (strcmp(hook->site.target, site->target))
			continue;
		for (int i = 0; i < HOOK_PROGRAMS && hook->programs[i]; i++) {
			const struct bpf_program *program =
				bpf_object__find_program_by_name(object, hook->programs[i]);
			struct bpf_prog_info info = {};
			__u32 len = sizeof(info);

			if (!program || !bpf_program__autoload(program) ||
			    bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &len))
				continue;
			*runs += info.run_cnt;
			*missed += info.recursion_misses;
		}
	}
}

void fallback_look(const struct fallback *fallback, struct hooks *hooks, const struct bpf_object *object)
{
	for (int metric = 0; metric < METRICS_MAX; metric++) {
		uint64_t runs;

		if (!hooks->active[metric])
			continue;
		count_runs(fallback, &hooks->active[metric]->site, object, &runs,
			   &hooks->missed[metric]);
		if (runs)
			hooks->sure[metric] = true;
	}
}

bool fallback_tells_all(const struct hooks *hooks, int metric)
{
	return hooks->active[metric] && hooks->sure[metric] && !hooks->missed[metric];
}

bool fallback_is_sure(const struct hooks *hooks)
{
	for (int metric = 0; metric < METRICS_MAX; metric++)
		if (hooks->active[metric] && !hooks->sure[metric])
			return false;
	return true;
}

void fallback_describe(const struct fallback *fallback, const struct hooks *hooks, int metric,
		     struct snapshot_hook *text)
{
	const struct hook *hook = hooks->active[metric];

	*text = (struct snapshot_hook){};
	snprintf(text->metric, sizeof(text->metric), "%s", fallback->metrics[metric]);
	if (!hook) {
		snprintf(text->hook, sizeof(text->hook), "n/a");
		hook_error_text(hooks->errors[metric], text->note, sizeof(text->note));
		return;
	}
	hook_name(&hook->site, text->hook, sizeof(text->hook));
	if (hooks->sure[metric])
		snprintf(text->note, sizeof(text->note), "%s", hook->note ?: "");
	else
		snprintf(text->note, sizeof(text->note),
			 "n/a until the first event: the kernel does not tell whether it calls the hook");
}

unsigned int fallback_measures(const struct hooks *hooks)
{
	unsigned int measures = 0;

	for (int metric = 0; metric < METRICS_MAX; metric++)
		if (hooks->active[metric] && hooks->sure[metric])
			measures |= hooks->active[metric]->measures;
	return measures;
}
