// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "boot_rules.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define SECTION_POLICY "[policy]"
#define SECTION_PARAMETERS "[parameters]"

/* A line of a file, while the file is read. */
struct rule_line {
	const char *path;
	unsigned int number;
	char *key, *value;
};

static int wrong_line(const struct rule_line *line, const char *next, const char *cause)
{
	return diag_fail(EXIT_USAGE, next, "%s, line %u: %s", line->path, line->number, cause);
}

static int no_memory(void)
{
	return diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
}

/* Cuts blanks at both ends. */
static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r\n");
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int add_selector(struct boot_rule *rule, const struct rule_line *line)
{
	bool by_cgroup = !strncmp(line->value, "cgroup:", 7);
	struct boot_selector *grown;
	char *pattern;

	if (!strcmp(line->value, "all")) {
		rule->options.all = true;
		return EXIT_OK;
	}
	if (!by_cgroup && strncmp(line->value, "name:", 5))
		return wrong_line(line, "vms = all, vms = name:PATTERN, or vms = cgroup:PATTERN",
				  "this does not select VMs");
	grown = reallocarray(rule->selectors, rule->selector_count + 1, sizeof(*grown));
	if (grown)
		rule->selectors = grown;
	pattern = strdup(strchr(line->value, ':') + 1);
	if (!grown || !pattern) {
		free(pattern);
		return no_memory();
	}
	grown[rule->selector_count++] = (struct boot_selector){ by_cgroup, pattern };
	return EXIT_OK;
}

static int set_budget(struct boot_rule *rule, const struct rule_line *line)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(line->value, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*line->value) || !value || value > INT_MAX)
		return wrong_line(line, "budget-us = MICROSECONDS", "the budget is not a number above 0");
	rule->options.budget_us = value;
	return EXIT_OK;
}

static int set_file(struct boot_rule *rule, const struct rule_line *line)
{
	if (rule->options.file)
		return wrong_line(line, "another file in the same folder for the second policy",
				  "there is a second policy");
	rule->options.file = strdup(line->value);
	return rule->options.file ? EXIT_OK : no_memory();
}

static int add_parameter(struct boot_rule *rule, const struct rule_line *line)
{
	struct options *options = &rule->options;
	char **grown = reallocarray(options->settings, options->setting_count + 1, sizeof(*grown));
	char *setting;

	if (!grown)
		return no_memory();
	options->settings = grown;
	if (asprintf(&setting, "%s=%s", line->key, line->value) < 0)
		return no_memory();
	grown[options->setting_count++] = setting;
	return EXIT_OK;
}

static int take_setting(struct boot_rule *rule, const struct rule_line *line, const char *section)
{
	static const struct {
		const char *key;
		int (*take)(struct boot_rule *rule, const struct rule_line *line);
	} keys[] = { { "file", set_file }, { "vms", add_selector }, { "budget-us", set_budget } };

	if (!section)
		return wrong_line(line, SECTION_POLICY " as the first line",
				  "a section must come before this line");
	if (!*line->key || !*line->value)
		return wrong_line(line, "NAME = VALUE", "the name or the value is missing");
	if (!strcmp(section, SECTION_PARAMETERS))
		return add_parameter(rule, line);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(line->key, keys[i].key))
			return keys[i].take(rule, line);
	return wrong_line(line, "file, vms or budget-us; a policy's parameters stand below " SECTION_PARAMETERS,
			  "there is no such setting in " SECTION_POLICY);
}

static int take_line(struct boot_rule *rule, struct rule_line *line, char *text,
		     const char **section)
{
	char *equals;

	text = trim(text);
	if (!*text || *text == '#' || *text == ';')
		return EXIT_OK;
	if (!strcmp(text, SECTION_POLICY) || !strcmp(text, SECTION_PARAMETERS)) {
		*section = strcmp(text, SECTION_POLICY) ? SECTION_PARAMETERS : SECTION_POLICY;
		return EXIT_OK;
	}
	equals = strchr(text, '=');
	if (*text == '[' || !equals)
		return wrong_line(line, "NAME = VALUE, below " SECTION_POLICY " or " SECTION_PARAMETERS,
				  "this is neither a setting nor a section");
	*equals = '\0';
	line->key = trim(text);
	line->value = trim(equals + 1);
	return take_setting(rule, line, *section);
}

