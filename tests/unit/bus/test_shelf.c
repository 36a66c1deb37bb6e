/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <nats/nats.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../../../lib/bus/private.h"
#include "gravel/base/clock.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/bus/shelf.h"
#include "gravel/log/log.h"
#include "server.h"

#define CHUNK ((size_t)128 * 1024)
#define BIG ((size_t)20 * 1024 * 1024)

static struct server server;
static struct gs_bus *bus;
static struct gs_shelf *shelf, *other;
static struct gs_error err;
static char folder[128], from[160], to[160];
static natsConnection *nc; /* an administrator's */
static jsCtx *js;

/*
 * What the shelf asks of nats.c, so that something happens before its nth publish or read.
 */
struct moment {
	int countdown; /* 1: the next one */
	void (*fn)(void);
};

static struct moment on_publish, on_get;

static void pass(struct moment *moment) {
	if (moment->countdown == 0 || --moment->countdown != 0)
		return;
	moment->fn();
}

natsStatus __real_js_PublishMsg(jsPubAck **ack, jsCtx *c, natsMsg *msg, jsPubOptions *o, jsErrCode *code);
natsStatus __wrap_js_PublishMsg(jsPubAck **ack, jsCtx *c, natsMsg *msg, jsPubOptions *o, jsErrCode *code);
natsStatus __real_js_GetLastMsg(natsMsg **msg, jsCtx *c, const char *s, const char *su, jsOptions *o, jsErrCode *code);
natsStatus __wrap_js_GetLastMsg(natsMsg **msg, jsCtx *c, const char *s, const char *su, jsOptions *o, jsErrCode *code);

natsStatus __wrap_js_PublishMsg(jsPubAck **ack, jsCtx *c, natsMsg *msg, jsPubOptions *o, jsErrCode *code) {
	pass(&on_publish);
	return __real_js_PublishMsg(ack, c, msg, o, code);
}

static bool blind; /* the server finds nothing by its subject */

natsStatus __wrap_js_GetLastMsg(natsMsg **msg, jsCtx *c, const char *s, const char *su, jsOptions *o, jsErrCode *code) {
	pass(&on_get);
	if (blind) {
		*msg = NULL;
		return NATS_NOT_FOUND;
	}
	return __real_js_GetLastMsg(msg, c, s, su, o, code);
}

/* Files. */

static char body[BIG];

/* Bytes that are the same for the same ${seed} only. */
static void fill_body(size_t size, uint64_t seed) {
	uint64_t x = seed * 2 + 1;
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		body[i] = (char)x;
	}
}

static void write_file(const char *path, size_t size) {
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(body, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, size_t size) {
	static char is[BIG + 1];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(is, 1, sizeof(is), f), size);
	fclose(f);
	assert_true(memcmp(is, body, size) == 0);
}

/* No file but those that the test knows. */
static void assert_files(int wanted) {
	int n = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(n, wanted);
}

static uint64_t hash_body(size_t size) {
	uint64_t hash = 0;
	for (size_t at = 0; at < size; at += CHUNK)
		hash = gs_hash_stable(gs_str_make(body + at, size - at < CHUNK ? size - at : CHUNK), hash);
	return hash;
}

/* Buses, streams. */

static void open_bus(void) {
	const char *urls[] = {server.url};
	struct gs_bus_options options = {.urls = urls,
	    .nurls = 1,
	    .name = "test",
	    .stream = {.name = "T", .subjects = "t.push.>", .replicas = 1, .max_msgs_per_subject = 1, .memory = true}};
	assert_int_equal(gs_bus_open(&options, &bus, NULL), GS_OK);
}

static struct gs_shelf *make_shelf(void) {
	struct gs_shelf_options options = {.stream = "SHELF", .subject = "t.snapshot", .replicas = 1};
	struct gs_shelf *made;
	assert_int_equal(gs_shelf_new(bus, &options, &made, &err), GS_OK);
	return made;
}

static void wait_connected(bool connected) {
	for (int i = 0; i < 1500 && gs_bus_connected(bus) != connected; i++)
		sleep_ms(10);
	assert_true(gs_bus_connected(bus) == connected);
}

static void admin_open(void) {
	assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
}

static void admin_close(void) {
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	js = NULL;
	nc = NULL;
}

static uint64_t messages(void) {
	jsStreamInfo *info = NULL;
	assert_int_equal(js_GetStreamInfo(&info, js, "SHELF", NULL, NULL), NATS_OK);
	uint64_t n = info->State.Msgs;
	jsStreamInfo_Destroy(info);
	return n;
}

static void say(const char *subject, const void *data, size_t n) {
	assert_int_equal(js_Publish(NULL, js, subject, data, (int)n, NULL, NULL), NATS_OK);
}

static enum gs_status put(struct gs_shelf *on, uint64_t position, size_t size) {
	fill_body(size, position);
	write_file(from, size);
	return gs_shelf_put(on, position, 1700000000000 + (int64_t)position, from, &err);
}

