/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <subject>.<id>.<n>   a chunk of a file: n from 000000, id drawn by lot for each put
 * <subject>.head       the files that are there, a line for each, the newest first:
 *     v=1 position=<n> time=<ms> size=<bytes> hash=<16 hex digits> messages=<n> first=<sequence> last=<sequence> id=<32 hex digits>\n
 *
 * A file is there when the head names it, and the head is written last, and only if it is still the one that was read first: of two who put at the same time one is
 * told so. Then all before the oldest file that it names is purged, and with it what a killed one left behind. So nothing but the head has to be right, and whoever reads it believes nothing of
 * it: a chunk must have the subject, the order and the size that the line says, and the hash is over all.
 */
#include "gravel/bus/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gravel/base/buf.h"
#include "gravel/base/hash.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/log/log.h"
#include "private.h"

enum {
	CHUNK = 128 * 1024, /* bytes of a file in one message; what v=1 allows */
	ROOM = 1024, /* of a message for its headers, and the least that must be left beside them */
	MESSAGES_MAX = 1000000, /* of a file: six digits */
	HEAD_MAX = 16 * 1024,
	WAIT_MS = 5000, /* for what carries a chunk: a slow line has time for it */
	SUBJECT_MAX = GS_LIMIT_SUBJECT - 64, /* the rest is for id and number */
	STREAM_MAX = 255,
	ID = 32,
	SEARCH_MAX = 1000, /* messages that are asked for one by one */
};

#define UNFINISHED ".new"

struct gs_shelf {
	struct gs_bus *bus;
	char *subject;
	char *name; /* of the stream */
	char *subjects; /* which it takes */
	struct gs_bus_stream stream; /* its strings are the two above */
	_Atomic bool stopped;
	struct gs_bus_reason said; /* why the last purge failed */
};

/* One call of it. */
struct call {
	struct gs_shelf *shelf;
	struct gs_bus_session *session;
	jsCtx *js;
	struct gs_error *err;
	bool silent; /* the server did not answer: it is not asked for more */
};

struct head {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	size_t n;
	uint64_t sequence; /* 0: there is none */
	bool no_stream;
};

/* Calls. */

static enum gs_status closed(struct call *c) {
	return gs_error_set(c->err, GS_ECLOSED, 0, 0, "the shelf is closing");
}

static enum gs_status begin(struct call *c, struct gs_shelf *shelf, struct gs_error *err) {
	*c = (struct call){.shelf = shelf, .err = err};
	if (shelf->stopped)
		return closed(c);
	c->session = gs_link_session(shelf->bus);
	if (c->session == NULL)
		return gs_error_set(err, GS_EAGAIN, 0, 0, "not connected to NATS");
	c->js = c->session->js;
	return GS_OK;
}

/* The thread is the caller's: nats.c keeps nothing on it. */
static enum gs_status end(struct call *c, enum gs_status status) {
	if (c->session == NULL)
		return status;
	gs_link_unref(c->session);
	nats_ReleaseThreadMemory();
	return status;
}

static enum gs_status no_memory(struct call *c) {
	return gs_error_set(c->err, GS_ENOMEM, 0, 0, "out of memory");
}

/* Whether the connection is gone, which whoever writes may see before nats.c knows. */
static bool is_lost(struct call *c, natsStatus s) {
	natsConnection *nc = c->session->nc;
	/* As in link.c: what was written in part has spoilt it. */
	if (s == NATS_IO_ERROR || s == NATS_SSL_ERROR)
		natsConnection_Close(nc);
	return s == NATS_CONNECTION_CLOSED || s == NATS_CONNECTION_DISCONNECTED || s == NATS_STALE_CONNECTION ||
	       natsConnection_IsClosed(nc);
}

