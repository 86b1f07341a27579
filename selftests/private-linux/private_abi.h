/* SPDX-License-Identifier: GPL-2.0 */
/* What the VMM and the guest's module agree on. */
#ifndef PRIVATE_ABI_H
#define PRIVATE_ABI_H

#define WORDS_PER_PAGE	512u

/*
 * A 32-bit write of a gfn to this port asks the VMM for an answer. The page is shared; each of its
 * words is what request_word() tells, and becomes what answer_word() tells.
 */
#define ANSWER_PORT	0x600

/* Words tell where they are, so that no page passes for another. */
static inline unsigned long request_word(unsigned long gfn, unsigned int word)
{
	return (gfn * WORDS_PER_PAGE + word) * 0x9e3779b97f4a7c15ul;
}

static inline unsigned long answer_word(unsigned long gfn, unsigned int word)
{
	return ~request_word(gfn, word);
}

#endif
