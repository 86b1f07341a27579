// SPDX-License-Identifier: GPL-2.0
/*
 * The parameters of a policy are variables in .rodata that carry a BTF tag with their help text.
 * MEMATTR_PARAM in memattr.bpf.h declares them. Nothing here knows a policy by name.
 */
#define _GNU_SOURCE
#include "params.h"
#include "diag.h"
#include "json.h"
#include "policy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PARAM_TAG "memattr:param:"
#define UNIT_LEN 32

/* Holds every value of every 64-bit type, and its product with a suffix. */
typedef __int128 wide;

struct param {
	const char *name;
	const char *help;
	void *value;		/* in the object's initial .rodata */
	uint32_t size;		/* bytes */
	bool is_bool, is_signed;
	wide min, max;
	char unit[UNIT_LEN];	/* may be empty */
};

struct suffix {
	const char *text;
	uint64_t factor;
};

static const struct suffix times[] = {
	{ "ns", 1 }, { "us", 1000 }, { "\302\265s", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
	{ "min", 60000000000 }, {}
};

static const struct suffix counts[] = {
	{ "k", 1000 }, { "K", 1000 }, { "M", 1000000 }, { "G", 1000000000 },
	{ "T", 1000000000000 }, {}
};

static const struct suffix bytes[] = {
	{ "bytes", 1 }, { "B", 1 },
	{ "k", 1ULL << 10 }, { "K", 1ULL << 10 }, { "KiB", 1ULL << 10 },
	{ "M", 1ULL << 20 }, { "MiB", 1ULL << 20 }, { "G", 1ULL << 30 }, { "GiB", 1ULL << 30 },
	{ "T", 1ULL << 40 }, { "TiB", 1ULL << 40 }, {}
};

/* Returns 0 if there is no such suffix. */
static uint64_t suffix_factor(const struct suffix *suffixes, const char *text)
{
	for (; suffixes->text; suffixes++)
		if (!strcmp(suffixes->text, text))
			return suffixes->factor;
	return 0;
}

/* Takes the type's own limits, then those in brackets at the end of the help text. */
static void param_limits(struct param *param)
{
	const char *range = strrchr(param->help, '[');
	unsigned int bits = param->size * 8;

	param->min = param->is_signed ? -((wide)1 << (bits - 1)) : 0;
	param->max = ((wide)1 << (bits - param->is_signed)) - 1;
	if (param->is_bool)
		param->max = 1;
	if (!range)
		return;

	if (param->is_signed) {
		int64_t min, max;

		if (sscanf(range, "[%" SCNd64 "..%" SCNd64 " %31[^]]", &min, &max,
			   param->unit) >= 2) {
			param->min = min;
			param->max = max;
		}
	} else {
		uint64_t min, max;

		if (sscanf(range, "[%" SCNu64 "..%" SCNu64 " %31[^]]", &min, &max,
			   param->unit) >= 2) {
			param->min = min;
			param->max = max;
		}
	}
}

/* Returns false if @var_id is not a variable whose value can be set. */
static bool param_type(struct param *param, const struct btf *btf, uint32_t var_id)
{
	const struct btf_type *type = btf__type_by_id(btf, btf__resolve_type(btf, var_id));

	if (!type || !btf_is_int(type))
		return false;
	param->size = type->size;
	param->is_bool = btf_int_encoding(type) & BTF_INT_BOOL;
	param->is_signed = btf_int_encoding(type) & BTF_INT_SIGNED;
	return param->size <= sizeof(uint64_t);
}

static bool param_place(struct param *param, const struct bpf_object *obj, uint32_t var_id)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(obj, ".rodata");
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_var_secinfo *var;
	const struct btf_type *section;
	size_t size;
	char *start;
	int id;

	id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	if (!rodata || id < 0)
		return false;
	start = bpf_map__initial_value(rodata, &size);
	section = btf__type_by_id(btf, id);
	var = btf_var_secinfos(section);
	for (int i = 0; start && i < btf_vlen(section); i++, var++) {
		if (var->type != var_id || var->offset + param->size > size)
			continue;
		param->value = start + var->offset;
		return true;
	}
	return false;
}