/* What a request to NATS failed with; ${what} was to be done with the stream. */
static enum gs_status refused(struct call *c, natsStatus s, jsErrCode code, const char *what) {
	const char *stream = c->shelf->stream.name;
	char reason[GS_BUS_REASON];
	gs_bus_why(s, reason, sizeof(reason));
	bool lost = is_lost(c, s);
	c->silent = lost || s == NATS_TIMEOUT || s == NATS_NO_RESPONDERS;
	if (c->shelf->stopped)
		return closed(c);
	if (lost)
		return gs_error_set(
		    c->err, GS_EAGAIN, 0, 0, "cannot %s the stream %s: the connection to NATS was lost", what, stream);
	if (s == NATS_TIMEOUT)
		return gs_error_set(
		    c->err, GS_EAGAIN, 0, 0, "cannot %s the stream %s: JetStream does not answer", what, stream);
	if (s == NATS_NO_RESPONDERS)
		return gs_error_set(c->err, GS_EAGAIN, 0, 0,
		    "cannot %s the stream %s: JetStream does not answer: it is not enabled for this account, or has no "
		    "leader",
		    what, stream);
	if (s == NATS_NO_MEMORY)
		return no_memory(c);
	return gs_error_set(c->err, code == JSClusterNotAvailErr ? GS_EAGAIN : GS_EIO, 0, 0,
	    "cannot %s the stream %s: %s", what, stream, reason);
}

static enum gs_status file_failed(struct call *c, const char *what, const char *path) {
	char reason[128];
	return gs_error_set(
	    c->err, GS_EIO, 0, 0, "cannot %s the file %s: %s", what, path, strerror_r(errno, reason, sizeof(reason)));
}

/* The head. */

enum { VERSION, POSITION, TIME, SIZE, HASH, MESSAGES, FIRST, LAST, NAME, FIELDS };

static bool read_hex(struct gs_str s, size_t n, uint64_t *ret) {
	*ret = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		*ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return s.n == n;
}

static bool read_value(struct gs_shelf_file *file, int field, struct gs_str value) {
	uint64_t n = 0;
	bool number = gs_num_parse_u64(value, &n) == GS_OK;
	switch (field) {
	case VERSION:
		return gs_str_eq(value, GS_STR("1"));
	case POSITION:
		file->position = n;
		return number;
	case TIME:
		file->time_ms = (int64_t)n;
		return number && n <= INT64_MAX;
	case SIZE:
		file->size = n;
		return number;
	case HASH:
		return read_hex(value, 16, &file->hash);
	case MESSAGES:
		file->messages = (uint32_t)n;
		return number && n != 0 && n <= MESSAGES_MAX;
	case FIRST:
		file->first = n;
		return number;
	case LAST:
		file->last = n;
		return number;
	default:
		if (!read_hex(value, ID, &n))
			return false;
		memcpy(file->id, value.p, ID);
		return true;
	}
}

/* Whether a file can be so, of which the head was written under ${sequence}. */
static bool is_sound(const struct gs_shelf_file *file, uint64_t sequence) {
	return file->size >= file->messages && file->size <= (uint64_t)file->messages * CHUNK && file->first != 0 &&
	       file->last >= file->first && file->last - file->first >= file->messages - 1 && file->last < sequence;
}

static bool read_line(struct gs_str line, uint64_t sequence, struct gs_shelf_file *file) {
	static const struct gs_str keys[FIELDS] = {GS_STR_INIT("v"), GS_STR_INIT("position"), GS_STR_INIT("time"),
	    GS_STR_INIT("size"), GS_STR_INIT("hash"), GS_STR_INIT("messages"), GS_STR_INIT("first"),
	    GS_STR_INIT("last"), GS_STR_INIT("id")};
	unsigned seen = 0;
	*file = (struct gs_shelf_file){0};
	for (struct gs_str word, key, value; line.n != 0;) {
		(void)gs_str_cut(line, ' ', &word, &line);
		if (!gs_str_cut(word, '=', &key, &value))
			return false;
		int field = 0;
		while (field < FIELDS && !gs_str_eq(keys[field], key))
			field++;
		if (field == FIELDS)
			continue;
		if ((seen & 1U << field) != 0 || !read_value(file, field, value))
			return false;
		seen |= 1U << field;
	}
	return seen == (1U << FIELDS) - 1 && is_sound(file, sequence);
}

