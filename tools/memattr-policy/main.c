// SPDX-License-Identifier: GPL-2.0
/*
 * memattr-policy: loads, updates, shows, detaches and audits BPF policies for KVM's memory
 * attributes, and tells who holds up a conversion.
 */
#define _GNU_SOURCE
#include "command.h"
#include "stdout.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "memattr-policy " MEMATTR_VERSION;

enum option_key {
	KEY_PID = 'p',
	KEY_ALL = 'a',
	KEY_JSON = 'j',
	KEY_VERBOSE = 'v',
	KEY_VM = 0x100,		/* no short form */
	KEY_PIN,
	KEY_BUDGET,
	KEY_TIMEOUT,
	KEY_ID,
	KEY_LINK,
	KEY_UNTIL_EJECTED,
	KEY_GUEST,
	KEY_SECONDS,
	KEY_REPEAT,
	KEY_SVG,
};

#define DEFAULT_REPEAT 3
#define DEFAULT_SECONDS 10

#define OPTION_PID { "pid", KEY_PID, "PID", 0, "the VM of process PID", 0 }
#define OPTION_VM \
	{ "vm", KEY_VM, "FD", 0, "the VM with descriptor FD of that process, if the process has several", 0 }
#define OPTION_ID { "id", KEY_ID, "NUMBER", 0, "the VM with KVM's NUMBER, as 'show' tells it", 0 }
#define OPTION_BUDGET \
	{ "budget-us", KEY_BUDGET, "US", 0, "eject the policy if a call takes more than US microseconds", 0 }
#define OPTION_JSON { "json", KEY_JSON, NULL, 0, "print JSON", 0 }
#define OPTION_VERBOSE \
	{ "verbose", KEY_VERBOSE, NULL, 0, "show all that libbpf and the verifier say", 0 }

static const struct argp_option load_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "all", KEY_ALL, NULL, 0, "all VMs without a policy of their own, also those created later", 0 },
	{ "pin", KEY_PIN, NULL, 0, "pin the policy under /sys/fs/bpf/memattr and exit", 0 },
	{ "until-ejected", KEY_UNTIL_EJECTED, NULL, 0,
	  "with --all: end with status 10 when the kernel has ejected the policy and it governs no VM any more", 0 },
	OPTION_BUDGET,
	OPTION_VERBOSE,
	{}
};

static const struct argp_option update_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "all", KEY_ALL, NULL, 0, "the policy for all VMs", 0 },
	OPTION_BUDGET,
	OPTION_VERBOSE,
	{}
};

static const struct argp_option detach_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "all", KEY_ALL, NULL, 0, "the policy for all VMs", 0 },
	{ "link", KEY_LINK, "LINK", 0, "the policy with this BPF link, as 'list' tells it", 0 },
	{}
};

static const struct argp_option show_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "all", KEY_ALL, NULL, 0, "all VMs (the default)", 0 },
	OPTION_JSON,
	{}
};

static const struct argp_option audit_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	OPTION_JSON,
	OPTION_VERBOSE,
	{}
};

static const struct argp_option why_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0, "wait at most so long", 0 },
	OPTION_JSON,
	OPTION_VERBOSE,
	{}
};

static const struct argp_option compare_options[] = {
	OPTION_PID,
	OPTION_VM,
	OPTION_ID,
	{ "guest", KEY_GUEST, "OPTIONS", 0, "a new memattr-guest for each run, with OPTIONS", 0 },
	{ "repeat", KEY_REPEAT, "N", 0, "runs with each policy (3)", 0 },
	{ "seconds", KEY_SECONDS, "S", 0, "how long a run is, in a VM that runs anyway (10)", 0 },
	{ "svg", KEY_SVG, "FILE", 0, "draw bars into FILE as well", 0 },
	OPTION_JSON,
	OPTION_VERBOSE,
	{}
};

static const struct argp_option json_options[] = { OPTION_JSON, {} };
static const struct argp_option no_options[] = { {} };