#define NO_STREAM 98

static size_t list(struct gs_shelf_file *files) {
	size_t n = 99;
	enum gs_status status = gs_shelf_list(shelf, files, &n, &err);
	if (status == GS_ENOTFOUND)
		return n == 0 ? NO_STREAM : n;
	assert_int_equal(status, GS_OK);
	return n;
}

/* Take a file that put() put; it is what was put. */
static void assert_takes(const struct gs_shelf_file *file, uint64_t position, size_t size) {
	assert_int_equal(file->position, position);
	assert_int_equal(file->time_ms, 1700000000000 + (int64_t)position);
	assert_int_equal(file->size, size);
	assert_int_equal(gs_shelf_take(shelf, file, to, &err), GS_OK);
	fill_body(size, position);
	assert_file(to, size);
	assert_int_equal(unlink(to), 0);
}

/* Tests. */

static void test_round_trip(void **state) {
	static const size_t sizes[] = {1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, BIG};
	struct gs_shelf_file files[GS_SHELF_KEPT], before = {0};
	struct stat st;
	(void)state;
	assert_int_equal(list(files), NO_STREAM);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int64_t began = gs_clock_mono_ns();
		assert_int_equal(put(shelf, 1000 + i, sizes[i]), GS_OK);
		int64_t ended = gs_clock_mono_ns();
		assert_int_equal(list(files), i == 0 ? 1 : 2);
		assert_int_equal(files[0].messages, (sizes[i] + CHUNK - 1) / CHUNK);
		assert_true(files[0].hash == hash_body(sizes[i]));
		assert_true(files[0].last - files[0].first == files[0].messages - 1);
		assert_true(i == 0 || files[0].first == before.last + 2); /* the head between them */
		assert_int_equal(strspn(files[0].id, "0123456789abcdef"), 32);
		if (i != 0)
			assert_string_equal(files[1].id, before.id);
		assert_int_equal(messages(), 1 + files[0].messages + before.messages);
		int64_t taking = gs_clock_mono_ns();
		assert_int_equal(gs_shelf_take(shelf, &files[0], to, &err), GS_OK);
		int64_t taken = gs_clock_mono_ns();
		assert_int_equal(stat(to, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_takes(&files[0], 1000 + i, sizes[i]);
		if (i != 0)
			assert_takes(&files[1], 999 + i, sizes[i - 1]);
		assert_files(1);
		before = files[0];
		print_message("%zu bytes: put in %.1f ms (with writing the file), taken in %.1f ms\n", sizes[i],
		    (double)(ended - began) / 1e6, (double)(taken - taking) / 1e6);
	}
}

static void test_the_stream_that_it_makes(void **state) {
	(void)state;
	jsStreamInfo *info = NULL;
	assert_int_equal(put(shelf, 1, 10), GS_OK);
	assert_int_equal(js_GetStreamInfo(&info, js, "SHELF", NULL, NULL), NATS_OK);
	assert_int_equal(info->Config->SubjectsLen, 1);
	assert_string_equal(info->Config->Subjects[0], "t.snapshot.>");
	assert_int_equal(info->Config->MaxMsgsPerSubject, 1);
	assert_int_equal(info->Config->MaxAge, 0);
	assert_int_equal(info->Config->Replicas, 1);
	assert_int_equal(info->Config->Retention, js_LimitsPolicy);
	assert_int_equal(info->Config->Discard, js_DiscardOld);
	assert_int_equal(info->Config->Storage, js_FileStorage);
	jsStreamInfo_Destroy(info);
	assert_int_equal(js_DeleteStream(js, "SHELF", NULL, NULL), NATS_OK);
	struct gs_shelf_options options = {.stream = "SHELF", .subject = "t.snapshot", .replicas = 1, .memory = true};
	struct gs_shelf *in_memory;
	assert_int_equal(gs_shelf_new(bus, &options, &in_memory, &err), GS_OK);
	assert_int_equal(put(in_memory, 1, 10), GS_OK);
	assert_int_equal(js_GetStreamInfo(&info, js, "SHELF", NULL, NULL), NATS_OK);
	assert_int_equal(info->Config->Storage, js_MemoryStorage);
	jsStreamInfo_Destroy(info);
	gs_shelf_free(in_memory);
}

static void make_stream(const char *name, const char *subject, bool deny_purge) {
	const char *subjects[] = {subject};
	jsStreamConfig config;
	jsStreamConfig_Init(&config);
	config.Name = name;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Storage = js_MemoryStorage;
	config.DenyPurge = deny_purge;
	assert_int_equal(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
}

static void test_a_stream_that_takes_something_else(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	make_stream("SHELF", "t.snapshot.*.>", false);
	/* The head has one word too few. */
	assert_int_equal(put(shelf, 1, 10), GS_EAGAIN);
	assert_string_equal(
	    err.text, "cannot write to the stream SHELF: it is gone, or does not take the subject t.snapshot.head");
	assert_int_equal(list(files), 0);
}

/* And with all messages of a subject. */
static void test_a_stream_without_purge(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	make_stream("SHELF", "t.snapshot.>", true);
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(put(shelf, i, 10), GS_OK);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 4, 10);
	assert_takes(&files[1], 3, 10);
	assert_int_equal(messages(), 8);
}

static void test_subjects_of_another_stream(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	make_stream("ALL", "t.snapshot.>", false);
	assert_int_equal(put(shelf, 1, 10), GS_EIO);
	assert_string_equal(err.text, "cannot make the stream SHELF: subjects overlap with an existing stream");
	make_stream("SHELF", "else.>", false);
	assert_int_equal(put(shelf, 1, 10), GS_EIO);
	assert_string_equal(err.text, "cannot write to the stream SHELF: expected stream does not match");
	assert_int_equal(list(files), 0);
}

static void test_two_are_kept(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT], gone;
	(void)state;
	assert_int_equal(put(shelf, 7, 2 * CHUNK), GS_OK);
	assert_int_equal(list(files), 1);
	gone = files[0];
	/* Newer is what came later, whatever its position. */
	assert_int_equal(put(other, 9, CHUNK), GS_OK);
	assert_int_equal(put(shelf, 8, 3 * CHUNK), GS_OK);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 8, 3 * CHUNK);
	assert_takes(&files[1], 9, CHUNK);
	assert_int_equal(messages(), 3 + 1 + 1);
	assert_int_equal(gs_shelf_take(shelf, &gone, to, &err), GS_ENOTFOUND);
	assert_non_null(strstr(err.text, "is not on the stream SHELF any more"));
	assert_files(1);
}

