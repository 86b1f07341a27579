// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define METRICS_PATH	"/metrics"
#define PLAIN_TEXT	"text/plain; charset=utf-8"

/* Some servers, each with a spare connection. Others wait until one is closed. */
#define CONNECTIONS_MAX 32
/* A reader that does nothing for so long has gone. Prometheus gives up after 10 s. */
#define CONNECTION_TIMEOUT_S 15
#define BACKLOG 16

struct listener {
	const struct metrics *metrics;
	struct MHD_Daemon *daemon;

	pthread_mutex_t lock;
	struct snapshot *latest;	/* under the lock; NULL: there is none yet */

	/* The last answers, for the next reader; only the server's thread uses these. */
	struct snapshot *answered;
	struct MHD_Response *text, *openmetrics;	/* NULL: nobody has asked for it */
};

/* --- the address --- */

static bool parse_port(const char *text, in_port_t *port)
{
	int number;

	if (!process_parse_number(text, &number) || number < 1 || number > UINT16_MAX)
		return false;
	*port = htons(number);
	return true;
}

bool listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in6 *six = (void *)address;
	struct sockaddr_in *four = (void *)address;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t len = colon ? colon - text : 0;

	*address = (struct sockaddr_storage){};
	if (!colon || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		six->sin6_family = AF_INET6;
		*size = sizeof(*six);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 && parse_port(colon + 1, &six->sin6_port);
	}
	four->sin_family = AF_INET;
	*size = sizeof(*four);
	return inet_pton(AF_INET, host[0] ? host : "127.0.0.1", &four->sin_addr) == 1 &&
	       parse_port(colon + 1, &four->sin_port);
}

/* --- answers, in the server's thread --- */

static struct MHD_Response *plain_answer(const char *text)
{
	struct MHD_Response *answer = MHD_create_response_from_buffer(strlen(text), (void *)text,
								      MHD_RESPMEM_PERSISTENT);

	if (answer)
		MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, PLAIN_TEXT);
	return answer;
}

static enum MHD_Result send_plain(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct MHD_Response *answer = plain_answer(text);
	enum MHD_Result result;

	if (!answer)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(answer, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_GET ", " MHD_HTTP_METHOD_HEAD);
	result = MHD_queue_response(connection, status, answer);
	MHD_destroy_response(answer);
	return result;
}

static struct MHD_Response *write_answer(const struct listener *l, const struct metrics_format *format)
{
	struct MHD_Response *answer;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	failed = metrics_write(out, format, l->metrics, l->answered);
	/* Only memory can run out. */
	failed |= ferror(out) != 0;
	if (fclose(out) || failed) {
		free(text);
		return NULL;
	}
	answer = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!answer) {
		free(text);
		return NULL;
	}
	/* Prometheus 3 takes nothing that does not say what it is. */
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, format->content_type);
	MHD_add_response_header(answer, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	return answer;
}

/* Connections that still send it have it until they are done. */
static void forget(struct MHD_Response **answer)
{
	if (*answer)
		MHD_destroy_response(*answer);
	*answer = NULL;
}

static void forget_answers(struct listener *l)
{
	forget(&l->text);
	forget(&l->openmetrics);
	snapshot_free(l->answered);
	l->answered = NULL;
}

static void take_latest(struct listener *l)
{
	struct snapshot *latest;

	pthread_mutex_lock(&l->lock);
	latest = snapshot_hold(l->latest);
	pthread_mutex_unlock(&l->lock);
	if (latest == l->answered) {
		snapshot_free(latest);
		return;
	}
	forget_answers(l);
	l->answered = latest;
}

static enum MHD_Result send_metrics(struct listener *l, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	const struct metrics_format *format = metrics_format_for(accept);
	struct MHD_Response **answer = format == &metrics_text ? &l->text : &l->openmetrics;

	take_latest(l);
	if (!l->answered)
		return send_plain(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "There are no figures yet.\n");
	if (!*answer)
		*answer = write_answer(l, format);
	return *answer ? MHD_queue_response(connection, MHD_HTTP_OK, *answer) : MHD_NO;
}

static enum MHD_Result handle(void *listener, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *body, size_t *body_size, void **context)
{
	(void)version;
	(void)body;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Metrics can only be read.\n");
	/* An answer before the whole request has been read would close the connection. */
	if (!*context) {
		*context = listener;
		return MHD_YES;
	}
	*body_size = 0;
	if (!strcmp(url, METRICS_PATH))
		return send_metrics(listener, connection);
	if (!strcmp(url, "/"))
		return send_plain(connection, MHD_HTTP_OK, "The metrics of memattr are at " METRICS_PATH "\n");
	return send_plain(connection, MHD_HTTP_NOT_FOUND, "The metrics of memattr are at " METRICS_PATH "\n");
}

/* --- the server --- */

/* Returns a socket, or -1 and @why says why. */
static int open_socket(const char *text, struct diag *why)
{
	struct sockaddr_storage address;
	const int on = 1;
	socklen_t size;
	int fd, err;

	if (!listen_parse(text, &address, &size)) {
		diag_set(why, "", "'%s' is not an address and a port", text);
		return -1;
	}
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Connections that have just been closed keep nobody from listening again. */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&address, size) && !listen(fd, BACKLOG))
		return fd;
	err = errno;
	diag_set(why, err == EADDRINUSE ? "ss -ltnp, which shows who listens there, or another port" :
		 "an address of this host, as ip address shows it, and a port above 1023", "cannot listen on %s: %s",
		 text, strerror(err));
	if (fd >= 0)
		close(fd);
	return -1;
}

struct listener *listen_open(const char *text, const struct metrics *metrics, struct diag *why)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd = l ? open_socket(text, why) : -1;

	if (!l)
		diag_set(why, "", "out of memory");
	if (fd < 0) {
		free(l);
		return NULL;
	}
	l->metrics = metrics;
	pthread_mutex_init(&l->lock, NULL);
	l->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, handle, l, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     CONNECTION_TIMEOUT_S, MHD_OPTION_END);
	if (l->daemon)
		return l;
	diag_set(why, "", "cannot serve on %s: %s", text, strerror(errno));
	close(fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}

void listen_publish(struct listener *l, struct snapshot *s)
{
	struct snapshot *old;

	pthread_mutex_lock(&l->lock);
	old = l->latest;
	l->latest = snapshot_hold(s);
	pthread_mutex_unlock(&l->lock);
	snapshot_free(old);
}

void listen_close(struct listener *l)
{
	if (!l)
		return;
	MHD_stop_daemon(l->daemon);
	forget_answers(l);
	snapshot_free(l->latest);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