static const struct command {
	const char *name;
	int (*run)(const struct options *options);
	const struct argp_option *options;
	const char *args;
	const char *help;
	bool takes_file, file_optional, takes_settings, needs_target, needs_vm, compares;
} commands[] = {
	{
		.name = "load",
		.run = command_load,
		.options = load_options,
		.args = "FILE --pid PID|--id NUMBER|--all [NAME=VALUE...]",
		.help = "Loads the policy FILE, attaches it, and runs until the policy is no longer attached. Interrupting the command detaches the policy. With --pin, the command exits at once and the policy stays attached.\v"
			"FILE is a policy's .bpf.o file or the bare name of an installed policy, such as ratelimit. NAME=VALUE sets a parameter; 'memattr-policy params FILE' lists the parameters.",
		.takes_file = true,
		.takes_settings = true,
		.needs_target = true,
	}, {
		.name = "update",
		.run = command_update,
		.options = update_options,
		.args = "FILE --pid PID|--id NUMBER|--all [NAME=VALUE...]",
		.help = "Replaces a VM's own policy, or the policy for all VMs, with the policy FILE. There is no moment without a policy. The loader or pin of the old policy then holds the new one.\v"
			"Either every VM under the old policy comes under the new one, or, if the new policy refuses one of them, none does. FILE and NAME=VALUE are as in 'memattr-policy load'. The new policy does not inherit the old one's parameters and budget.",
		.takes_file = true,
		.takes_settings = true,
		.needs_target = true,
	}, {
		.name = "list",
		.run = command_list,
		.options = json_options,
		.help = "Lists the attached policies and the VMs that they govern.",
	}, {
		.name = "show",
		.run = command_show,
		.options = show_options,
		.args = "[--pid PID|--id NUMBER|--all]",
		.help = "Shows each VM's policy, the policy's decisions, and why the previous policy left.",
	}, {
		.name = "detach",
		.run = command_detach,
		.options = detach_options,
		.args = "--pid PID|--id NUMBER|--link LINK|--all",
		.help = "Detaches a policy, whether a loader or a pin holds it.",
		.needs_target = true,
	}, {
		.name = "audit",
		.run = command_audit,
		.options = audit_options,
		.args = "[--pid PID [--vm FD]|--id NUMBER] [NAME=VALUE...]",
		.help = "Runs until it is interrupted. Prints a line for each conversion that was refused, that failed, or that changed at least min_pages pages, and for each policy that left a VM or refused it.\v"
			"Events for which the ring has no room are counted, and the count is printed. With --json, each line is an object. NAME=VALUE sets a parameter; 'memattr-policy params audit' lists the parameters.",
		.takes_settings = true,
	}, {
		.name = "why",
		.run = command_why,
		.options = why_options,
		.args = "--pid PID [--vm FD]|--id NUMBER [--timeout SECONDS]",
		.help = "Waits until a conversion in place of the VM fails with EAGAIN because a page is in use, says who uses the page and what to do, and exits.\v"
			"Start it, and let the VMM try again. Interrupting the command ends it, with status 7 as at the end of the timeout.",
		.needs_vm = true,
	}, {
		.name = "params",
		.run = command_params,
		.options = json_options,
		.args = "FILE",
		.help = "Lists the parameters of the policy FILE with their defaults.",
		.takes_file = true,
	}, {
		.name = "apply",
		.run = command_apply,
		.options = no_options,
		.args = "[FOLDER]",
		.help = "Attaches the policies that the files in FOLDER ask for, replaces those that such files attached before without a gap, and detaches those that no file asks for any more.\v"
			"FOLDER is /etc/memattr/policies.d by default. What was attached by hand stays.",
		.takes_file = true,
		.file_optional = true,
	}, {
		.name = "watch",
		.run = command_watch,
		.options = no_options,
		.args = "[FOLDER]",
		.help = "Attaches the policies that the files in FOLDER ask for to VMs as they are created, and when KVM is loaded. Runs until it is interrupted; the policies stay.\v"
			"FOLDER is /etc/memattr/policies.d by default.",
		.takes_file = true,
		.file_optional = true,
	}, {
		.name = "compare",
		.run = command_compare,
		.options = compare_options,
		.args = "POLICY... --guest OPTIONS|--pid PID [--vm FD]|--id NUMBER",
		.help = "Runs one load under each POLICY in turn, several times, and prints what it cost KVM. The load is a guest that memattr-guest starts anew for each run, or a VM that runs anyway. Afterwards that VM is under the policy that it had before.\v"
			"POLICY is one word for the shell: a policy as for load, and its parameters, as in 'ratelimit rate=500'; or none, for no policy at all; or current, for what is attached now. OPTIONS is one word as well, as in '--scenario sparse --mem 8' or '--replay recording.txt'.",
		.takes_settings = true,
		.compares = true,
	}, {
		.name = "doctor",
		.run = command_doctor,
		.options = json_options,
		.help = "Says what this host has and lacks to run policies, and what to do next.",
	},
};

