// SPDX-License-Identifier: GPL-2.0
/* compare: runs one load under several policies, in turn. */
#define _GNU_SOURCE
#include "compare.h"
#include "attach.h"
#include "vm_text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_POLICY	"none"
#define AS_IT_IS	"current"

static int no_memory(void)
{
	return diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
}

/* "ratelimit rate=500", whose words are separated by spaces. */
static int parse_contender(const struct comparison *c, struct contender *contender)
{
	struct options *o = &contender->options;
	char *rest, *word;

	contender->words = strdup(contender->text);
	contender->samples = calloc(c->options->repeat, sizeof(*contender->samples));
	o->settings = calloc(strlen(contender->text) + 1, sizeof(*o->settings));
	if (!contender->words || !contender->samples || !o->settings)
		return no_memory();
	rest = contender->words;
	o->vm_fd = ANY_VM_FD;
	o->verbose = c->options->verbose;
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (!o->file)
			o->file = word;
		else
			o->settings[o->setting_count++] = word;
	}
	if (!o->file)
		return diag_fail(EXIT_USAGE, "a policy, " NO_POLICY " or " AS_IT_IS, "'%s' names no policy",
				 contender->text);
	contender->none = !strcmp(o->file, NO_POLICY);
	if (!contender->none && strcmp(o->file, AS_IT_IS))
		return EXIT_OK;
	o->file = NULL;
	if (o->setting_count)
		return diag_fail(EXIT_USAGE, "memattr-policy compare --help", "'%s': there is nothing to set",
				 contender->text);
	return EXIT_OK;
}

/* A wrong name is to be found before anything has run. */
static int check_contender(const struct contender *contender)
{
	struct policy policy;
	int ret;

	if (!contender->options.file)
		return EXIT_OK;
	ret = attach_open(&contender->options, &policy);
	policy_close(&policy);
	return ret;
}

static int read_contenders(struct comparison *c)
{
	int ret = EXIT_OK;

	c->count = c->options->setting_count;
	c->contenders = calloc(c->count, sizeof(*c->contenders));
	if (!c->contenders)
		return no_memory();
	for (size_t i = 0; !ret && i < c->count; i++) {
		c->contenders[i].text = c->options->settings[i];
		ret = parse_contender(c, &c->contenders[i]);
		if (!ret)
			ret = check_contender(&c->contenders[i]);
	}
	return ret;
}

/* Finds the VM, and saves its own policy if it has one. */
static int prepare_vm(const struct comparison *c, struct vm *vm, struct guard **guard)
{
	struct vm_policy state;
	int ret;

	ret = choose_vm(c->options, vm);
	if (!ret)
		ret = read_state(vm, &state);
	if (!ret && state.link_id && !state.all)
		ret = guard_start(guard, vm, state.link_id);
	return ret;
}

/* All contenders take turns, so that what changes with time changes for all of them. */
static int run_all(const struct comparison *c)
{
	bool has_vm = !c->options->guest;
	struct guard *guard = NULL;
	int ret = EXIT_OK, restored;
	struct vm vm;

	if (has_vm)
		ret = prepare_vm(c, &vm, &guard);
	for (unsigned int run = 0; !ret && run < c->options->repeat; run++) {
		for (size_t i = 0; !ret && i < c->count; i++) {
			const struct contender *contender = &c->contenders[i];

			ret = has_vm ? run_vm(c, contender, &vm, guard, &contender->samples[run]) :
				       run_guest(c, contender, &contender->samples[run]);
		}
	}
	restored = guard_end(guard);
	return ret ? ret : restored;
}

static int report(const struct comparison *c)
{
	if (c->options->json)
		compare_print_json(c);
	else
		compare_print(c);
	return c->options->svg ? compare_write_svg(c, c->options->svg) : EXIT_OK;
}

static void comparison_free(struct comparison *c)
{
	for (size_t i = 0; c->contenders && i < c->count; i++) {
		free(c->contenders[i].words);
		free(c->contenders[i].samples);
		free(c->contenders[i].options.settings);
	}
	free(c->contenders);
}

int command_compare(const struct options *options)
{
	struct comparison c = { .options = options };
	struct diag why;
	int ret;

	if (!diag_has(DIAG_BPF_RIGHTS, &why) || !diag_has(DIAG_ADMIN_RIGHTS, &why) ||
	    !diag_has(DIAG_MEMATTR, &why) || !diag_has(DIAG_DEBUGFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	/* A reader or a guest that is gone must not end this before it has put things back. */
	signal(SIGPIPE, SIG_IGN);
	c.signals = open_signals();
	if (c.signals < 0)
		return diag_fail(EXIT_FAILED, NULL, "signalfd: %s", strerror(-c.signals));
	ret = read_contenders(&c);
	if (!ret)
		ret = run_all(&c);
	if (!ret)
		ret = report(&c);
	comparison_free(&c);
	close(c.signals);
	return ret;
}
