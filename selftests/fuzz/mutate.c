// SPDX-License-Identifier: GPL-2.0
#include "mutate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

/* One input in so many owes nothing to a sample. */
#define ALL_RANDOM	16
/* More changes than this leave nothing of a sample. */
#define MAX_CHANGES	6

/* An input as it grows. */
struct input {
	uint64_t random;
	char *bytes;
	size_t len;
};

static size_t below(struct input *input, size_t limit)
{
	return limit ? next_random(&input->random) % limit : 0;
}

static void replace(struct input *input, size_t at, size_t old_len, const char *bytes, size_t len)
{
	size_t rest = input->len - at - old_len;

	if (input->len - old_len + len > INPUT_MAX)
		return;
	memmove(input->bytes + at + len, input->bytes + at + old_len, rest);
	memcpy(input->bytes + at, bytes, len);
	input->len += len - old_len;
}

static void change_byte(struct input *input)
{
	if (input->len)
		input->bytes[below(input, input->len)] = below(input, 256);
}

static void flip_bit(struct input *input)
{
	if (input->len)
		input->bytes[below(input, input->len)] ^= 1 << below(input, 8);
}

static void insert_bytes(struct input *input)
{
	char bytes[16];
	size_t len = 1 + below(input, sizeof(bytes));

	for (size_t i = 0; i < len; i++)
		bytes[i] = below(input, 256);
	replace(input, below(input, input->len + 1), 0, bytes, len);
}

/* What parsers look for, and what has no place in a line. */
static void insert_word(struct input *input)
{
	static const struct sample words[] = {
		SAMPLE("\n"), SAMPLE("\t"), SAMPLE(" "), SAMPLE("\0"), SAMPLE(","), SAMPLE(",,"), SAMPLE("="),
		SAMPLE(":"), SAMPLE(": "), SAMPLE("-"), SAMPLE("--"), SAMPLE("\""), SAMPLE("\\"), SAMPLE("\\u0000"),
		SAMPLE("{"), SAMPLE("}"), SAMPLE("["), SAMPLE("]"), SAMPLE("%s%n"), SAMPLE("\033[2J"),
		SAMPLE("\xc2\x9b"), SAMPLE("\xff"), SAMPLE("\xed\xa0\x80"), SAMPLE("\xf4\x90\x80\x80"), SAMPLE("nan"),
		SAMPLE("1e999"), SAMPLE("0x"), SAMPLE("."),
	};
	const struct sample *word = &words[below(input, sizeof(words) / sizeof(words[0]))];

	replace(input, below(input, input->len + 1), 0, word->bytes, word->len);
}

static void delete_range(struct input *input)
{
	size_t at = below(input, input->len), len = 1 + below(input, 32);

	if (len > input->len - at)
		len = input->len - at;
	replace(input, at, len, "", 0);
}

static void double_range(struct input *input)
{
	size_t at = below(input, input->len), len = 1 + below(input, 256);
	char copy[256];

	if (len > input->len - at)
		len = input->len - at;
	memcpy(copy, input->bytes + at, len);
	replace(input, at, 0, copy, len);
}

/* Numbers at the limits of their types, and beyond. */
static void change_number(struct input *input)
{
	static const char *const numbers[] = {
		"0", "1", "-1", "255", "256", "2147483647", "2147483648", "-2147483648", "4294967295", "4294967296",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
		"18446744073709551616", "99999999999999999999999999", "00000000000000000000001", "1000000",
	};
	const char *number = numbers[below(input, sizeof(numbers) / sizeof(numbers[0]))];
	size_t at = below(input, input->len), len = 0;

	while (at < input->len && !isdigit((unsigned char)input->bytes[at]))
		at++;
	while (at + len < input->len && isdigit((unsigned char)input->bytes[at + len]))
		len++;
	if (len)
		replace(input, at, len, number, strlen(number));
}

static void cut_off(struct input *input)
{
	input->len = below(input, input->len + 1);
}

static void add_sample(struct input *input, const struct sample *samples, size_t count)
{
	const struct sample *sample = &samples[below(input, count)];
	size_t from = below(input, sample->len + 1);

	replace(input, below(input, input->len + 1), 0, sample->bytes + from, sample->len - from);
}

static void fill_at_random(struct input *input)
{
	input->len = below(input, 256);
	for (size_t i = 0; i < input->len; i++)
		input->bytes[i] = below(input, 256);
}

size_t make_input(uint64_t random, const struct sample *samples, size_t count, char *bytes)
{
	static void (*const changes[])(struct input *input) = {
		change_byte, flip_bit, insert_bytes, insert_word, delete_range, double_range, change_number,
		change_number, cut_off,
	};
	const size_t kinds = sizeof(changes) / sizeof(changes[0]);
	struct input input = { .random = seed_random(random), .bytes = bytes };
	const struct sample *whole;
	size_t left;

	if (!below(&input, ALL_RANDOM)) {
		fill_at_random(&input);
		return input.len;
	}
	whole = &samples[below(&input, count)];
	replace(&input, 0, 0, whole->bytes, whole->len);
	for (left = 1 + below(&input, MAX_CHANGES); left; left--) {
		size_t kind = below(&input, kinds + 1);

		if (kind == kinds)
			add_sample(&input, samples, count);
		else
			changes[kind](&input);
	}
	return input.len;
}