size_t gs_shelf_read_head(struct gs_str text, uint64_t sequence, struct gs_shelf_file *files) {
	size_t n = 0;
	struct gs_str line;
	if (text.n > HEAD_MAX)
		return 0;
	while (text.n != 0 && n < GS_SHELF_KEPT) {
		(void)gs_str_cut(text, '\n', &line, &text);
		bool taken = read_line(line, sequence, &files[n]);
		for (size_t i = 0; taken && i < n; i++)
			taken = strcmp(files[i].id, files[n].id) != 0;
		n += taken;
	}
	return n;
}

size_t gs_shelf_write_head(const struct gs_shelf_file *files, size_t n, char *out) {
	size_t at = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, GS_SHELF_HEAD - at,
		    "v=1 position=%llu time=%lld size=%llu hash=%016llx messages=%u first=%llu last=%llu id=%s\n",
		    (unsigned long long)files[i].position, (long long)files[i].time_ms,
		    (unsigned long long)files[i].size, (unsigned long long)files[i].hash, files[i].messages,
		    (unsigned long long)files[i].first, (unsigned long long)files[i].last, files[i].id);
	return at;
}

/* The last message of a subject; GS_ENOTFOUND, without a text, if there is no message or no stream (${ret_code}). */
static enum gs_status get_last(
    struct call *c, const char *subject, const char *what, natsMsg **ret_msg, jsErrCode *ret_code) {
	jsOptions options;
	if (c->shelf->stopped)
		return closed(c);
	jsOptions_Init(&options);
	options.Wait = WAIT_MS;
	*ret_msg = NULL;
	*ret_code = 0;
	natsStatus s = js_GetLastMsg(ret_msg, c->js, c->shelf->stream.name, subject, &options, ret_code);
	if (s == NATS_NOT_FOUND || *ret_code == JSStreamNotFoundErr)
		return GS_ENOTFOUND;
	if (s == NATS_OK && *ret_msg == NULL)
		s = NATS_PROTOCOL_ERROR;
	return s == NATS_OK ? GS_OK : refused(c, s, *ret_code, what);
}

