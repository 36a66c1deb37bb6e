/* SPDX-License-Identifier: Apache-2.0 */
#include <ares.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "private.h"

/*
 * dns_sd by c-ares, which reads resolv.conf, tries the search list and turns to TCP where an answer does not fit. Each refresh has a channel of its own:
 * so a resolv.conf that changed counts from the next one on, and its end leaves no socket behind.
 */

/* Fixed: what every resolver takes without fragments (DNS flag day 2020). */
#define EDNS_SIZE 1232
/* Of the wire (RFC 1035, 3596, 2782). */
enum { CLASS_IN = 1, TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33 };

/* Fixed: more do not fit into a message of 64 KiB. */
#define ADDRESSES_MAX 4096

struct name {
	struct gs_sd_source *source;
	const char *name;
	struct gs_sd_doc *doc; /* the last good answer */
	bool again; /* asked a second time, because there seems to be nothing */
};

/* A socket of c-ares. */
struct socket {
	struct socket *next;
	struct gs_sd_poll poll;
};

struct state {
	struct name *names;
	size_t nnames;
	ares_channel channel;
	bool open; /* the channel is */
	bool ending; /* what is called back now is void */
	bool finished; /* the last answer came: the channel can go, but not from inside it */
	bool no_memory; /* a socket could not be watched */
	size_t pending; /* names that have no answer yet */
	size_t failed; /* in this refresh */
	struct gs_sd_reason error;
	struct socket *sockets;
};

static int library_status;