static void stop_shelf(void) {
	gs_shelf_stop(shelf);
}

static void new_shelf(void) {
	gs_shelf_free(shelf);
	shelf = make_shelf();
}

/* One that stops leaves behind what one that is killed does. */
static void test_leftovers_are_purged(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	on_publish = (struct moment){4, stop_shelf};
	assert_int_equal(put(shelf, 1, 10 * CHUNK), GS_ECLOSED);
	assert_int_equal(messages(), 4);
	new_shelf();
	assert_int_equal(list(files), 0);
	assert_int_equal(put(shelf, 2, 2 * CHUNK), GS_OK);
	assert_int_equal(messages(), 3);
	on_publish = (struct moment){4, stop_shelf};
	assert_int_equal(put(shelf, 3, 10 * CHUNK), GS_ECLOSED);
	new_shelf();
	/* They stand behind the older one of those that are kept. */
	assert_int_equal(put(shelf, 4, 2 * CHUNK), GS_OK);
	assert_int_equal(messages(), 2 + 4 + 2 + 1);
	assert_int_equal(put(shelf, 5, 2 * CHUNK), GS_OK);
	assert_int_equal(messages(), 2 + 2 + 1);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 5, 2 * CHUNK);
	assert_takes(&files[1], 4, 2 * CHUNK);
}

/* Damage. */

static void assert_damaged(const struct gs_shelf_file *file, enum gs_status wanted, const char *text) {
	write_file(to, 5);
	assert_int_equal(gs_shelf_take(shelf, file, to, &err), wanted);
	if (strstr(err.text, text) == NULL)
		fail_msg("%s is not in %s", text, err.text);
	assert_file(to, 5);
	assert_files(2);
}

/* Put a message in the place of chunk ${n}. */
static void replace(const struct gs_shelf_file *file, unsigned n, size_t size) {
	char subject[128];
	snprintf(subject, sizeof(subject), "t.snapshot.%s.%06u", file->id, n);
	say(subject, body, size);
}

static void test_damaged_chunks(void **state) {
	static const struct {
		unsigned n;
		size_t size;
	} cases[] = {{0, CHUNK}, {1, CHUNK}, {2, 10}, {2, 11}, {1, 0}, {1, CHUNK + 1}};
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(put(shelf, 100 + i, 2 * CHUNK + 10), GS_OK);
		assert_true(list(files) >= 1);
		replace(&files[0], cases[i].n, cases[i].size);
		assert_damaged(&files[0], GS_EINVAL, "a message is not the one that was put there");
		if (i != 0)
			assert_damaged(&files[1], GS_EINVAL, "damaged");
		assert_int_equal(unlink(to), 0);
	}
	assert_int_equal(put(shelf, 1, 2 * CHUNK + 10), GS_OK);
	assert_int_equal(list(files), 2);
	assert_int_equal(js_DeleteMsg(js, "SHELF", files[0].first + 1, NULL, NULL), NATS_OK);
	assert_damaged(&files[0], GS_ENOTFOUND, "any more");
}