static struct gs_str data_of(natsMsg *msg) {
	return gs_str_make(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
}

/* From the first to the last message that the stream has. */
struct extent {
	uint64_t first, last;
};

/* GS_ENOTFOUND: the stream is not there, or nothing ever was in it. A nats-server of 2.9 dies of a request for a message of a stream that it is just making, as another
 * program may ask it to: this one it bears, and says of such a stream that it is empty. */
static enum gs_status look_at_stream(struct call *c, bool *ret_no_stream, struct extent *ret) {
	jsStreamInfo *info = NULL;
	jsOptions options;
	jsErrCode code = 0;
	if (c->shelf->stopped)
		return closed(c);
	jsOptions_Init(&options);
	options.Wait = WAIT_MS;
	natsStatus s = js_GetStreamInfo(&info, c->js, c->shelf->stream.name, &options, &code);
	*ret_no_stream = s == NATS_NOT_FOUND || code == JSStreamNotFoundErr;
	if (*ret_no_stream)
		return GS_ENOTFOUND;
	if (s != NATS_OK)
		return refused(c, s, code, "read");
	*ret = (struct extent){info->State.FirstSeq, info->State.LastSeq};
	jsStreamInfo_Destroy(info);
	return ret->last == 0 ? GS_ENOTFOUND : GS_OK;
}

/* The message of a sequence; GS_ENOTFOUND if there is none. */
static enum gs_status get_one(struct call *c, uint64_t sequence, natsMsg **ret_msg) {
	jsOptions options;
	jsErrCode code = 0;
	if (c->shelf->stopped)
		return closed(c);
	jsOptions_Init(&options);
	options.Wait = WAIT_MS;
	*ret_msg = NULL;
	natsStatus s = js_GetMsg(ret_msg, c->js, c->shelf->stream.name, sequence, &options, &code);
	if (s == NATS_NOT_FOUND || code == JSStreamNotFoundErr)
		return GS_ENOTFOUND;
	if (s == NATS_OK && *ret_msg == NULL)
		s = NATS_PROTOCOL_ERROR;
	return s == NATS_OK ? GS_OK : refused(c, s, code, "read");
}

/* A nats-server that was killed may have lost its index of subjects, and then finds nothing by them though all is there (seen once, three of 2.9.10 killed at the same moment). So what is not found is looked for one by one:
 * from ${from} on by ${step}, ${n} of them at most. */
static enum gs_status search(
    struct call *c, const char *subject, uint64_t from, int step, uint64_t n, natsMsg **ret_msg) {
	enum gs_status status = GS_ENOTFOUND;
	for (; n != 0 && status == GS_ENOTFOUND; n--, from += (uint64_t)(int64_t)step) {
		status = get_one(c, from, ret_msg);
		if (status == GS_OK && strcmp(natsMsg_GetSubject(*ret_msg), subject) != 0) {
			natsMsg_Destroy(*ret_msg);
			status = GS_ENOTFOUND;
		}
	}
	return status;
}

static enum gs_status get_head(struct call *c, struct head *head) {
	char subject[GS_LIMIT_SUBJECT];
	natsMsg *msg;
	jsErrCode code = 0;
	struct extent extent = {0};
	*head = (struct head){0};
	snprintf(subject, sizeof(subject), "%s.head", c->shelf->subject);
	enum gs_status status = look_at_stream(c, &head->no_stream, &extent);
	if (status == GS_OK) {
		status = get_last(c, subject, "read", &msg, &code);
		head->no_stream = code == JSStreamNotFoundErr;
		/* Behind it are only those of one that was killed while it put a file. */
		uint64_t n = extent.last - extent.first + 1;
		if (status == GS_ENOTFOUND && !head->no_stream && extent.first <= extent.last)
			status = search(c, subject, extent.last, -1, n < SEARCH_MAX ? n : SEARCH_MAX, &msg);
	}
	if (status == GS_ENOTFOUND)
		return GS_OK;
	if (status != GS_OK)
		return status;
	head->sequence = natsMsg_GetSequence(msg);
	head->n = gs_shelf_read_head(data_of(msg), head->sequence, head->files);
	if (head->n == 0)
		gs_log(GS_LOG_WARN, "the head of the shelf names no file that can be read stream=\"%s\"",
		    c->shelf->stream.name);
	natsMsg_Destroy(msg);
	return GS_OK;
}

enum gs_status gs_shelf_list(struct gs_shelf *shelf, struct gs_shelf_file *files, size_t *ret_n, struct gs_error *err) {
	struct call c;
	struct head head;
	*ret_n = 0;
	enum gs_status status = begin(&c, shelf, err);
	if (status == GS_OK)
		status = get_head(&c, &head);
	if (status == GS_OK && head.no_stream)
		status = gs_error_set(err, GS_ENOTFOUND, 0, 0, "there is no stream %s", shelf->stream.name);
	if (status == GS_OK) {
		memcpy(files, head.files, head.n * sizeof(*files));
		*ret_n = head.n;
	}
	return end(&c, status);
}

/* Putting. */

struct put {
	struct call c;
	const char *path;
	int fd;
	char *chunk;
	size_t size; /* of a chunk */
	struct head head;
	struct gs_shelf_file file;
	bool named; /* the head that names the file may have arrived */
};

static enum gs_status open_file(struct put *p) {
	struct stat st;
	/* What is no file does not hold us up. */
	p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0 || fstat(p->fd, &st) != 0)
		return file_failed(&p->c, "read", p->path);
	if (!S_ISREG(st.st_mode))
		return gs_error_set(p->c.err, GS_EIO, 0, 0, "cannot read the file %s: it is no regular file", p->path);
	if (st.st_size == 0)
		return gs_error_set(p->c.err, GS_EINVAL, 0, 0, "the file %s is empty", p->path);
	p->file.size = (uint64_t)st.st_size;
	return GS_OK;
}

/* The largest message, where the server's limit allows that. */
static enum gs_status choose_size(struct put *p) {
	int64_t max = natsConnection_GetMaxPayload(p->c.session->nc);
	if (max < 2 * ROOM)
		return gs_error_set(
		    p->c.err, GS_EIO, 0, 0, "the max_payload of the NATS server is below %d bytes", 2 * ROOM);
	p->size = max - ROOM < CHUNK ? (size_t)(max - ROOM) : CHUNK;
	if ((p->file.size - 1) / p->size >= MESSAGES_MAX)
		return gs_error_set(p->c.err, GS_ELIMIT, 0, 0, "the file %s is too large: it has %llu bytes", p->path,
		    (unsigned long long)p->file.size);
	p->chunk = gs_alloc(p->size);
	return p->chunk != NULL ? GS_OK : no_memory(&p->c);
}

