// SPDX-License-Identifier: GPL-2.0
/* Metrics in both formats, which one a reader gets, and where they are served. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "listen.h"
#include "metrics.h"
#include "random.h"

enum { MEASURE_COUNTS = 1, MEASURE_TIMES = 2 };

struct item {
	struct snapshot_vm vm;
	uint64_t events, pages, ns;
	struct histogram times;
	uint64_t times_ns;
};

static const struct field item_fields[] = {
	SNAPSHOT_VM_FIELDS(struct item),
	FIELD(FIELD_HISTOGRAM, struct item, "times", times),
};

static const struct list_type types[] = {
	{ "vm", sizeof(struct item), 100, item_fields, sizeof(item_fields) / sizeof(*item_fields), snapshot_compare_vms,
	  false, false },
};

static bool no_value(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)s;
	(void)item;
	*value = 17;
	return false;
}

static const struct family families[] = {
	{ "t_lost", FAMILY_COUNTER, .list = OF_SNAPSHOT, .at = offsetof(struct snapshot, lost_events), .help = "Lost." },
	{ "t_vm", FAMILY_INFO, .help = "VM." },
	{ "t_events", FAMILY_COUNTER, .at = offsetof(struct item, events), .needs = MEASURE_COUNTS, .help = "Events.",
	  .label = "kind", .label_value = "a" },
	{ "t_events", FAMILY_COUNTER, .at = offsetof(struct item, pages), .needs = MEASURE_COUNTS, .help = "Events.",
	  .label = "kind", .label_value = "b" },
	{ "t_read_bytes", FAMILY_COUNTER, IN_BYTES, .at = offsetof(struct item, pages), .help = "Read." },
	{ "t_age_seconds", FAMILY_GAUGE, IN_SECONDS, .at = offsetof(struct item, ns), .help = "Age." },
	{ "t_none", FAMILY_GAUGE, .value = no_value, .help = "None." },
	{ "t_call_seconds", FAMILY_HISTOGRAM, IN_SECONDS, .needs = MEASURE_TIMES, .at = offsetof(struct item, times),
	  .sum_at = offsetof(struct item, times_ns), .help = "Calls." },
};

static const struct metrics all = { .families = families, .count = sizeof(families) / sizeof(*families) };

static struct item *add(struct snapshot *s, uint64_t id, const char *name)
{
	struct item *item = snapshot_add(s, 0);

	assert_non_null(item);
	item->vm = (struct snapshot_vm){ .birth = s->lists[0].count, .id = id, .pid = 42, .creator_tid = 43, .fd = 9 };
	snprintf(item->vm.name, sizeof(item->vm.name), "%s", name);
	return item;
}

static struct snapshot *empty_snapshot(void)
{
	struct snapshot *s = snapshot_new(types, 1);

	assert_non_null(s);
	s->measured = MEASURE_COUNTS | MEASURE_TIMES;
	return s;
}

/* The text, which the caller frees; frees the snapshot. */
static char *text_of(const struct metrics_format *format, struct snapshot *s)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(metrics_write(out, format, &all, s), 0);
	assert_int_equal(fclose(out), 0);
	snapshot_free(s);
	return text;
}

static void check(const struct metrics_format *format, struct snapshot *s, const char *expected)
{
	char *text = text_of(format, s);

	assert_string_equal(text, expected);
	free(text);
}

static void set_times(struct item *item, const uint64_t *ns, size_t count)
{
	__u64 buckets[H2_BUCKETS] = {};

	for (size_t i = 0; i < count; i++) {
		buckets[h2_bucket(ns[i])]++;
		item->times_ns += ns[i];
	}
	assert_int_equal(histogram_set(&item->times, buckets), 0);
}

static struct snapshot *two_vms(void)
{
	struct snapshot *s = empty_snapshot();
	struct item *one = add(s, 7, "one");

	s->measured = MEASURE_COUNTS;
	s->lost_events = 3;
	one->events = 5;
	one->pages = 2;
	one->ns = 1500000007;
	add(s, 8, "two");
	return s;
}

static void the_text_format(void **state)
{
	(void)state;
	check(&metrics_text, two_vms(),
	      "# HELP t_lost_total Lost.\n# TYPE t_lost_total counter\nt_lost_total 3\n"
	      "# HELP t_vm_info VM.\n# TYPE t_vm_info gauge\n"
	      "t_vm_info{vm=\"7\",name=\"one\"} 1\nt_vm_info{vm=\"8\",name=\"two\"} 1\n"
	      "# HELP t_events_total Events.\n# TYPE t_events_total counter\n"
	      "t_events_total{vm=\"7\",name=\"one\",kind=\"a\"} 5\nt_events_total{vm=\"8\",name=\"two\",kind=\"a\"} 0\n"
	      "t_events_total{vm=\"7\",name=\"one\",kind=\"b\"} 2\nt_events_total{vm=\"8\",name=\"two\",kind=\"b\"} 0\n"
	      "# HELP t_read_bytes_total Read.\n# TYPE t_read_bytes_total counter\n"
	      "t_read_bytes_total{vm=\"7\",name=\"one\"} 8192\nt_read_bytes_total{vm=\"8\",name=\"two\"} 0\n"
	      "# HELP t_age_seconds Age.\n# TYPE t_age_seconds gauge\n"
	      "t_age_seconds{vm=\"7\",name=\"one\"} 1.500000007\nt_age_seconds{vm=\"8\",name=\"two\"} 0.000000000\n");
}