/* Finds the next parameter. *@id is where to continue; it is 1 at first. */
static bool param_next(const struct bpf_object *obj, uint32_t *id, struct param *param)
{
	const struct btf *btf = bpf_object__btf(obj);

	for (; *id < btf__type_cnt(btf); ++*id) {
		const struct btf_type *tag = btf__type_by_id(btf, *id);
		const char *text = btf__name_by_offset(btf, tag->name_off);

		if (!btf_is_decl_tag(tag) || strncmp(text, PARAM_TAG, strlen(PARAM_TAG)))
			continue;
		*param = (struct param){ .help = text + strlen(PARAM_TAG) };
		if (!param_type(param, btf, tag->type) || !param_place(param, obj, tag->type))
			continue;
		param->name = btf__name_by_offset(btf, btf__type_by_id(btf, tag->type)->name_off);
		param_limits(param);
		++*id;
		return true;
	}
	return false;
}

/* Access through a type of the right size works with either byte order. */
static wide param_get(const struct param *param)
{
	switch (param->size) {
	case 1:
		return param->is_signed ? *(int8_t *)param->value : *(uint8_t *)param->value;
	case 2:
		return param->is_signed ? *(int16_t *)param->value : *(uint16_t *)param->value;
	case 4:
		return param->is_signed ? (wide)*(int32_t *)param->value :
					  (wide)*(uint32_t *)param->value;
	default:
		return param->is_signed ? (wide)*(int64_t *)param->value :
					  (wide)*(uint64_t *)param->value;
	}
}

static void param_put(const struct param *param, wide value)
{
	switch (param->size) {
	case 1:
		*(uint8_t *)param->value = value;
		break;
	case 2:
		*(uint16_t *)param->value = value;
		break;
	case 4:
		*(uint32_t *)param->value = value;
		break;
	default:
		*(uint64_t *)param->value = value;
	}
}

/* printf() does not print 128 bits; the value of a parameter fits in 64. */
static const char *param_text(const struct param *param, wide value, char *text, size_t size)
{
	if (param->is_bool)
		snprintf(text, size, "%s", value ? "true" : "false");
	else if (value < 0)
		snprintf(text, size, "%" PRId64, (int64_t)value);
	else
		snprintf(text, size, "%" PRIu64, (uint64_t)value);
	return text;
}

static bool parse_bool(const char *text, wide *value)
{
	static const char *const words[2][4] = {
		{ "false", "no", "off", "0" }, { "true", "yes", "on", "1" },
	};

	for (int truth = 0; truth < 2; truth++)
		for (int i = 0; i < 4; i++)
			if (!strcasecmp(text, words[truth][i])) {
				*value = truth;
				return true;
			}
	return false;
}

/* A number as people write it: "1.5" is 15 / 10. */
struct decimal {
	wide digits;
	uint64_t divisor;
};

/* Returns what follows the number, or NULL if it has too many digits. */
static const char *parse_digits(const char *text, struct decimal *number)
{
	const char *limits = "0123456789";
	int base = 10;

	*number = (struct decimal){ .divisor = 1 };
	/* A leading 0 does not make it octal. */
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && isxdigit((unsigned char)text[2])) {
		base = 16;
		limits = "0123456789abcdef";
		text += 2;
	}
	for (bool fraction = false; *text; text++) {
		const char *digit = strchr(limits, tolower((unsigned char)*text));

		if (*text == '.' && base == 10 && !fraction && isdigit((unsigned char)text[1])) {
			fraction = true;
			continue;
		}
		if (!digit)
			break;
		number->digits = number->digits * base + (digit - limits);
		number->divisor *= fraction ? 10 : 1;
		if (number->digits > UINT64_MAX || number->divisor > 1000000000000)
			return NULL;
	}
	return text;
}

/*
 * Sets what a suffix, or its absence, multiplies by, and the parameter's own unit, in the same
 * terms.
 */
static const char *parse_suffix(const struct param *param, const char *text, uint64_t *factor,
				uint64_t *unit)
{
	const struct suffix *suffixes = counts;

	if (suffix_factor(times, param->unit))
		suffixes = times;
	else if (suffix_factor(bytes, param->unit))
		suffixes = bytes;
	*unit = (suffixes != counts ? suffix_factor(suffixes, param->unit) : 0) ?: 1;
	text += strspn(text, " ");
	*factor = *text ? suffix_factor(suffixes, text) : *unit;
	if (*factor)
		return NULL;
	return suffixes == times ? "is not a number, alone or with ns, us, ms, s or min" :
				   "is not a number, alone or with k, M, G or T";
}