static const char main_doc[] =
	"Load, update, show, detach and audit BPF policies for KVM's memory attributes.\n"
	"\n"
	"  load FILE    attach a policy to a VM or to all VMs\n"
	"  update FILE  replace an attached policy without a gap\n"
	"  list         list the attached policies\n"
	"  show         show each VM's policy and its decisions\n"
	"  detach       detach a policy\n"
	"  audit        log refused and large conversions, and policies that leave a VM\n"
	"  why          say who uses a page that cannot become private in place\n"
	"  params FILE  list the parameters of a policy\n"
	"  apply        attach the policies that /etc/memattr/policies.d asks for\n"
	"  watch        attach them to VMs as they are created\n"
	"  compare      run one load under several policies, and compare its cost\n"
	"  doctor       say what this host lacks, and what to do next\n"
	"\n"
	"'memattr-policy COMMAND --help' explains a command; see also memattr-policy(8)."
	"\v"
	"Exit status:\n"
	"  0   success; load: the policy was detached; audit: it was interrupted\n"
	"  1   failure\n"
	"  2   wrong option or parameter\n"
	"  3   the kernel lacks something, or this process lacks rights\n"
	"  4   no such process or VM\n"
	"  5   there is a policy already; update: another update came first\n"
	"  6   the file is not a policy, or the verifier refuses it\n"
	"  7   why: no conversion failed because of a page in use\n"
	"  10  load: the kernel ejected the policy; compare: the kernel or somebody did\n"
	"  11  load, why, compare: the VM ended\n";

struct parse {
	const struct command *command;
	struct options options;
};

static uint64_t parse_number(const char *text, const char *what, uint64_t min, uint64_t max,
			     struct argp_state *state)
{
	const char *digits = text + strspn(text, " ");
	uint64_t number;
	char *end;

	errno = 0;
	number = strtoull(digits, &end, 10);
	end += strspn(end, " ");
	/* strtoull() takes a minus. */
	if (errno || !isdigit((unsigned char)*digits) || *end || number < min || number > max)
		argp_error(state, "%s: '%s' is not a number from %" PRIu64 " to %" PRIu64, what, text, min,
			   max);
	return number;
}

static int check_target(const struct parse *parse, struct argp_state *state)
{
	const struct options *o = &parse->options;
	int targets = !!o->pid + !!o->vm_id + !!o->link_id + o->all;

	if (targets > 1)
		argp_error(state, "--pid, --id, --link and --all exclude each other");
	if (o->vm_fd != ANY_VM_FD && !o->pid)
		argp_error(state, "--vm needs --pid");
	if (parse->command->needs_target && !targets)
		argp_error(state, "give --pid, --id or --all");
	if (parse->command->needs_vm && !targets)
		argp_error(state, "give --pid or --id");
	if (o->until_ejected && (!o->all || o->pin))
		argp_error(state, "--until-ejected needs --all, without --pin");
	return 0;
}

static void check_comparison(struct options *o, struct argp_state *state)
{
	bool has_vm = o->pid || o->vm_id;

	if (!o->setting_count)
		argp_error(state, "POLICY is missing");
	if (!o->guest == !has_vm)
		argp_error(state, "give --guest, or else --pid or --id");
	if (o->guest && o->seconds)
		argp_error(state, "--seconds is for a VM that runs anyway; a guest runs to its end");
	o->repeat = o->repeat ?: DEFAULT_REPEAT;
	o->seconds = o->seconds ?: DEFAULT_SECONDS;
}