static void openmetrics(void **state)
{
	(void)state;
	check(&metrics_openmetrics, two_vms(),
	      "# TYPE t_lost counter\n# HELP t_lost Lost.\nt_lost_total 3\n"
	      "# TYPE t_vm info\n# HELP t_vm VM.\n"
	      "t_vm_info{vm=\"7\",name=\"one\"} 1\nt_vm_info{vm=\"8\",name=\"two\"} 1\n"
	      "# TYPE t_events counter\n# HELP t_events Events.\n"
	      "t_events_total{vm=\"7\",name=\"one\",kind=\"a\"} 5\nt_events_total{vm=\"8\",name=\"two\",kind=\"a\"} 0\n"
	      "t_events_total{vm=\"7\",name=\"one\",kind=\"b\"} 2\nt_events_total{vm=\"8\",name=\"two\",kind=\"b\"} 0\n"
	      "# TYPE t_read_bytes counter\n# UNIT t_read_bytes bytes\n# HELP t_read_bytes Read.\n"
	      "t_read_bytes_total{vm=\"7\",name=\"one\"} 8192\nt_read_bytes_total{vm=\"8\",name=\"two\"} 0\n"
	      "# TYPE t_age_seconds gauge\n# UNIT t_age_seconds seconds\n# HELP t_age_seconds Age.\n"
	      "t_age_seconds{vm=\"7\",name=\"one\"} 1.500000007\nt_age_seconds{vm=\"8\",name=\"two\"} 0.000000000\n"
	      "# EOF\n");
}

static void no_vm(void **state)
{
	struct snapshot *s = empty_snapshot();

	(void)state;
	check(&metrics_openmetrics, s, "# TYPE t_lost counter\n# HELP t_lost Lost.\nt_lost_total 0\n# EOF\n");
}

/* The number of samples up to this bound, by the text. */
static uint64_t below(const char *text, const char *bound)
{
	char sample[128];
	const char *found;

	snprintf(sample, sizeof(sample), "\nt_call_seconds_bucket{vm=\"7\",name=\"one\",le=\"%s\"} ", bound);
	found = strstr(text, sample);
	assert_non_null(found);
	return strtoull(found + strlen(sample), NULL, 10);
}

static void histograms(void **state)
{
	static const uint64_t ns[] = { 0, 1023, 1024, 4095, 4096, 4294967295, 4294967296 };
	struct snapshot *s = empty_snapshot();
	char *text;

	(void)state;
	set_times(add(s, 7, "one"), ns, sizeof(ns) / sizeof(*ns));
	text = text_of(&metrics_openmetrics, s);
	assert_int_equal(below(text, "1.023e-06"), 2);
	assert_int_equal(below(text, "4.095e-06"), 4);
	assert_int_equal(below(text, "1.6383e-05"), 5);
	assert_int_equal(below(text, "1.073741823"), 5);
	assert_int_equal(below(text, "4.294967295"), 6);
	assert_int_equal(below(text, "+Inf"), 7);
	assert_non_null(strstr(text, "\nt_call_seconds_sum{vm=\"7\",name=\"one\"} 8.589944829\n"
				     "t_call_seconds_count{vm=\"7\",name=\"one\"} 7\n"));
	free(text);
}

/* Counts below each bound are those of the samples themselves, whatever the samples are. */
static void counts_below_bounds_are_exact(void **state)
{
	uint64_t random = seed_random(1);

	(void)state;
	for (int run = 0; run < 200; run++) {
		struct snapshot *s = empty_snapshot();
		uint64_t ns[100];
		char *text, bound[32];

		for (int i = 0; i < 100; i++)
			ns[i] = xorshift64(&random) >> (next_random(&random) % 34 + 30);
		set_times(add(s, 7, "one"), ns, 100);
		text = text_of(&metrics_text, s);
		for (int b = 0; b < METRICS_BOUNDS; b++) {
			uint64_t expected = 0;

			for (int i = 0; i < 100; i++)
				expected += ns[i] <= metrics_bound_ns(b);
			snprintf(bound, sizeof(bound), "%.10g", metrics_bound_ns(b) / 1e9);
			assert_int_equal(below(text, bound), expected);
		}
		free(text);
	}
}