/* The chunks are as they were put, and the head says something else. */
static void test_damaged_head(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT], is;
	(void)state;
	assert_int_equal(put(shelf, 100, 2 * CHUNK + 10), GS_OK);
	assert_int_equal(list(files), 1);
	is = files[0];
	is.hash ^= 1;
	assert_damaged(&is, GS_EINVAL, "it has another hash");
	is = files[0];
	is.size++;
	assert_damaged(&is, GS_EINVAL, "it has another size");
	is.size = files[0].size - 1;
	assert_damaged(&is, GS_EINVAL, "a message is not");
	is = files[0];
	is.messages--;
	assert_damaged(&is, GS_EINVAL, "it has another size");
	is.messages += 2;
	assert_damaged(&is, GS_ENOTFOUND, "any more");
	is = files[0];
	is.first--;
	assert_damaged(&is, GS_EINVAL, "a message is not");
	is = files[0];
	is.last--;
	assert_damaged(&is, GS_EINVAL, "a message is not");
	is.last = files[0].last + 1;
	assert_damaged(&is, GS_EINVAL, "it has another size");
	is = files[0];
	is.id[31] = is.id[31] == '0' ? '1' : '0';
	assert_damaged(&is, GS_ENOTFOUND, "any more");
	assert_int_equal(unlink(to), 0);
	assert_takes(&files[0], 100, 2 * CHUNK + 10);
}

#define ID1 "0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210"
#define SOUND "v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1

static void test_hostile_heads(void **state) {
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
	    {SOUND, 1},
	    {SOUND "\n", 1},
	    {SOUND " new=1 x=\n", 1},
	    {"x=y id=" ID1 " last=9 first=8 messages=2 hash=00000000000000ff size=6 time=5 position=4 v=1", 1},
	    {SOUND "\n" SOUND "\n", 1}, /* the same one */
	    {"\n\n=\nrubbish\n\xff\xfe\n" SOUND "\r\n" SOUND "\n", 1},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID2 "\n" SOUND "\nv=1",
		2},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID2
	     "\nv=2 id=3\n" SOUND,
		2},
	    {"", 0},
	    {"v=2 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=", 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1 "0", 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 "
	     "id=0123456789ABCDEF0123456789abcdef",
		0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 "
	     "id=0123456789abcdef0123456789abcd.>",
		0},
	    {SOUND " v=1", 0},
	    {SOUND " size=6", 0},
	    {SOUND " word", 0},
	    {SOUND "  x=1", 0},
	    {"v=1 position=-4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=99999999999999999999 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1,
		0},
	    {"v=1 position=4 time=-5 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=9223372036854775808 size=6 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1,
		0},
	    {"v=1 position=4 time=5 size=1 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=262145 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=262144 hash=00000000000000ff messages=2 first=8 last=9 id=" ID1, 1},
	    {"v=1 position=4 time=5 size=0 hash=00000000000000ff messages=0 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=ff messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000fg messages=2 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=3 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=4294967298 first=8 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=0 last=9 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=1 first=9 last=8 id=" ID1, 0},
	    {"v=1 position=4 time=5 size=6 hash=00000000000000ff messages=2 first=8 last=10 id=" ID1, 0},
	};
	struct gs_shelf_file files[GS_SHELF_KEPT];
	static char text[64 * 1024];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = gs_shelf_read_head(gs_str_of(cases[i].text), 10, files);
		if (n != cases[i].n)
			fail_msg("%zu files of \"%s\"", n, cases[i].text);
		if (n != 0 && i < 5) {
			assert_int_equal(files[0].position, 4);
			assert_int_equal(files[0].time_ms, 5);
			assert_int_equal(files[0].size, 6);
			assert_int_equal(files[0].hash, 255);
			assert_int_equal(files[0].messages, 2);
			assert_int_equal(files[0].first, 8);
			assert_int_equal(files[0].last, 9);
			assert_string_equal(files[0].id, ID1);
		}
	}
	/* Three that are sound, and what is larger than any head may be. */
	int n = snprintf(text, sizeof(text), "%s\n%.*s2\n%.*s3\n", SOUND, (int)strlen(SOUND) - 1, SOUND,
	    (int)strlen(SOUND) - 1, SOUND);
	assert_int_equal(gs_shelf_read_head(gs_str_make(text, (size_t)n), 10, files), 2);
	assert_int_equal(files[1].id[31], '2');
	memset(text + n, '\n', sizeof(text) - (size_t)n);
	assert_int_equal(gs_shelf_read_head(gs_str_make(text, (size_t)16 * 1024), 10, files), 2);
	assert_int_equal(gs_shelf_read_head(gs_str_make(text, (size_t)16 * 1024 + 1), 10, files), 0);
	/* The largest head that we write has room. */
	files[0] = (struct gs_shelf_file){.position = UINT64_MAX,
	    .time_ms = INT64_MAX,
	    .size = UINT64_MAX,
	    .hash = UINT64_MAX,
	    .messages = UINT32_MAX,
	    .first = UINT64_MAX,
	    .last = UINT64_MAX,
	    .id = ID1};
	files[1] = files[0];
	assert_true(gs_shelf_write_head(files, 2, text) < GS_SHELF_HEAD - 1);
}

