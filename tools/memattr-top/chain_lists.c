// SPDX-License-Identifier: GPL-2.0
/* The lists of a snapshot that are about chains. */
#include "chain.h"

#define FIELD_LINK(of, member)	FIELD(FIELD_UNSIGNED, of, #member, links.member)
#define FIELDS_LINKS(of) \
	FIELD_LINK(of, conversions), FIELD_LINK(of, exits), FIELD_LINK(of, exit_ns), FIELD_LINK(of, convert_ns), \
	FIELD_LINK(of, zaps), FIELD_LINK(of, zap_ns), FIELD_LINK(of, refaults), FIELD_LINK(of, refault_ns), \
	FIELD_LINK(of, wait_ns)

const struct field chain_item_fields[] = {
	FIELD(FIELD_UNSIGNED, struct chain_item, "birth", birth),
	FIELDS_LINKS(struct chain_item),
	FIELD(FIELD_UNSIGNED, struct chain_item, "forgotten", forgotten),
};

const struct field chain_worst_fields[] = {
	FIELD(FIELD_UNSIGNED, struct chain_worst, "birth", birth),
	FIELD(FIELD_UNSIGNED, struct chain_worst, "gfn_start", gfn_start),
	FIELD(FIELD_UNSIGNED, struct chain_worst, "gfn_end", gfn_end),
	FIELDS_LINKS(struct chain_worst),
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int chain_compare_items(const void *a, const void *b)
{
	return compare(*(const uint64_t *)a, *(const uint64_t *)b);
}

int chain_compare_worsts(const void *a, const void *b)
{
	const struct chain_worst *left = a, *right = b;

	return compare(left->birth, right->birth) ?: compare(left->gfn_start, right->gfn_start) ?:
	       compare(left->gfn_end, right->gfn_end);
}