static void library_init(void) {
	library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

/* Answers. */

static enum gs_status add_target(struct gs_sd_group *group, const char *host, uint16_t port, struct gs_error *err) {
	char address[1100];
	snprintf(address, sizeof(address), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
	return gs_sd_group_target(group, gs_str_of(address), err);
}

static enum gs_status put_srv(struct gs_sd_group *group, const struct ares_srv_reply *srv, struct gs_error *err) {
	char target[1030], port[8];
	/* As the record has it: with the dot of the root. */
	snprintf(target, sizeof(target), "%s.", srv->host);
	snprintf(port, sizeof(port), "%u", (unsigned)srv->port);
	enum gs_status status = gs_sd_group_put(group, GS_STR("__meta_dns_srv_record_target"), gs_str_of(target), err);
	if (status == GS_OK)
		status = gs_sd_group_put(group, GS_STR("__meta_dns_srv_record_port"), gs_str_of(port), err);
	return status == GS_OK ? add_target(group, srv->host, srv->port, err) : status;
}

static enum gs_status broken(struct gs_error *err) {
	return gs_error_set(err, GS_EINVAL, 0, 0, "the answer is damaged");
}

static enum gs_status read_srv(struct gs_sd_group *group, const unsigned char *answer, int n, struct gs_error *err) {
	struct ares_srv_reply *all = NULL;
	enum gs_status status = GS_OK;
	int code = ares_parse_srv_reply(answer, n, &all);
	if (code != ARES_SUCCESS && code != ARES_ENODATA)
		return code == ARES_ENOMEM ? GS_ENOMEM : broken(err);
	for (const struct ares_srv_reply *srv = all; srv != NULL && status == GS_OK; srv = srv->next) {
		/* The root as a target: the service is decidedly not there (RFC 2782). */
		if (srv->host != NULL && srv->host[0] != '\0' && strcmp(srv->host, ".") != 0)
			status = put_srv(group, srv, err);
	}
	if (all != NULL)
		ares_free_data(all);
	return status;
}

static enum gs_status read_a(
    struct gs_sd_group *group, const unsigned char *answer, int n, uint16_t port, struct gs_error *err) {
	int count = ADDRESSES_MAX;
	struct ares_addrttl *all = gs_alloc_array(ADDRESSES_MAX, sizeof(*all));
	enum gs_status status = GS_OK;
	char text[INET_ADDRSTRLEN];
	if (all == NULL)
		return GS_ENOMEM;
	int code = ares_parse_a_reply(answer, n, NULL, all, &count);
	if (code != ARES_SUCCESS && code != ARES_ENODATA)
		status = code == ARES_ENOMEM ? GS_ENOMEM : broken(err);
	for (int i = 0; code == ARES_SUCCESS && i < count && status == GS_OK; i++) {
		inet_ntop(AF_INET, &all[i].ipaddr, text, sizeof(text));
		status = add_target(group, text, port, err);
	}
	gs_free(all);
	return status;
}

static enum gs_status read_aaaa(
    struct gs_sd_group *group, const unsigned char *answer, int n, uint16_t port, struct gs_error *err) {
	int count = ADDRESSES_MAX;
	struct ares_addr6ttl *all = gs_alloc_array(ADDRESSES_MAX, sizeof(*all));
	enum gs_status status = GS_OK;
	char text[INET6_ADDRSTRLEN];
	if (all == NULL)
		return GS_ENOMEM;
	int code = ares_parse_aaaa_reply(answer, n, NULL, all, &count);
	if (code != ARES_SUCCESS && code != ARES_ENODATA)
		status = code == ARES_ENOMEM ? GS_ENOMEM : broken(err);
	for (int i = 0; code == ARES_SUCCESS && i < count && status == GS_OK; i++) {
		inet_ntop(AF_INET6, &all[i].ip6addr, text, sizeof(text));
		status = add_target(group, text, port, err);
	}
	gs_free(all);
	return status;
}

/* ${answer} NULL: the name has nothing of the kind. */
static enum gs_status read_answer(const struct gs_config_sd *sd, struct gs_sd_group *group, const char *name,
    const unsigned char *answer, int n, struct gs_error *err) {
	enum gs_status status = gs_sd_group_put(group, GS_STR("__meta_dns_name"), gs_str_of(name), err);
	if (status != GS_OK || answer == NULL)
		return status;
	switch (sd->dns_type) {
	case GS_DNS_SRV:
		return read_srv(group, answer, n, err);
	case GS_DNS_A:
		return read_a(group, answer, n, (uint16_t)sd->dns_port, err);
	case GS_DNS_AAAA:
		return read_aaaa(group, answer, n, (uint16_t)sd->dns_port, err);
	}
	return status;
}

static enum gs_status take(struct name *name, const unsigned char *answer, int n, struct gs_error *err) {
	struct gs_sd_doc *doc = gs_sd_doc_new();
	struct gs_sd_group *group = gs_alloc(sizeof(*group));
	enum gs_status status = GS_ENOMEM;
	if (doc != NULL && group != NULL) {
		gs_sd_group_begin(group, doc);
		status = read_answer(name->source->sd, group, name->name, answer, n, err);
	}
	gs_free(group);
	if (status == GS_OK) {
		gs_sd_doc_free(name->doc);
		name->doc = doc;
	} else {
		gs_sd_doc_free(doc);
	}
	return status == GS_ENOMEM ? gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory") : status;
}

static void note(struct state *s, const char *name, const char *why) {
	if (s->failed++ == 0)
		gs_sd_because(&s->error, "%s: %s", name, why);
}

static int record_type(const struct gs_config_sd *sd) {
	return sd->dns_type == GS_DNS_A ? TYPE_A : sd->dns_type == GS_DNS_AAAA ? TYPE_AAAA : TYPE_SRV;
}

/* By TCP as well: more than 64 KiB. What is left of it must not pass for all of it. */
static bool is_truncated(const unsigned char *answer, int n) {
	return answer != NULL && n > 2 && (answer[2] & 2) != 0;
}

static void end_name(struct name *name) {
	struct state *s = name->source->state;
	s->pending--;
	s->finished = s->pending == 0;
	/* c-ares is still at work here: the end comes from outside. */
	if (s->finished)
		name->source->tick_ms = 0;
}

/* A name that does not exist, or has no such record, is an answer: there are no targets. So it is to Prometheus. */
static void on_answer(void *ctx, int code, int timeouts, unsigned char *answer, int n) {
	struct name *name = ctx;
	struct state *s = name->source->state;
	struct gs_error err;
	bool none = code == ARES_ENOTFOUND || code == ARES_ENODATA;
	(void)timeouts;
	if (s->ending)
		return;
	/* A search keeps such an answer for itself, and with it that it was cut to nothing. */
	if (code == ARES_ENODATA && answer == NULL && !name->again) {
		name->again = true;
		ares_query(s->channel, name->name, CLASS_IN, record_type(name->source->sd), on_answer, name);
		return;
	}
	if (is_truncated(answer, n))
		note(s, name->name, "the answer has more than 64 KiB");
	else if (!none && code != ARES_SUCCESS)
		note(s, name->name, ares_strerror(code));
	else if (take(name, none ? NULL : answer, n, &err) != GS_OK)
		note(s, name->name, err.text);
	end_name(name);
}

/* Sockets and time. */

static void set_timer(struct gs_sd_source *source) {
	struct state *s = source->state;
	struct timeval tv;
	if (s->finished || s->no_memory) {
		source->tick_ms = 0;
		return;
	}
	source->tick_ms = GS_SD_NEVER;
	if (ares_timeout(s->channel, NULL, &tv) != NULL)
		source->tick_ms = gs_clock_mono_ms() + (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1;
}

static void on_ready(void *ctx, int fd, uint32_t events) {
	struct gs_sd_source *source = ctx;
	struct state *s = source->state;
	bool in = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0, out = (events & EPOLLOUT) != 0;
	ares_process_fd(s->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	set_timer(source);
}

static struct socket **find_socket(struct state *s, int fd) {
	struct socket **p = &s->sockets;
	while (*p != NULL && (*p)->poll.fd != fd)
		p = &(*p)->next;
	return p;
}

static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable) {
	struct gs_sd_source *source = ctx;
	struct state *s = source->state;
	struct socket **p = find_socket(s, fd), *socket = *p;
	uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
	if (events == 0 && socket != NULL) {
		gs_sd_poll_set(source->discovery, &socket->poll, 0);
		*p = socket->next;
		gs_free(socket);
	}
	if (events == 0)
		return;
	if (socket == NULL) {
		socket = gs_alloc(sizeof(*socket));
		if (socket == NULL) {
			s->no_memory = true;
			return;
		}
		socket->poll = (struct gs_sd_poll){.fn = on_ready, .ctx = source, .fd = fd};
		*p = socket;
	}
	(void)gs_sd_poll_set(source->discovery, &socket->poll, events);
}

static int open_channel(struct gs_sd_source *source) {
	struct state *s = source->state;
	const char *servers = source->discovery->dns_servers;
	struct ares_options options = {
	    .flags = ARES_FLAG_EDNS, .ednspsz = EDNS_SIZE, .sock_state_cb = on_socket, .sock_state_cb_data = source};
	int code = ares_init_options(&s->channel, &options, ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
	s->open = code == ARES_SUCCESS;
	if (s->open && servers[0] != '\0')
		code = ares_set_servers_ports_csv(s->channel, servers);
	return code;
}

static void close_channel(struct state *s) {
	if (!s->open)
		return;
	s->ending = true;
	ares_destroy(s->channel);
	s->ending = false;
	s->open = false;
	s->finished = false;
}

/* The source. */

static void finish(struct gs_sd_source *source) {
	struct state *s = source->state;
	size_t answered = 0;
	struct gs_sd_doc **docs = gs_alloc_array(s->nnames, sizeof(struct gs_sd_doc *));
	close_channel(s);
	source->busy = false;
	if (docs == NULL) {
		gs_sd_failed(source, "out of memory");
		return;
	}
	for (size_t i = 0; i < s->nnames; i++) {
		docs[i] = s->names[i].doc;
		answered += docs[i] != NULL;
	}
	bool ok = answered == 0 || gs_sd_publish(source, docs, s->nnames);
	gs_free(docs);
	if (!ok)
		return;
	if (s->failed > 1)
		gs_sd_failed(source, "%s (and %zu more)", s->error.text, s->failed - 1);
	else if (s->failed == 1)
		gs_sd_failed(source, "%s", s->error.text);
	else
		gs_sd_good(source);
}

static void tick(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (!s->finished && !s->no_memory && s->open)
		ares_process_fd(s->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (s->no_memory && !s->finished)
		note(s, source->shown, "out of memory");
	if (s->finished || s->no_memory)
		finish(source);
	else if (s->open)
		set_timer(source);
}

static void refresh(struct gs_sd_source *source) {
	struct state *s = source->state;
	int code = open_channel(source);
	if (code != ARES_SUCCESS) {
		close_channel(s);
		gs_sd_failed(source, "%s", ares_strerror(code));
		return;
	}
	source->busy = true;
	s->failed = 0;
	s->no_memory = false;
	s->pending = s->nnames;
	for (size_t i = 0; i < s->nnames; i++)
		s->names[i].again = false;
	for (size_t i = 0; i < s->nnames; i++)
		ares_search(s->channel, s->names[i].name, CLASS_IN, record_type(source->sd), on_answer, &s->names[i]);
	set_timer(source);
}

static enum gs_status open_dns(struct gs_sd_source *source, struct gs_error *err) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct gs_config_sd *sd = source->sd;
	struct state *s = gs_alloc(sizeof(*s));
	source->state = s;
	pthread_once(&once, library_init);
	if (s == NULL || library_status != ARES_SUCCESS ||
	    (s->names = gs_alloc_array(sd->nnames, sizeof(*s->names))) == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	for (; s->nnames < sd->nnames; s->nnames++)
		s->names[s->nnames] = (struct name){.source = source, .name = sd->names[s->nnames]};
	return GS_OK;
}

static void close_dns(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (s == NULL)
		return;
	close_channel(s);
	for (size_t i = 0; i < s->nnames; i++)
		gs_sd_doc_free(s->names[i].doc);
	gs_free(s->names);
	gs_free(s);
}

const struct gs_sd_ops gs_sd_dns_ops = {
    .name = "dns", .open = open_dns, .refresh = refresh, .tick = tick, .close = close_dns};