static void test_hostile_head_on_the_stream(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	static char rubbish[500000];
	char line[512];
	(void)state;
	assert_int_equal(put(shelf, 1, CHUNK + 1), GS_OK);
	memset(rubbish, 'x', sizeof(rubbish));
	say("t.snapshot.head", rubbish, sizeof(rubbish));
	assert_int_equal(list(files), 0);
	assert_int_equal(put(shelf, 2, CHUNK + 1), GS_OK);
	assert_int_equal(list(files), 1);
	assert_int_equal(messages(), 3);
	/* A file that never was, with sequences that would purge ours. */
	int n = snprintf(line, sizeof(line),
	    "v=1 position=9 time=9 size=9 hash=0000000000000000 messages=1 first=%llu last=%llu id=" ID1 "\n",
	    (unsigned long long)files[0].last + 1, (unsigned long long)files[0].last + 1);
	say("t.snapshot.x", "", 0);
	say("t.snapshot.head", line, (size_t)n);
	assert_int_equal(list(files), 1);
	assert_int_equal(gs_shelf_take(shelf, &files[0], to, &err), GS_ENOTFOUND);
	assert_int_equal(put(shelf, 3, CHUNK + 1), GS_OK);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 3, CHUNK + 1);
	assert_int_equal(gs_shelf_take(shelf, &files[1], to, &err), GS_ENOTFOUND);
	/* And one that keeps all for itself is through after two puts. */
	say("t.snapshot.head", "v=1 position=9 time=9 size=9 hash=0000000000000000 messages=1 first=1 last=1 id=" ID1,
	    112);
	assert_int_equal(list(files), 1);
	assert_int_equal(put(shelf, 4, CHUNK + 1), GS_OK);
	assert_int_equal(put(shelf, 5, CHUNK + 1), GS_OK);
	assert_int_equal(messages(), 5);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 5, CHUNK + 1);
	assert_takes(&files[1], 4, CHUNK + 1);
}

/* What happens meanwhile. */

static void put_other(void) {
	struct gs_error e;
	char path[192];
	snprintf(path, sizeof(path), "%s/other", folder);
	write_file(path, 100);
	assert_int_equal(gs_shelf_put(other, 77, 0, path, &e), GS_OK);
	assert_int_equal(unlink(path), 0);
}

static void test_another_is_faster(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	/* With and without a head that was there, while chunks are put and right before the head is. */
	for (int i = 0; i < 2; i++) {
		on_publish = (struct moment){i == 0 ? 3 : 5, put_other};
		assert_int_equal(put(shelf, 1, 4 * CHUNK), GS_EAGAIN);
		assert_string_equal(
		    err.text, "another program put a file on the stream SHELF meanwhile, and was faster");
		assert_int_equal(list(files), 1 + i);
		assert_int_equal(files[0].position, 77);
		assert_int_equal(messages(), 2 + i); /* its own chunks it has removed */
	}
	assert_int_equal(put(shelf, 2, 4 * CHUNK), GS_OK);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 2, 4 * CHUNK);
	assert_int_equal(files[1].position, 77);
}

static void shorten_file(void) {
	assert_int_equal(truncate(from, 100), 0);
}

static void test_a_file_that_changes(void **state) {
	(void)state;
	assert_int_equal(put(shelf, 1, 10), GS_OK);
	on_publish = (struct moment){2, shorten_file};
	assert_int_equal(put(shelf, 2, 4 * CHUNK), GS_EIO);
	assert_non_null(strstr(err.text, "became shorter while it was read"));
	assert_int_equal(messages(), 2);
}

static void delete_stream(void) {
	assert_int_equal(js_DeleteStream(js, "SHELF", NULL, NULL), NATS_OK);
}

static void make_anew(void) {
	delete_stream();
	make_stream("SHELF", "t.snapshot.>", false);
}

static void test_a_stream_that_goes(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT], gone;
	(void)state;
	on_publish = (struct moment){3, delete_stream};
	assert_int_equal(put(shelf, 1, 4 * CHUNK), GS_EAGAIN);
	assert_non_null(strstr(err.text, "it is gone"));
	assert_int_equal(list(files), NO_STREAM);
	on_publish = (struct moment){3, make_anew};
	assert_int_equal(put(shelf, 2, 4 * CHUNK), GS_EAGAIN);
	assert_string_equal(err.text, "the stream SHELF was made anew meanwhile");
	assert_int_equal(messages(), 0);
	assert_int_equal(put(shelf, 3, 4 * CHUNK), GS_OK);
	assert_int_equal(list(files), 1);
	gone = files[0];
	on_get = (struct moment){3, delete_stream};
	assert_int_equal(gs_shelf_take(shelf, &gone, to, &err), GS_ENOTFOUND);
	assert_files(1);
}