static enum gs_status draw_id(struct put *p) {
	uint64_t r[2];
	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return file_failed(&p->c, "draw a name for", p->path);
	snprintf(p->file.id, sizeof(p->file.id), "%016llx%016llx", (unsigned long long)r[0], (unsigned long long)r[1]);
	return GS_OK;
}

static enum gs_status make_stream(struct put *p) {
	struct gs_shelf *shelf = p->c.shelf;
	jsErrCode code = 0;
	if (!p->head.no_stream)
		return GS_OK;
	natsStatus s = gs_stream_add(p->c.js, &shelf->stream, &code);
	if (code == JSStreamNameExistErr)
		return GS_OK;
	if (s != NATS_OK)
		return refused(&p->c, s, code, "make");
	gs_log(
	    GS_LOG_INFO, "made the stream stream=\"%s\" subjects=\"%s\"", shelf->stream.name, shelf->stream.subjects);
	return GS_OK;
}

/* Publish to ${subject}, and wait for the ack; the sequence, or 0 with the code of the refusal. */
static enum gs_status publish(struct put *p, const char *subject, struct gs_str data, jsPubOptions *options,
    uint64_t *ret_sequence, jsErrCode *ret_code) {
	natsMsg *msg = NULL;
	jsPubAck *ack = NULL;
	*ret_code = 0;
	if (p->c.shelf->stopped)
		return closed(&p->c);
	options->MaxWait = WAIT_MS;
	options->ExpectStream = p->c.shelf->stream.name;
	natsStatus s = natsMsg_Create(&msg, subject, NULL, data.p, (int)data.n);
	if (s == NATS_OK)
		s = js_PublishMsg(&ack, p->c.js, msg, options, ret_code);
	natsMsg_Destroy(msg);
	if (s == NATS_OK && ack == NULL)
		s = NATS_PROTOCOL_ERROR;
	if (s == NATS_OK)
		*ret_sequence = ack->Sequence;
	jsPubAck_Destroy(ack);
	if (s == NATS_OK)
		return GS_OK;
	enum gs_status status = refused(&p->c, s, *ret_code, "write to");
	if (s == NATS_NO_RESPONDERS && status == GS_EAGAIN)
		status = gs_error_set(p->c.err, GS_EAGAIN, 0, 0,
		    "cannot write to the stream %s: it is gone, or does not take the subject %s",
		    p->c.shelf->stream.name, subject);
	return status;
}