static error_t parse_compare_option(int key, char *arg, struct options *o, struct argp_state *state)
{
	switch (key) {
	case KEY_GUEST:
		o->guest = arg;
		return 0;
	case KEY_REPEAT:
		o->repeat = parse_number(arg, "--repeat", 1, 1000, state);
		return 0;
	case KEY_SECONDS:
		o->seconds = parse_number(arg, "--seconds", 1, 86400, state);
		return 0;
	case KEY_SVG:
		o->svg = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_number_option(int key, char *arg, struct options *o, struct argp_state *state)
{
	switch (key) {
	case KEY_PID:
		o->pid = parse_number(arg, "--pid", 1, INT_MAX, state);
		return 0;
	case KEY_VM:
		o->vm_fd = parse_number(arg, "--vm", 0, INT_MAX, state);
		return 0;
	case KEY_ID:
		o->vm_id = parse_number(arg, "--id", 1, UINT64_MAX, state);
		return 0;
	case KEY_LINK:
		o->link_id = parse_number(arg, "--link", 1, UINT32_MAX, state);
		return 0;
	case KEY_BUDGET:
		o->budget_us = parse_number(arg, "--budget-us", 1, INT_MAX, state);
		return 0;
	case KEY_TIMEOUT:
		o->timeout_s = parse_number(arg, "--timeout", 1, INT_MAX, state);
		return 0;
	default:
		return parse_compare_option(key, arg, o, state);
	}
}

static error_t parse_argument(struct parse *parse, char *arg, struct argp_state *state)
{
	struct options *o = &parse->options;

	if (parse->command->takes_file && !o->file) {
		o->file = arg;
		return 0;
	}
	if (!parse->command->takes_settings)
		argp_error(state, "unexpected argument '%s'", arg);
	/* argp moves options to the front: the remaining arguments are settings. */
	o->settings[o->setting_count++] = arg;
	return 0;
}

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *o = &parse->options;

	switch (key) {
	case KEY_ALL:
		o->all = true;
		return 0;
	case KEY_PIN:
		o->pin = true;
		return 0;
	case KEY_UNTIL_EJECTED:
		o->until_ejected = true;
		return 0;
	case KEY_JSON:
		o->json = true;
		return 0;
	case KEY_VERBOSE:
		o->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(parse, arg, state);
	case ARGP_KEY_END:
		if (parse->command->takes_file && !parse->command->file_optional && !o->file)
			argp_error(state, "FILE is missing");
		if (parse->command->compares)
			check_comparison(o, state);
		return check_target(parse, state);
	default:
		return parse_number_option(key, arg, o, state);
	}
}

static error_t parse_main(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
			if (!strcmp(arg, commands[i].name))
				parse->command = &commands[i];
		if (!parse->command)
			argp_error(state, "there is no command '%s'", arg);
		/* The command parses the rest. */
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!parse->command)
			argp_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp main_argp = {
		.parser = parse_main, .args_doc = "COMMAND [OPTION...]", .doc = main_doc,
	};
	struct parse parse = { .options.vm_fd = ANY_VM_FD };
	struct argp argp = { .parser = parse_command };
	char name[64];
	int first, ret;

	stdout_remember_errors();
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &parse))
		return EXIT_USAGE;

	/* Before the command, the main parser accepts only options without an argument. */
	for (first = 1; first < argc && strcmp(argv[first], parse.command->name); first++)
		;
	argp.options = parse.command->options;
	argp.args_doc = parse.command->args;
	argp.doc = parse.command->help;
	parse.options.settings = calloc(argc, sizeof(char *));
	if (!parse.options.settings)
		return diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
	snprintf(name, sizeof(name), "memattr-policy %s", parse.command->name);
	argv[first] = name;
	if (argp_parse(&argp, argc - first, argv + first, 0, NULL, &parse))
		return EXIT_USAGE;

	diag_libbpf_init(parse.options.verbose);
	ret = parse.command->run(&parse.options);
	free(parse.options.settings);
	return ret;
}