/* What is there is found though the server knows it by its sequence only. */
static void test_a_lost_index(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	assert_int_equal(put(shelf, 1, 3 * CHUNK), GS_OK);
	assert_int_equal(put(shelf, 2, 2 * CHUNK), GS_OK);
	say("t.snapshot.0123456789abcdef0123456789abcdef.000000", "left", 4);
	say("t.snapshot.0123456789abcdef0123456789abcdef.000001", "over", 4);
	blind = true;
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 2, 2 * CHUNK);
	assert_takes(&files[1], 1, 3 * CHUNK);
	assert_int_equal(put(shelf, 3, 10), GS_OK);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 3, 10);
	assert_takes(&files[1], 2, 2 * CHUNK);
	/* And what is not there is not found. */
	jsOptions options;
	jsOptions_Init(&options);
	options.Stream.Purge.Subject = "t.snapshot.head";
	assert_int_equal(js_PurgeStream(js, "SHELF", &options, NULL), NATS_OK);
	assert_int_equal(list(files), 0);
	blind = false;
	assert_int_equal(list(files), 0);
}

static int gets;

static void count_get(void) {
	gets++;
	on_get = (struct moment){1, count_get};
}

/* A nats-server that is just making the stream may die of being asked for what is in it. */
static void test_an_empty_stream_is_not_read(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	gets = 0;
	on_get = (struct moment){1, count_get};
	assert_int_equal(list(files), NO_STREAM);
	make_stream("SHELF", "t.snapshot.>", false);
	assert_int_equal(list(files), 0);
	assert_int_equal(put(shelf, 1, 10), GS_OK);
	assert_int_equal(gets, 0);
	assert_int_equal(list(files), 1);
	assert_int_equal(gets, 1);
}

static void kill_server(void) {
	server_kill(&server, SIGKILL);
}

static void restart(void) {
	admin_close();
	wait_connected(false);
	server_start(&server);
	wait_connected(true);
	admin_open();
}

static void test_server_killed(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	assert_int_equal(put(shelf, 1, 3 * CHUNK), GS_OK);
	/* While chunks are put, and right before the head is. */
	for (int i = 0; i < 2; i++) {
		on_publish = (struct moment){i == 0 ? 3 : 7, kill_server};
		enum gs_status status = put(shelf, 2, 6 * CHUNK);
		assert_string_equal(err.text, "cannot write to the stream SHELF: the connection to NATS was lost");
		assert_int_equal(status, GS_EAGAIN);
		restart();
		assert_int_equal(list(files), 1);
		assert_takes(&files[0], 1, 3 * CHUNK);
	}
	on_get = (struct moment){2, kill_server};
	assert_int_equal(gs_shelf_take(shelf, &files[0], to, &err), GS_EAGAIN);
	assert_string_equal(err.text, "cannot read the stream SHELF: the connection to NATS was lost");
	assert_files(1);
	restart();
	assert_takes(&files[0], 1, 3 * CHUNK);
	assert_int_equal(put(shelf, 3, CHUNK), GS_OK);
	assert_int_equal(put(shelf, 4, CHUNK), GS_OK);
	assert_int_equal(messages(), 3);
	assert_int_equal(list(files), 2);
	assert_takes(&files[0], 4, CHUNK);
	assert_takes(&files[1], 3, CHUNK);
}

static void test_no_connection(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT], file = {.messages = 1, .size = 1, .first = 1, .last = 1, .id = ID1};
	size_t n = 9;
	(void)state;
	admin_close();
	server_kill(&server, SIGTERM);
	wait_connected(false);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(gs_shelf_list(shelf, files, &n, &err), GS_EAGAIN);
		assert_int_equal(n, 0);
		if (strcmp(err.text, "not connected to NATS") == 0)
			break;
		sleep_ms(10);
	}
	assert_string_equal(err.text, "not connected to NATS");
	assert_int_equal(put(shelf, 1, 1), GS_EAGAIN);
	assert_string_equal(err.text, "not connected to NATS");
	assert_int_equal(gs_shelf_take(shelf, &file, to, &err), GS_EAGAIN);
	assert_string_equal(err.text, "not connected to NATS");
	assert_files(1);
	/* Without JetStream; the bus says itself that it is connected only with its stream. */
	server.no_jetstream = true;
	server_start(&server);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(gs_shelf_list(shelf, files, &n, &err), GS_EAGAIN);
		if (strstr(err.text, "not connected") == NULL)
			break;
		sleep_ms(10);
	}
	assert_string_equal(err.text,
	    "cannot read the stream SHELF: JetStream does not answer: it is not enabled for this account, or has no "
	    "leader");
	assert_int_equal(put(shelf, 1, 1), GS_EAGAIN);
	assert_non_null(strstr(err.text, "JetStream does not answer"));
	admin_open(); /* for teardown */
}

static void *stop_main(void *arg) {
	(void)arg;
	sleep_ms(200);
	gs_shelf_stop(shelf);
	return NULL;
}

static void freeze(void) {
	server_freeze(&server);
}