static const char *parse_number(const struct param *param, const char *text, wide *value)
{
	bool negative = *text == '-';
	struct decimal number;
	uint64_t factor, unit;
	const char *wrong;

	text += *text == '-' || *text == '+';
	if (!isdigit((unsigned char)*text))
		return "is not a number";
	text = parse_digits(text, &number);
	if (!text)
		return "is too large, or has too many digits";
	wrong = parse_suffix(param, text, &factor, &unit);
	if (wrong)
		return wrong;
	*value = number.digits * factor;
	if (*value % ((wide)number.divisor * unit))
		return "is finer than the parameter's unit";
	*value /= (wide)number.divisor * unit;
	if (negative)
		*value = -*value;
	return NULL;
}

static int param_parse(const char *owner, struct param *param, const char *text)
{
	char min[32], max[32], next[DIAG_TEXT_LEN];
	const char *wrong = NULL;
	wide value = 0;

	snprintf(next, sizeof(next), "%s=VALUE, %s", param->name, param->help);
	if (param->is_bool)
		wrong = parse_bool(text, &value) ? NULL : "is neither true nor false";
	else
		wrong = parse_number(param, text, &value);
	if (wrong)
		return diag_fail(EXIT_USAGE, next, "%s: %s=%s: '%s' %s", owner,
				 param->name, text, text, wrong);
	if (value < param->min || value > param->max)
		return diag_fail(EXIT_USAGE, next, "%s: %s=%s is out of range, which is %s to %s%s%s",
				 owner, param->name, text,
				 param_text(param, param->min, min, sizeof(min)),
				 param_text(param, param->max, max, sizeof(max)),
				 *param->unit ? " " : "", param->unit);
	param_put(param, value);
	return EXIT_OK;
}

int params_set(struct bpf_object *obj, const char *owner, const char *setting)
{
	const char *equals = strchr(setting, '=');
	struct param param;
	uint32_t id = 1;

	if (!equals)
		return diag_fail(EXIT_USAGE, "NAME=VALUE; 'memattr-policy params FILE' lists the names",
				 "'%s' does not set a parameter", setting);

	while (param_next(obj, &id, &param))
		if (strlen(param.name) == (size_t)(equals - setting) &&
		    !strncmp(param.name, setting, equals - setting))
			return param_parse(owner, &param, equals + 1);

	diag_fail(EXIT_USAGE, NULL, "%s has no parameter '%.*s'", owner,
		  (int)(equals - setting), setting);
	params_print(obj, owner, stderr);
	return EXIT_USAGE;
}

uint64_t params_value(const struct bpf_object *obj, const char *name)
{
	struct param param;
	uint32_t id = 1;

	while (param_next(obj, &id, &param))
		if (!strcmp(param.name, name))
			return param_get(&param);
	return 0;
}

void params_print(const struct bpf_object *obj, const char *owner, FILE *out)
{
	struct param param;
	uint32_t id = 1;
	bool any = false;
	char text[32];

	while (param_next(obj, &id, &param)) {
		if (!any)
			fprintf(out, "parameters of %s:\n", owner);
		any = true;
		fprintf(out, "  %s=%s\n      %s\n", param.name,
			param_text(&param, param_get(&param), text, sizeof(text)), param.help);
	}
	if (!any)
		fprintf(out, "%s has no parameters\n", owner);
}

static void json_wide(struct json *json, const char *key, wide value)
{
	if (value < 0)
		json_s64(json, key, value);
	else
		json_u64(json, key, value);
}

void params_print_json(const struct bpf_object *obj, const char *owner, FILE *out)
{
	struct json json = { .out = out };
	struct param param;
	uint32_t id = 1;

	json_object(&json, NULL);
	json_string(&json, "policy", owner);
	json_array(&json, "parameters");
	while (param_next(obj, &id, &param)) {
		json_object(&json, NULL);
		json_string(&json, "name", param.name);
		if (param.is_bool)
			json_bool(&json, "default", param_get(&param));
		else
			json_wide(&json, "default", param_get(&param));
		json_wide(&json, "min", param.min);
		json_wide(&json, "max", param.max);
		json_string(&json, "unit", param.unit);
		json_string(&json, "help", param.help);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	json_newline(&json);
}
