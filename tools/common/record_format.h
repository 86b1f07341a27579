/* SPDX-License-Identifier: GPL-2.0 */
/* What the reader and the writer of records have in common. */
#ifndef MEMATTR_RECORD_FORMAT_H
#define MEMATTR_RECORD_FORMAT_H

#include "histogram.h"
#include "snapshot.h"

/* The number is incremented when a reader of the previous version would misread the record. */
#define MAGIC	"memattr-record"
#define VERSION	6

/*
 * Items that the interval before had as well are told by their places in that list, in a line that begins with CHANGED.
 * Lines of columns follow, which begin with COLUMN and a key: what the key's values have grown by, one for each of the
 * items; or SAME, or WHOLE and the value itself if it has not grown. Items that are the same up to the end are left
 * out. A column has its values side by side, because a compressor finds more in values of one kind.
 *
 * What a histogram has got tells much of the values in the columns after it: SAMPLES stands for their number, and a
 * number with a sign for what is more or less than their sum, with each taken as the middle of its bucket.
 */
#define CHANGED	"changed"
#define COLUMN	'+'
#define SAME	'='
#define WHOLE	':'
#define SAMPLES	'#'

/*
 * An item that is gone has its place after HERE, and GONE. Versions 4 and 5 have HERE and the place in the line of each
 * item that has changed, too, with all of its values, and MORE in front of what was added to one. The place is left out
 * if it is the next one after that of the item before. A text that begins like that is escaped.
 */
#define HERE	'@'
#define MORE	'+'
#define GONE	'-'

/*
 * A histogram is a list of BUCKET:COUNT, separated by commas. A bucket that is not far from the one before needs neither
 * its number nor the comma: a letter tells how far it is, a for the next one. Most of a record are histograms.
 */
#define LETTERS	('z' - 'a' + 1)

/* Its keys are always these, in this order. */
extern const struct list_type hook_type;

/* What a histogram has got since the interval before. */
struct samples {
	uint64_t count, ns;
};

void samples_add(struct samples *samples, uint32_t bucket, uint64_t count);

/* Returns the bucket that the first letter counts from, if the histogram was like that. */
uint32_t histogram_start(const struct histogram *then);

/* Returns a member's value, of FIELD_UNSIGNED and FIELD_SIGNED. */
uint64_t field_number(const struct field *field, const char *at);

/* Items of VMs go with their VM: a reader keeps none of which the VM is not there. */
bool is_kept(const struct snapshot *s, const struct list_type *type, const void *item);

#endif