static void test_stop(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT], file;
	pthread_t thread;
	size_t n;
	(void)state;
	assert_int_equal(put(shelf, 1, 3 * CHUNK), GS_OK);
	assert_int_equal(list(files), 1);
	file = files[0];
	on_get = (struct moment){2, stop_shelf};
	assert_int_equal(gs_shelf_take(shelf, &file, to, &err), GS_ECLOSED);
	assert_string_equal(err.text, "the shelf is closing");
	assert_int_equal(gs_shelf_take(shelf, &file, to, &err), GS_ECLOSED);
	assert_int_equal(put(shelf, 2, 3 * CHUNK), GS_ECLOSED);
	assert_int_equal(gs_shelf_list(shelf, files, &n, &err), GS_ECLOSED);
	assert_int_equal(n, 0);
	assert_files(1);
	/* In the middle of a request that is not answered. */
	new_shelf();
	on_publish = (struct moment){2, freeze};
	assert_int_equal(pthread_create(&thread, NULL, stop_main, NULL), 0);
	assert_int_equal(put(shelf, 3, 3 * CHUNK), GS_ECLOSED);
	pthread_join(thread, NULL);
	kill(server.pid, SIGCONT);
	new_shelf();
	wait_connected(true);
	assert_int_equal(list(files), 1);
	assert_takes(&files[0], 1, 3 * CHUNK);
}

static void test_small_payload(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	(void)state;
	admin_close();
	server_kill(&server, SIGTERM);
	wait_connected(false);
	server.extra = "max_payload: 4096";
	server_start(&server);
	wait_connected(true);
	admin_open();
	assert_int_equal(put(shelf, 1, 10000), GS_OK);
	assert_int_equal(list(files), 1);
	assert_int_equal(files[0].messages, 4);
	assert_takes(&files[0], 1, 10000);
	server_kill(&server, SIGTERM);
	server.extra = "max_payload: 2047";
	restart();
	assert_int_equal(put(shelf, 2, 10), GS_EIO);
	assert_string_equal(err.text, "the max_payload of the NATS server is below 2048 bytes");
	assert_int_equal(list(files), 1);
	assert_takes(&files[0], 1, 10000);
}

/* Files and options that are none. */

static void test_files_that_are_refused(void **state) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	char path[300], unfinished[320];
	(void)state;
	assert_int_equal(put(shelf, 1, 0), GS_EINVAL);
	assert_non_null(strstr(err.text, "is empty"));
	assert_int_equal(gs_shelf_put(shelf, 1, -1, from, &err), GS_EINVAL);
	assert_int_equal(gs_shelf_put(shelf, 1, 1, folder, &err), GS_EIO);
	assert_non_null(strstr(err.text, "no regular file"));
	assert_int_equal(unlink(from), 0);
	assert_int_equal(gs_shelf_put(shelf, 1, 1, from, &err), GS_EIO);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(mkfifo(from, 0600), 0);
	assert_int_equal(gs_shelf_put(shelf, 1, 1, from, &err), GS_EIO);
	assert_int_equal(unlink(from), 0);
	assert_int_equal(js_GetStreamInfo(&(jsStreamInfo *){NULL}, js, "SHELF", NULL, NULL), NATS_NOT_FOUND);
	/* A hole is a file like any other: it is too large, and none of it is put. */
	write_file(from, 1);
	assert_int_equal(truncate(from, (off_t)1000000 * (off_t)CHUNK + 1), 0);
	assert_int_equal(gs_shelf_put(shelf, 1, 1, from, &err), GS_ELIMIT);
	assert_non_null(strstr(err.text, "is too large: it has 131072000001 bytes"));
	/* Where nothing can be written. */
	assert_int_equal(put(shelf, 1, 10), GS_OK);
	assert_int_equal(list(files), 1);
	snprintf(path, sizeof(path), "%s/none/x", folder);
	assert_int_equal(gs_shelf_take(shelf, &files[0], path, &err), GS_EIO);
	assert_non_null(strstr(err.text, "No such file"));
	snprintf(path, sizeof(path), "%s/", folder);
	assert_int_equal(gs_shelf_take(shelf, &files[0], path, &err), GS_EIO);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(gs_shelf_take(shelf, &files[0], path, &err), GS_EIO);
	assert_non_null(strstr(err.text, "too long"));
	assert_files(1);
	/* A link that somebody put in the way is not followed; what a killed one left is in no way. */
	snprintf(unfinished, sizeof(unfinished), "%s.new", to);
	assert_int_equal(symlink(from, unfinished), 0);
	assert_int_equal(gs_shelf_take(shelf, &files[0], to, &err), GS_EIO);
	assert_int_equal(unlink(unfinished), 0);
	write_file(unfinished, 1000);
	assert_takes(&files[0], 1, 10);
	assert_files(1);
	/* Here, too. */
	char *here = getcwd(NULL, 0);
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(gs_shelf_take(shelf, &files[0], "to", &err), GS_OK);
	assert_file(to, 10);
	assert_int_equal(chdir(here), 0);
	free(here);
}

