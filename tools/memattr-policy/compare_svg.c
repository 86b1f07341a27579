// SPDX-License-Identifier: GPL-2.0
/* The figures as bars: a group for each figure, in it a bar for each contender, with a line from least to most. */
#include "compare.h"
#include "diag.h"

#include <errno.h>
#include <string.h>

#define WIDTH 760
#define NAME_WIDTH 240
#define BAR_WIDTH 380		/* of the longest one in a group */
#define LINE_HEIGHT 18
#define GAP 12

struct chart {
	FILE *out;
	const struct comparison *c;
	int y;
};

/* What people write on the command line may have characters that are markup. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static bool is_known(const struct comparison *c, enum figure_id figure, double *max)
{
	bool known = true;

	*max = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct spread spread;

		spread_read(c, i, figure, &spread);
		known &= spread.known;
		if (spread.max > *max)
			*max = spread.max;
	}
	return known;
}

static void put_bar(struct chart *chart, size_t contender, enum figure_id figure, double max)
{
	static const char *const colors[] = { "#2a7f4f", "#7a8794", "#b5482f" };
	double scale = max > 0 ? BAR_WIDTH / max : 0;
	int middle = chart->y + LINE_HEIGHT / 2;
	struct spread spread;
	char text[32];

	spread_read(chart->c, contender, figure, &spread);
	fprintf(chart->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAME_WIDTH - 8, middle + 4);
	put_text(chart->out, chart->c->contenders[contender].text);
	fprintf(chart->out, "</text>\n<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", NAME_WIDTH,
		chart->y + 2, spread.median * scale, LINE_HEIGHT - 4, colors[spread.differs + 1]);
	fprintf(chart->out, "<path d=\"M%.1f %dH%.1f\" stroke=\"black\" stroke-width=\"2\"/>\n",
		NAME_WIDTH + spread.min * scale, middle, NAME_WIDTH + spread.max * scale);
	fprintf(chart->out, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", NAME_WIDTH + spread.max * scale + 6, middle + 4,
		figure_text(figure, spread.median, text, sizeof(text)));
	chart->y += LINE_HEIGHT;
}

static void put_figure(struct chart *chart, enum figure_id figure)
{
	double max;

	if (!is_known(chart->c, figure, &max))
		return;
	chart->y += GAP;
	fprintf(chart->out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", NAME_WIDTH,
		chart->y + LINE_HEIGHT - 5, figures[figure].title);
	chart->y += LINE_HEIGHT;
	for (size_t i = 0; i < chart->c->count; i++)
		put_bar(chart, i, figure, max);
}

static int chart_height(const struct comparison *c)
{
	int height = 2 * GAP;
	double max;

	for (int figure = 0; figure < FIGURES; figure++)
		if (is_known(c, figure, &max))
			height += GAP + LINE_HEIGHT * (int)(c->count + 1);
	return height;
}

int compare_write_svg(const struct comparison *c, const char *path)
{
	struct chart chart = { .out = fopen(path, "we"), .c = c };
	int height = chart_height(c);
	bool failed;

	if (!chart.out)
		return diag_fail(EXIT_FAILED, NULL, "%s: %s", path, strerror(errno));
	fprintf(chart.out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
		"font-size=\"12\">\n<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", WIDTH, height, WIDTH, height);
	for (int figure = 0; figure < FIGURES; figure++)
		put_figure(&chart, figure);
	fprintf(chart.out, "</svg>\n");
	failed = ferror(chart.out);
	if (fclose(chart.out) || failed)
		return diag_fail(EXIT_FAILED, NULL, "%s: %s", path, strerror(errno));
	return EXIT_OK;
}