static void labels_are_escaped(void **state)
{
	static const char *const cases[][2] = {
		{ "a\"b\\c", "a\\\"b\\\\c" }, { "b\303\274ro", "b\303\274ro" }, { "x\ny\tz", "x?y?z" },
		{ "bad\377\300\200", "bad???" }, { "cut\342\202", "cut??" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct snapshot *s = empty_snapshot();
		char expected[64], *text;

		add(s, 7, cases[i][0]);
		text = text_of(&metrics_text, s);
		snprintf(expected, sizeof(expected), "t_vm_info{vm=\"7\",name=\"%s\"} 1\n", cases[i][1]);
		assert_non_null(strstr(text, expected));
		free(text);
	}
}

/* How many VMs there are; @expected is one of them. */
static int vms_in(struct snapshot *s, const char *expected)
{
	char *text = text_of(&metrics_text, s), *at = text;
	int count = 0;

	assert_non_null(strstr(text, expected));
	while ((at = strstr(at, "\nt_vm_info{"))) {
		at++;
		count++;
	}
	free(text);
	return count;
}

static void labels_stay_the_same(void **state)
{
	struct snapshot *s = empty_snapshot();

	(void)state;
	add(s, 7, "one#9");
	assert_int_equal(vms_in(s, "{vm=\"7\",name=\"one\"} 1\n"), 1);
	s = empty_snapshot();
	add(s, 0, "one");
	assert_int_equal(vms_in(s, "{vm=\"43-9\",name=\"one\"} 1\n"), 1);
	s = empty_snapshot();
	add(s, 0, "one")->vm.creator_tid = 0;
	assert_int_equal(vms_in(s, "{vm=\"birth-1\",name=\"one\"} 1\n"), 1);
}

/* Without KVM's numbers, a thread that creates one VM after the other gives all of them the same labels. */
static void labels_are_unique(void **state)
{
	struct snapshot *s = empty_snapshot();

	(void)state;
	add(s, 0, "old")->vm.ended = true;
	add(s, 0, "older")->vm.ended = true;
	add(s, 0, "living")->vm.birth = 0;
	snapshot_sort(s);
	assert_int_equal(vms_in(s, "name=\"living\""), 1);
	s = empty_snapshot();
	add(s, 0, "old")->vm.ended = true;
	add(s, 0, "last")->vm.ended = true;
	assert_int_equal(vms_in(s, "name=\"last\""), 1);
	s = empty_snapshot();
	add(s, 5, "five")->vm.ended = true;
	add(s, 6, "six");
	assert_int_equal(vms_in(s, "name=\"five\""), 2);
}

static void readers_choose(void **state)
{
	static const struct {
		const char *accept;
		bool openmetrics;
	} cases[] = {
		{ NULL, false }, { "", false }, { "*/*", false }, { "text/html", false },
		{ "application/openmetrics-text", true }, { "Application/OpenMetrics-Text ; Version=1.0.0", true },
		/* Prometheus 2.42, 2.53 and 3.5 */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
		  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.4,"
		  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true },
		{ "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.4", false },
		{ "application/openmetrics-text;version=0.0.1", false }, { "application/openmetrics-text;q=0", false },
		{ "application/openmetrics-text;q=nan", false }, { "text/*, application/openmetrics-text;q=1", true },
		{ ",,;;q=,;q=1, ,application/openmetrics-text", true },
	};
	char longest[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_ptr_equal(metrics_format_for(cases[i].accept),
				 cases[i].openmetrics ? &metrics_openmetrics : &metrics_text);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_ptr_equal(metrics_format_for(longest), &metrics_text);
	memset(longest, ',', sizeof(longest) - 1);
	assert_ptr_equal(metrics_format_for(longest), &metrics_text);
}

static void addresses(void **state)
{
	static const char *const cases[][2] = {
		{ ":9123", "127.0.0.1" }, { "0.0.0.0:1", "0.0.0.0" }, { "192.0.2.1:65535", "192.0.2.1" },
		{ "[::1]:9123", "::1" }, { "[::]:9123", "::" },
	};
	static const char *const wrong[] = {
		"", ":", "9123", ":0", ":65536", ":-1", ":+1", ":1x", ": 1", "::1:9123", "[::1]", "[::1", "[]:1", "[:1",
		"::1]:1", "localhost:1", "1.2.3:1", "[1.2.3.4]:1", "x:1",
		"[aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa]:1",
	};
	struct sockaddr_storage address;
	socklen_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[INET6_ADDRSTRLEN];
		const void *at = &((struct sockaddr_in *)&address)->sin_addr;

		assert_true(listen_parse(cases[i][0], &address, &size));
		if (address.ss_family == AF_INET6)
			at = &((struct sockaddr_in6 *)&address)->sin6_addr;
		assert_string_equal(inet_ntop(address.ss_family, at, text, sizeof(text)), cases[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(listen_parse(wrong[i], &address, &size));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_format),
		cmocka_unit_test(openmetrics),
		cmocka_unit_test(no_vm),
		cmocka_unit_test(histograms),
		cmocka_unit_test(counts_below_bounds_are_exact),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(labels_stay_the_same),
		cmocka_unit_test(labels_are_unique),
		cmocka_unit_test(readers_choose),
		cmocka_unit_test(addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