static void test_options_that_are_refused(void **state) {
	static const char *const streams[] = {"", "a.b", "a b", "*", ">", "a/b", "a\\b", "a\"b", "a\n"};
	static const char *const subjects[] = {"", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "a\"", "a\\", "a\x7f"};
	static char large[1200];
	struct gs_shelf *s = NULL;
	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct gs_shelf_options options = {.stream = streams[i], .subject = "a"};
		assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_EINVAL);
	}
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct gs_shelf_options options = {.stream = "S", .subject = subjects[i]};
		assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_EINVAL);
	}
	struct gs_shelf_options options = {.stream = "S", .subject = large};
	memset(large, 'x', 960);
	assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_OK);
	gs_shelf_free(s);
	large[960] = 'x';
	assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_EINVAL);
	options = (struct gs_shelf_options){.stream = large, .subject = "a"};
	large[255] = '\0';
	assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_OK);
	gs_shelf_free(s);
	large[255] = 'x';
	large[256] = '\0';
	assert_int_equal(gs_shelf_new(bus, &options, &s, &err), GS_EINVAL);
	gs_shelf_free(NULL);
}

static void test_memory_that_runs_out(void **state) {
	struct gs_shelf_options options = {.stream = "S", .subject = "s"};
	struct gs_shelf_file files[GS_SHELF_KEPT];
	struct gs_shelf *s;
	enum gs_status status;
	int64_t n = 0;
	(void)state;
	for (;; n++) {
		gs_mem_fail_after(n);
		status = gs_shelf_new(bus, &options, &s, &err);
		if (!gs_mem_failed())
			break;
		assert_int_equal(status, GS_ENOMEM);
	}
	gs_mem_fail_after(-1);
	assert_int_equal(status, GS_OK);
	assert_int_equal(n, 4);
	gs_shelf_free(s);
	fill_body(2 * CHUNK, 1);
	write_file(from, 2 * CHUNK);
	for (n = 0;; n++) {
		gs_mem_fail_after(n);
		status = gs_shelf_put(shelf, 1, 1700000000001, from, &err);
		if (!gs_mem_failed())
			break;
		assert_int_equal(status, GS_ENOMEM);
		assert_string_equal(err.text, "out of memory");
	}
	gs_mem_fail_after(-1);
	assert_int_equal(status, GS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(list(files), 1);
	for (n = 0;; n++) {
		gs_mem_fail_after(n);
		status = gs_shelf_take(shelf, &files[0], to, &err);
		if (!gs_mem_failed())
			break;
		assert_int_equal(status, GS_ENOMEM);
		assert_files(1);
	}
	gs_mem_fail_after(-1);
	assert_int_equal(status, GS_OK);
	assert_int_equal(n, 1);
	assert_takes(&files[0], 1, 2 * CHUNK);
}

static int setup(void **state) {
	(void)state;
	on_publish = on_get = (struct moment){0};
	server_init(&server);
	snprintf(folder, sizeof(folder), "%s/files", server.dir);
	snprintf(from, sizeof(from), "%s/from", folder);
	snprintf(to, sizeof(to), "%s/to", folder);
	if (mkdir(folder, 0700) != 0)
		return -1;
	server_start(&server);
	open_bus();
	wait_connected(true);
	shelf = make_shelf();
	other = make_shelf();
	admin_open();
	return 0;
}

static int teardown(void **state) {
	(void)state;
	admin_close();
	gs_shelf_free(shelf);
	gs_shelf_free(other);
	gs_bus_close(bus, 1000);
	server_remove(&server);
	return 0;
}

#define SHELF_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    SHELF_TEST(test_round_trip),
	    SHELF_TEST(test_the_stream_that_it_makes),
	    SHELF_TEST(test_a_stream_that_takes_something_else),
	    SHELF_TEST(test_a_stream_without_purge),
	    SHELF_TEST(test_subjects_of_another_stream),
	    SHELF_TEST(test_two_are_kept),
	    SHELF_TEST(test_leftovers_are_purged),
	    SHELF_TEST(test_damaged_chunks),
	    SHELF_TEST(test_damaged_head),
	    cmocka_unit_test(test_hostile_heads),
	    SHELF_TEST(test_hostile_head_on_the_stream),
	    SHELF_TEST(test_another_is_faster),
	    SHELF_TEST(test_a_file_that_changes),
	    SHELF_TEST(test_a_stream_that_goes),
	    SHELF_TEST(test_a_lost_index),
	    SHELF_TEST(test_an_empty_stream_is_not_read),
	    SHELF_TEST(test_server_killed),
	    SHELF_TEST(test_no_connection),
	    SHELF_TEST(test_stop),
	    SHELF_TEST(test_small_payload),
	    SHELF_TEST(test_files_that_are_refused),
	    SHELF_TEST(test_options_that_are_refused),
	    SHELF_TEST(test_memory_that_runs_out),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (server_program() == NULL)
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_Close();
	return failed;
}