static int check_rule(const struct boot_rule *rule)
{
	if (!rule->options.file)
		return diag_fail(EXIT_USAGE, "file = NAME, below " SECTION_POLICY, "%s: it names no policy",
				 rule->path);
	if (!rule->options.all && !rule->selector_count)
		return diag_fail(EXIT_USAGE, "vms = all, vms = name:PATTERN, or vms = cgroup:PATTERN",
				 "%s: it selects no VMs", rule->path);
	if (rule->options.all && rule->selector_count)
		return diag_fail(EXIT_USAGE, "another file in the same folder for the policy of all VMs",
				 "%s: vms = all excludes other lines with vms", rule->path);
	return EXIT_OK;
}

static void rule_free(struct boot_rule *rule)
{
	for (size_t i = 0; i < rule->selector_count; i++)
		free(rule->selectors[i].pattern);
	for (int i = 0; i < rule->options.setting_count; i++)
		free(rule->options.settings[i]);
	free(rule->selectors);
	free(rule->options.settings);
	free(rule->options.file);
	free(rule->path);
}

static int rule_read(const char *path, struct boot_rule *rule)
{
	struct rule_line line = { .path = path };
	const char *section = NULL;
	int ret = EXIT_OK;
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	*rule = (struct boot_rule){ .options = { .vm_fd = ANY_VM_FD, .pin = true } };
	rule->path = strdup(path);
	file = fopen(path, "re");
	if (!rule->path)
		ret = no_memory();
	else if (!file)
		ret = diag_fail(EXIT_USAGE, NULL, "cannot read %s: %s", path, strerror(errno));
	while (!ret && getline(&text, &size, file) >= 0) {
		line.number++;
		ret = take_line(rule, &line, text, &section);
	}
	free(text);
	if (file)
		fclose(file);
	return ret ?: check_rule(rule);
}

static int rules_add(struct boot_rules *rules, const char *path)
{
	struct boot_rule *grown = reallocarray(rules->rules, rules->count + 1, sizeof(*grown));
	const struct boot_rule *other;
	struct boot_rule *rule;
	int ret;

	if (!grown)
		return no_memory();
	rules->rules = grown;
	rule = &grown[rules->count];
	ret = rule_read(path, rule);
	other = boot_rules_find(rules, NULL);
	if (!ret && rule->options.all && other)
		ret = diag_fail(EXIT_USAGE, "keep one of the two files",
				"%s: %s has a policy for all VMs already", path, other->path);
	if (ret) {
		rule_free(rule);
		rules->wrong++;
		return ret;
	}
	rules->count++;
	return EXIT_OK;
}

int boot_rules_read(const char *dir, struct boot_rules *rules)
{
	char pattern[PATH_MAX];
	int ret = EXIT_OK;
	glob_t found;

	*rules = (struct boot_rules){};
	if (access(dir, R_OK | X_OK) && errno != ENOENT)
		return diag_fail(EXIT_FAILED, "run it as root, for example with sudo", "cannot read %s: %s",
				 dir, strerror(errno));
	snprintf(pattern, sizeof(pattern), "%s/*.conf", dir);
	if (glob(pattern, 0, NULL, &found))
		return EXIT_OK;
	for (size_t i = 0; i < found.gl_pathc; i++)
		ret = rules_add(rules, found.gl_pathv[i]) ?: ret;
	globfree(&found);
	return ret;
}

void boot_rules_free(struct boot_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		rule_free(&rules->rules[i]);
	free(rules->rules);
	*rules = (struct boot_rules){};
}

static bool rule_selects(const struct boot_rule *rule, const struct vm *vm, const char *cgroup)
{
	for (size_t i = 0; i < rule->selector_count; i++) {
		const struct boot_selector *selector = &rule->selectors[i];
		const char *text = selector->by_cgroup ? cgroup : vm->name;

		/* The names of cgroups have backslashes of their own: none of them quotes. */
		if (!fnmatch(selector->pattern, text, FNM_NOESCAPE))
			return true;
	}
	return false;
}

const struct boot_rule *boot_rules_find(const struct boot_rules *rules, const struct vm *vm)
{
	char cgroup[PATH_MAX];

	if (vm)
		process_cgroup(vm->pid, cgroup, sizeof(cgroup));
	for (size_t i = 0; i < rules->count; i++) {
		const struct boot_rule *rule = &rules->rules[i];

		if (vm ? rule_selects(rule, vm, cgroup) : rule->options.all)
			return rule;
	}
	return NULL;
}