static enum gs_status read_chunk(struct put *p, size_t n) {
	for (size_t at = 0; at < n;) {
		ssize_t got = read(p->fd, p->chunk + at, n - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_failed(&p->c, "read", p->path);
		if (got == 0)
			return gs_error_set(
			    p->c.err, GS_EIO, 0, 0, "the file %s became shorter while it was read", p->path);
		at += (size_t)got;
	}
	return GS_OK;
}

static void chunk_subject(const struct gs_shelf *shelf, const struct gs_shelf_file *file, uint32_t n, char *out) {
	snprintf(out, GS_LIMIT_SUBJECT, "%s.%s.%06u", shelf->subject, file->id, n);
}

static enum gs_status put_chunk(struct put *p, size_t n) {
	char subject[GS_LIMIT_SUBJECT];
	jsPubOptions options;
	jsErrCode code;
	uint64_t sequence;
	struct gs_shelf_file *file = &p->file;
	enum gs_status status = read_chunk(p, n);
	if (status != GS_OK)
		return status;
	jsPubOptions_Init(&options);
	chunk_subject(p->c.shelf, file, file->messages, subject);
	status = publish(p, subject, gs_str_make(p->chunk, n), &options, &sequence, &code);
	if (status != GS_OK)
		return status;
	if (sequence <= file->last)
		return gs_error_set(
		    p->c.err, GS_EAGAIN, 0, 0, "the stream %s was made anew meanwhile", p->c.shelf->stream.name);
	file->first = file->messages == 0 ? sequence : file->first;
	file->last = sequence;
	file->messages++;
	file->hash = gs_hash_stable(gs_str_make(p->chunk, n), file->hash);
	return GS_OK;
}

static enum gs_status put_chunks(struct put *p) {
	enum gs_status status = GS_OK;
	for (uint64_t rest = p->file.size; status == GS_OK && rest != 0;) {
		size_t n = rest < p->size ? (size_t)rest : p->size;
		status = put_chunk(p, n);
		rest -= n;
	}
	return status;
}

/* The new file, and of those that were there as many as are kept; nothing, if the head is another one by now. */
static enum gs_status put_head(struct put *p) {
	char subject[GS_LIMIT_SUBJECT], text[GS_SHELF_HEAD];
	jsPubOptions options;
	jsErrCode code;
	uint64_t sequence;
	struct head *head = &p->head;
	head->n = head->n < GS_SHELF_KEPT ? head->n + 1 : GS_SHELF_KEPT;
	memmove(head->files + 1, head->files, (head->n - 1) * sizeof(head->files[0]));
	head->files[0] = p->file;
	size_t n = gs_shelf_write_head(head->files, head->n, text);
	snprintf(subject, sizeof(subject), "%s.head", p->c.shelf->subject);
	jsPubOptions_Init(&options);
	options.ExpectLastSubjectSeq = head->sequence;
	options.ExpectNoMessage = head->sequence == 0;
	p->named = true;
	enum gs_status status = publish(p, subject, gs_str_make(text, n), &options, &sequence, &code);
	if (status == GS_OK || code != JSStreamWrongLastSequenceErr)
		return status;
	/* The one refusal after which no replica has it. */
	p->named = false;
	return gs_error_set(p->c.err, GS_EAGAIN, 0, 0,
	    "another program put a file on the stream %s meanwhile, and was faster", p->c.shelf->stream.name);
}

static natsStatus purge(struct put *p, const char *subject, uint64_t sequence) {
	jsOptions options;
	jsOptions_Init(&options);
	options.Wait = WAIT_MS;
	options.Stream.Purge.Subject = subject;
	options.Stream.Purge.Sequence = sequence;
	return js_PurgeStream(p->c.js, p->c.shelf->stream.name, &options, NULL);
}

/* All before the oldest file that is kept. The file is there already, so a purge that fails is the next one's business. */
static void remove_old(struct put *p) {
	uint64_t oldest = p->file.first;
	char reason[GS_BUS_REASON] = "";
	for (size_t i = 1; i < p->head.n; i++)
		oldest = p->head.files[i].first < oldest ? p->head.files[i].first : oldest;
	/* Before the first message there is nothing; asked for that, a server (2.9.10) purges all. */
	if (p->c.shelf->stopped || oldest <= 1)
		return;
	natsStatus s = purge(p, NULL, oldest);
	if (s != NATS_OK)
		gs_bus_why(s, reason, sizeof(reason));
	if (gs_bus_say(&p->c.shelf->said, reason) && s != NATS_OK)
		gs_log(GS_LOG_WARN, "what is old stays on the shelf for now stream=\"%s\" reason=\"%s\"",
		    p->c.shelf->stream.name, reason);
}

/* The chunks of a put that failed, unless a head may name them. What cannot be removed now goes with a later put. */
static void remove_own(struct put *p) {
	char subject[GS_LIMIT_SUBJECT];
	if (p->file.messages == 0 || p->named || p->c.silent || p->c.shelf->stopped)
		return;
	snprintf(subject, sizeof(subject), "%s.%s.*", p->c.shelf->subject, p->file.id);
	(void)purge(p, subject, 0);
}

static enum gs_status run_put(struct put *p) {
	enum gs_status status = open_file(p);
	if (status == GS_OK)
		status = choose_size(p);
	if (status == GS_OK)
		status = draw_id(p);
	if (status == GS_OK)
		status = get_head(&p->c, &p->head);
	if (status == GS_OK)
		status = make_stream(p);
	if (status == GS_OK)
		status = put_chunks(p);
	if (status == GS_OK)
		status = put_head(p);
	if (status == GS_OK)
		remove_old(p);
	else
		remove_own(p);
	return status;
}

enum gs_status gs_shelf_put(
    struct gs_shelf *shelf, uint64_t position, int64_t time_ms, const char *path, struct gs_error *err) {
	struct put p = {.path = path, .fd = -1, .file = {.position = position, .time_ms = time_ms}};
	if (time_ms < 0)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the time of a file is before 1970");
	enum gs_status status = begin(&p.c, shelf, err);
	if (status == GS_OK)
		status = run_put(&p);
	if (p.fd >= 0)
		close(p.fd);
	gs_free(p.chunk);
	return end(&p.c, status);
}

/* Taking. */

struct take {
	struct call c;
	const struct gs_shelf_file *file;
	const char *path;
	char name[NAME_MAX + 1]; /* of the file in its folder */
	char unfinished[NAME_MAX + 1 + sizeof(UNFINISHED)];
	int folder;
	int fd;
	uint64_t size; /* written */
	uint64_t hash;
	uint64_t last; /* sequence */
};

static enum gs_status damaged(struct take *t, const char *why) {
	return gs_error_set(t->c.err, GS_EINVAL, 0, 0, "the file %s of the stream %s is damaged: %s", t->file->id,
	    t->c.shelf->stream.name, why);
}

static enum gs_status open_folder(struct take *t) {
	const char *slash = strrchr(t->path, '/');
	const char *name = slash != NULL ? slash + 1 : t->path;
	struct gs_str folder = slash == NULL      ? GS_STR(".")
			       : slash == t->path ? GS_STR("/")
						  : gs_str_make(t->path, (size_t)(slash - t->path));
	errno = ENAMETOOLONG;
	if (strlen(name) >= sizeof(t->name))
		return file_failed(&t->c, "write", t->path);
	memcpy(t->name, name, strlen(name) + 1);
	snprintf(t->unfinished, sizeof(t->unfinished), "%s" UNFINISHED, name);
	char *copy = gs_strdup(folder);
	if (copy == NULL)
		return no_memory(&t->c);
	t->folder = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gs_free(copy);
	if (t->folder >= 0)
		t->fd = openat(t->folder, t->unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return t->fd >= 0 ? GS_OK : file_failed(&t->c, "write", t->path);
}

static enum gs_status write_all(struct take *t, struct gs_str data) {
	while (data.n != 0) {
		ssize_t n = write(t->fd, data.p, data.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_failed(&t->c, "write", t->path);
		data = gs_str_make(data.p + n, data.n - (size_t)n);
	}
	return GS_OK;
}

/* Whether the message can be chunk ${n}. */
static bool belongs(const struct take *t, uint32_t n, uint64_t sequence, size_t size) {
	const struct gs_shelf_file *file = t->file;
	return sequence > t->last && sequence <= file->last && (n != 0 || sequence == file->first) && size != 0 &&
	       size <= CHUNK && size <= file->size - t->size;
}

static enum gs_status take_chunk(struct take *t, uint32_t n) {
	char subject[GS_LIMIT_SUBJECT];
	natsMsg *msg;
	jsErrCode code;
	chunk_subject(t->c.shelf, t->file, n, subject);
	enum gs_status status = get_last(&t->c, subject, "read", &msg, &code);
	uint64_t from = n == 0 ? t->file->first : t->last + 1;
	if (status == GS_ENOTFOUND && code != JSStreamNotFoundErr && from <= t->file->last) {
		uint64_t rest = t->file->last - from + 1;
		status = search(&t->c, subject, from, 1, rest < SEARCH_MAX ? rest : SEARCH_MAX, &msg);
	}
	if (status == GS_ENOTFOUND)
		return gs_error_set(t->c.err, status, 0, 0, "the file %s is not on the stream %s any more", t->file->id,
		    t->c.shelf->stream.name);
	if (status != GS_OK)
		return status;
	struct gs_str data = data_of(msg);
	uint64_t sequence = natsMsg_GetSequence(msg);
	if (!belongs(t, n, sequence, data.n))
		status = damaged(t, "a message is not the one that was put there");
	else
		status = write_all(t, data);
	if (status == GS_OK) {
		t->hash = gs_hash_stable(data, t->hash);
		t->size += data.n;
		t->last = sequence;
	}
	natsMsg_Destroy(msg);
	return status;
}

static enum gs_status run_take(struct take *t) {
	enum gs_status status = open_folder(t);
	for (uint32_t n = 0; status == GS_OK && n < t->file->messages; n++)
		status = take_chunk(t, n);
	if (status != GS_OK)
		return status;
	if (t->size != t->file->size || t->last != t->file->last)
		return damaged(t, "it has another size");
	if (t->hash != t->file->hash)
		return damaged(t, "it has another hash");
	if (fsync(t->fd) != 0 || renameat(t->folder, t->unfinished, t->folder, t->name) != 0)
		return file_failed(&t->c, "write", t->path);
	close(t->fd);
	t->fd = -1;
	return fsync(t->folder) == 0 ? GS_OK : file_failed(&t->c, "sync the folder of", t->path);
}

enum gs_status gs_shelf_take(
    struct gs_shelf *shelf, const struct gs_shelf_file *file, const char *path, struct gs_error *err) {
	struct take t = {.file = file, .path = path, .folder = -1, .fd = -1};
	enum gs_status status = begin(&t.c, shelf, err);
	if (status == GS_OK)
		status = run_take(&t);
	if (t.fd >= 0) {
		close(t.fd);
		(void)unlinkat(t.folder, t.unfinished, 0);
	}
	if (t.folder >= 0)
		close(t.folder);
	return end(&t.c, status);
}

/* Making. */

static bool is_stream(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr(".*>/\\\"", s.p[i]) != NULL)
			return false;
	}
	return s.n != 0 && s.n <= STREAM_MAX;
}

/* Of tokens that are not empty, without wildcards, and fit for JSON as they are: nats.c does not escape them. */
static bool is_subject(struct gs_str s) {
	if (s.n == 0 || s.n > SUBJECT_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("*>\\\"", s.p[i]) != NULL)
			return false;
		if (s.p[i] == '.' && (i == 0 || i + 1 == s.n || s.p[i + 1] == '.'))
			return false;
	}
	return true;
}

static bool copy_options(struct gs_shelf *shelf, const struct gs_shelf_options *o) {
	struct gs_buf subjects;
	size_t n;
	gs_buf_init(&subjects, GS_LIMIT_SUBJECT);
	gs_buf_cstr(&subjects, o->subject);
	gs_buf_add(&subjects, ".>", sizeof(".>"));
	shelf->subject = gs_strdup(gs_str_of(o->subject));
	shelf->name = gs_strdup(gs_str_of(o->stream));
	shelf->subjects = gs_buf_take(&subjects, &n);
	shelf->stream = (struct gs_bus_stream){
	    .name = shelf->name,
	    .subjects = shelf->subjects,
	    .replicas = o->replicas,
	    .max_msgs_per_subject = 1,
	    .memory = o->memory,
	};
	gs_buf_free(&subjects);
	return shelf->subject != NULL && shelf->name != NULL && shelf->subjects != NULL;
}

void gs_shelf_free(struct gs_shelf *shelf) {
	if (shelf == NULL)
		return;
	gs_free(shelf->subject);
	gs_free(shelf->name);
	gs_free(shelf->subjects);
	gs_free(shelf);
}

enum gs_status gs_shelf_new(
    struct gs_bus *bus, const struct gs_shelf_options *options, struct gs_shelf **ret_shelf, struct gs_error *err) {
	if (!is_stream(gs_str_of(options->stream)))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "the name of a stream has no spaces, no quotes and none of .*>/\\");
	if (!is_subject(gs_str_of(options->subject)))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "a subject has no spaces, no quotes, no empty words and none of *>\\");
	struct gs_shelf *shelf = gs_alloc(sizeof(*shelf));
	if (shelf == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	shelf->bus = bus;
	if (!copy_options(shelf, options)) {
		gs_shelf_free(shelf);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	*ret_shelf = shelf;
	return GS_OK;
}

void gs_shelf_stop(struct gs_shelf *shelf) {
	shelf->stopped = true;
}
