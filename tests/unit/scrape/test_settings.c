/* SPDX-License-Identifier: Apache-2.0 */
/* What a target's HTTP settings do, against real TLS and a proxy (tests/lib/https_server.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector.h"
#include "settings.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

extern char **environ;

static char dir[] = "/tmp/gravel-https-XXXXXX";
static char ca[64], other_ca[64], alice[64], alice_key[64], bob[64], bob_key[64], missing[64], token[64];
static unsigned ports[4]; /* any certificate, one needed, TLS 1.2, proxy */
static pid_t pid;
static int in;

static void name_file(char *out, const char *name) {
	snprintf(out, 64, "%s/%s", dir, name);
}

static int start_server(void **state) {
	(void)state;
	int to[2], from[2];
	char script[] = HTTPS_SERVER, python[] = "/usr/bin/python3", line[64] = "";
	char *argv[] = {python, script, dir, NULL};
	posix_spawn_file_actions_t actions;
	if (mkdtemp(dir) == NULL || pipe(to) != 0 || pipe(from) != 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	posix_spawn_file_actions_addclose(&actions, to[1]);
	if (posix_spawn(&pid, python, &actions, NULL, argv, environ) != 0)
		return -1;
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	for (size_t n = 0; n + 1 < sizeof(line) && read(from[0], line + n, 1) == 1 && line[n] != '\n'; n++)
		;
	close(from[0]);
	in = to[1];
	char *at = line;
	for (size_t i = 0; i < 4; i++)
		ports[i] = (unsigned)strtoul(at, &at, 10);
	name_file(ca, "ca.pem");
	name_file(other_ca, "other_ca.pem");
	name_file(alice, "alice.pem");
	name_file(alice_key, "alice.key");
	name_file(bob, "bob.pem");
	name_file(bob_key, "bob.key");
	name_file(missing, "missing");
	name_file(token, "token");
	return ports[3] != 0 ? 0 : -1;
}

static int stop_server(void **state) {
	(void)state;
	close(in);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	char command[96];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static size_t add(struct collector *c, const char *url, const struct gs_config_http *http) {
	snprintf(c->urls[c->n], sizeof(c->urls[0]), "%s", url);
	struct gs_scrape_target target = {
	    .job = "https",
	    .instance = c->urls[c->n],
	    .url = c->urls[c->n],
	    .http = http,
	    .interval_ms = 60,
	    .timeout_ms = 5000,
	    .user = &c->outcomes[c->n],
	};
	assert_int_equal(gs_scraper_add(c->scraper, &target), GS_OK);
	return c->n++;
}

/* Port ${port} of the server, as https unless ${scheme} says otherwise. */
static size_t add_path(
    struct collector *c, const char *scheme, int port, const char *path, const struct gs_config_http *http) {
	char url[64];
	snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, ports[port], path);
	return add(c, url, http);
}

#define BASE .follow_redirects = true, .server_name = "target.test", .ca_file = ca

struct expected {
	int port;
	const char *path;
	struct gs_config_http http;
	enum gs_scrape_cause cause;
	const char *text; /* in the body where it is OK */
};

static struct gs_config_header headers[] = {{.name = "X-A", .value = "value of a"}, {.name = "X-Empty", .value = ""}};
static struct gs_config_header secret_header[] = {{.name = "X-A", .secret = {.value = "hidden"}}};

static const struct expected cases[] = {
    {0, "/who", {BASE}, GS_SCRAPE_OK, "cn=\"\",sni=\"target.test\""},
    {0, "/who", {BASE, .cert_file = alice, .key_file = alice_key}, GS_SCRAPE_OK, "cn=\"alice\""},
    {1, "/who", {BASE, .cert_file = bob, .key_file = bob_key}, GS_SCRAPE_OK, "cn=\"bob\""},
    {1, "/who", {BASE}, GS_SCRAPE_EMPTY, "before it answered"}, /* Python closes without the alert of TLS 1.3 */
    {0, "/who", {BASE, .cert_file = missing, .key_file = missing}, GS_SCRAPE_TLS, "missing"},
    /* Where no connection with that certificate is open: libcurl does not compare keys. */
    {1, "/who", {BASE, .cert_file = alice, .key_file = bob_key}, GS_SCRAPE_TLS, "127.0.0.1:"},
    {0, "/who", {.ca_file = other_ca, .server_name = "target.test"}, GS_SCRAPE_TLS, "certificate"},
    {0, "/who", {.ca_file = missing, .server_name = "target.test"}, GS_SCRAPE_TLS, "missing"},
    {0, "/who", {.server_name = "target.test"}, GS_SCRAPE_TLS, "certificate"}, /* the system's do not know it */
    {0, "/who", {.ca_file = ca}, GS_SCRAPE_TLS, "127.0.0.1"}, /* it is no certificate of that name */
    {0, "/who", {.ca_file = ca, .server_name = "other.test"}, GS_SCRAPE_TLS, "other.test"},
    {0, "/who", {.insecure_skip_verify = true}, GS_SCRAPE_OK, "cn=\"\",sni=\"\""},
    {2, "/who", {BASE}, GS_SCRAPE_OK, "version=\"TLSv1.2\""},
    {2, "/who", {BASE, .min_version = GS_TLS_12}, GS_SCRAPE_OK, "version=\"TLSv1.2\""},
    {2, "/who", {BASE, .min_version = GS_TLS_13}, GS_SCRAPE_TLS, "127.0.0.1:"},
    {0, "/who", {BASE, .min_version = GS_TLS_13}, GS_SCRAPE_OK, "version=\"TLSv1.3\""},
    {0, "/who", {BASE, .basic_auth = true, .username = "me", .password = {.value = "p:w"}}, GS_SCRAPE_OK,
	"authorization=\"Basic bWU6cDp3\""},
    {0, "/who", {BASE, .basic_auth = true, .username = "me"}, GS_SCRAPE_OK, "authorization=\"Basic bWU6\""},
    {0, "/who", {BASE, .authorization = true, .credentials = {.value = "abc"}}, GS_SCRAPE_OK,
	"authorization=\"Bearer abc\""},
    {0, "/who", {BASE, .authorization = true, .authorization_type = "Token", .credentials = {.file = token}},
	GS_SCRAPE_OK, "authorization=\"Token from a file\""},
    {0, "/who", {BASE, .authorization = true, .credentials = {.file = missing}}, GS_SCRAPE_SECRET,
	"cannot read credentials_file \""},
    {0, "/who", {BASE, .headers = headers, .nheaders = 2}, GS_SCRAPE_OK, "x_a=\"value of a\",x_empty=\"yes\""},
    {0, "/who", {BASE, .headers = secret_header, .nheaders = 1}, GS_SCRAPE_OK, "x_a=\"hidden\""},
    {0, "/redirect", {BASE}, GS_SCRAPE_OK, "host=\"127.0.0.1:"},
    {0, "/redirect", {BASE, .headers = secret_header, .nheaders = 1}, GS_SCRAPE_OK, "x_a=\"hidden\""},
    {0, "/redirect", {.server_name = "target.test", .ca_file = ca}, GS_SCRAPE_STATUS, "status 302, not 200"},
    {0, "/away", {.insecure_skip_verify = true, .follow_redirects = true, .basic_auth = true, .username = "me"},
	GS_SCRAPE_OK, "authorization=\"\""},
    {0, "/away",
	{.insecure_skip_verify = true,
	    .follow_redirects = true,
	    .authorization = true,
	    .credentials = {.value = "abc"}},
	GS_SCRAPE_OK, "authorization=\"\""},
    {0, "/away", {.insecure_skip_verify = true, .follow_redirects = true, .headers = secret_header, .nheaders = 1},
	GS_SCRAPE_REDIRECTS, "must not see the secrets"},
};

static void check(const struct expected *e, const struct outcome *o, size_t i) {
	const char *text = o->cause == GS_SCRAPE_OK ? o->body : o->text;
	if (o->cause != e->cause || strstr(text, e->text) == NULL)
		fail_msg("case %zu: %s: %s", i, gs_scrape_cause_name(o->cause), text);
	assert_null(strstr(o->text, "hidden"));
}

/* All at once and several times, so that handles and connections meet other settings than they had before. */
static void test_each_setting(void **state) {
	(void)state;
	FILE *f = fopen(token, "w");
	fputs("from a file\n", f);
	fclose(f);
	struct collector *c = collector_new(0);
	for (size_t i = 0; i < N(cases); i++)
		add_path(c, "https", cases[i].port, cases[i].path, &cases[i].http);
	collector_start(c);
	for (unsigned round = 1; round <= 4; round++) {
		collector_wait(c, 3 * round, 20000);
		pthread_mutex_lock(&c->mutex);
		for (size_t i = 0; i < N(cases); i++)
			check(&cases[i], &c->outcomes[i], i);
		pthread_mutex_unlock(&c->mutex);
	}
	gs_scraper_stop(c->scraper, 1000);
	collector_free(c);
}

static void test_a_secret_that_changes(void **state) {
	(void)state;
	struct gs_config_http http = {BASE, .authorization = true, .credentials = {.file = token}};
	struct collector *c = collector_new(0);
	FILE *f = fopen(token, "w");
	fputs("first", f);
	fclose(f);
	size_t target = add_path(c, "https", 0, "/who", &http);
	collector_start(c);
	collector_wait(c, 1, 5000);
	assert_non_null(strstr(collector_get(c, target).body, "\"Bearer first\""));
	f = fopen(token, "w");
	fputs("the second", f);
	fclose(f);
	collector_wait(c, collector_get(c, target).results + 2, 5000);
	assert_non_null(strstr(collector_get(c, target).body, "\"Bearer the second\""));
	unlink(token);
	collector_wait(c, collector_get(c, target).results + 2, 5000);
	struct outcome o = collector_get(c, target);
	assert_int_equal(o.cause, GS_SCRAPE_SECRET);
	assert_non_null(strstr(o.text, "No such file"));
	assert_null(strstr(o.text, "second"));
	gs_scraper_stop(c->scraper, 1000);
	collector_free(c);
}

/* "connection=\"N\"" of a body. */
static long connection_of(const struct outcome *o) {
	const char *at = strstr(o->body, "connection=\"");
	assert_non_null(at);
	return strtol(at + 12, NULL, 10);
}

/* Targets of one server: those of the same settings share a connection as they come free, those of other certificates never. */
static void test_connections_are_not_shared_by_other_certificates(void **state) {
	(void)state;
	static const struct gs_config_http ways[] = {{BASE}, {BASE, .cert_file = alice, .key_file = alice_key},
	    {BASE, .cert_file = bob, .key_file = bob_key}, {BASE, .min_version = GS_TLS_13},
	    {.ca_file = ca, .server_name = "target.test", .insecure_skip_verify = true}};
	static const char *const names[] = {"cn=\"\"", "cn=\"alice\"", "cn=\"bob\"", "cn=\"\"", "cn=\"\""};
	enum { SAME = 3 };
	struct collector *c = collector_new(0);
	long seen[N(ways)][64] = {{0}};
	size_t nseen[N(ways)] = {0};
	for (size_t i = 0; i < N(ways) * SAME; i++)
		add_path(c, "https", 0, "/who", &ways[i / SAME]);
	collector_start(c);
	for (unsigned round = 1; round <= 20; round++) {
		collector_wait(c, round, 20000);
		pthread_mutex_lock(&c->mutex);
		for (size_t i = 0; i < N(ways) * SAME; i++) {
			const struct outcome *o = &c->outcomes[i];
			size_t way = i / SAME, k = 0;
			assert_int_equal(o->cause, GS_SCRAPE_OK);
			assert_non_null(strstr(o->body, names[way]));
			while (k < nseen[way] && seen[way][k] != connection_of(o))
				k++;
			if (k == nseen[way])
				seen[way][nseen[way]++] = connection_of(o);
			assert_true(nseen[way] < 64);
		}
		pthread_mutex_unlock(&c->mutex);
	}
	gs_scraper_stop(c->scraper, 1000);
	for (size_t a = 0; a < N(ways); a++) {
		assert_in_range(nseen[a], 1, SAME); /* connections are kept */
		for (size_t b = 0; b < a; b++) {
			for (size_t k = 0; k < nseen[a] * nseen[b]; k++)
				assert_int_not_equal(seen[a][k % nseen[a]], seen[b][k / nseen[a]]);
		}
	}
	collector_free(c);
}

static void test_proxies(void **state) {
	(void)state;
	char good[96], wrong[96], nobody[] = "http://poller:p%40ss@127.0.0.1:1", bad[] = "http://poller:p@ss@[nonsense";
	snprintf(good, sizeof(good), "http://poller:p%%40ss%%20word@127.0.0.1:%u", ports[3]);
	snprintf(wrong, sizeof(wrong), "http://poller:p%%40sswrong@127.0.0.1:%u/", ports[3]);
	/* The environment has no say. */
	setenv("http_proxy", nobody, 1);
	setenv("no_proxy", "*", 1);
	struct gs_config_http https[] = {
	    {.proxy_url = good},
	    {BASE, .proxy_url = good, .cert_file = alice, .key_file = alice_key},
	    {.proxy_url = wrong},
	    {.insecure_skip_verify = true, .proxy_url = wrong},
	    {.insecure_skip_verify = true, .proxy_url = nobody},
	    {.insecure_skip_verify = true, .proxy_url = bad},
	};
	static const struct {
		enum gs_scrape_cause cause;
		const char *text;
	} expected[] = {
	    {GS_SCRAPE_OK, "connection=\"-1\""},
	    {GS_SCRAPE_OK, "cn=\"alice\",sni=\"target.test\""},
	    {GS_SCRAPE_STATUS, "407"},
	    {GS_SCRAPE_PROXY, "status 407"},
	    {GS_SCRAPE_CONNECT, "refused"},
	    {GS_SCRAPE_PROXY, "proxy_url"},
	};
	struct collector *c = collector_new(0);
	for (size_t i = 0; i < N(https); i++)
		add_path(c, i == 0 || i == 2 ? "http" : "https", 0, "/who", &https[i]);
	collector_start(c);
	collector_wait(c, 3, 10000);
	gs_scraper_stop(c->scraper, 1000);
	unsetenv("http_proxy");
	unsetenv("no_proxy");
	for (size_t i = 0; i < N(https); i++) {
		struct expected e = {.cause = expected[i].cause, .text = expected[i].text};
		check(&e, &c->outcomes[i], i);
		assert_null(strstr(c->outcomes[i].text, "ss"));
	}
	collector_free(c);
}

static void test_compression_can_be_off(void **state) {
	(void)state;
	struct gs_config_http http = {BASE};
	struct collector *c = collector_new(0);
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/who", ports[0]);
	struct gs_scrape_target target = {.job = "j",
	    .instance = "i",
	    .url = url,
	    .http = &http,
	    .interval_ms = 50,
	    .timeout_ms = 5000,
	    .identity = true,
	    .user = &c->outcomes[0]};
	assert_int_equal(gs_scraper_add(c->scraper, &target), GS_OK);
	c->n = 1;
	size_t other = add(c, url, &http);
	collector_start(c);
	collector_wait(c, 2, 10000);
	gs_scraper_stop(c->scraper, 1000);
	assert_non_null(strstr(c->outcomes[0].body, "encoding=\"identity\""));
	assert_non_null(strstr(c->outcomes[other].body, "encoding=\"gzip, zstd\""));
	collector_free(c);
}

static void test_server_names_that_are_none(void **state) {
	(void)state;
	static const char *const bad[] = {"", "a b", "a/b", "a:1", "a@b", "a\r\nb"};
	for (size_t i = 0; i < N(bad); i++) {
		struct gs_config_http http = {.server_name = bad[i]};
		struct gs_settings *settings = NULL;
		assert_int_equal(gs_settings_new(&http, &settings), GS_EINVAL);
	}
}

static void test_routes(void **state) {
	(void)state;
	static const struct {
		const char *from, *url, *host, *to;
	} routes[] = {
	    {"https://10.0.0.1:9100/m?a=b", "https://n.test:9100/m?a=b", "Host: 10.0.0.1:9100",
		"n.test:9100:10.0.0.1:9100"},
	    {"https://10.0.0.1/m", "https://n.test/m", "Host: 10.0.0.1", "n.test:443:10.0.0.1:443"},
	    {"https://[::1]:9/", "https://n.test:9/", "Host: [::1]:9", "n.test:9:[::1]:9"},
	    {"https://[::1]", "https://n.test", "Host: [::1]", "n.test:443:[::1]:443"},
	    {"https://u:p@h:1?q", "https://u:p@n.test:1?q", "Host: h:1", "n.test:1:h:1"},
	    {"https://h:/m", "https://n.test/m", "Host: h", "n.test:443:h:443"},
	    {"http://h/", NULL, NULL, NULL},
	    {"https://n.test:5/", NULL, NULL, NULL},
	};
	struct gs_config_http http = {.server_name = "n.test"};
	struct gs_settings *settings = NULL;
	struct gs_route route;
	assert_int_equal(gs_settings_new(&http, &settings), GS_OK);
	for (size_t i = 0; i < N(routes); i++) {
		assert_int_equal(gs_route_init(&route, settings, routes[i].from), GS_OK);
		if (routes[i].url == NULL) {
			assert_null(route.url);
			continue;
		}
		assert_string_equal(route.url, routes[i].url);
		assert_string_equal(route.host_line, routes[i].host);
		assert_string_equal(route.host.data, routes[i].host);
		assert_string_equal(route.connect_to->data, routes[i].to);
		gs_route_free(&route);
		assert_null(route.url);
	}
	gs_settings_free(settings);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_config_http http = {BASE, .proxy_url = "http://u:p@h:1/", .authorization = true,
	    .credentials = {.value = "x"}, .headers = secret_header, .nheaders = 1};
	for (int n = 0;; n++) {
		struct gs_settings *settings = NULL;
		struct gs_route route = {0};
		struct curl_slist *list = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_settings_new(&http, &settings);
		if (status == GS_OK)
			status = gs_settings_refresh(settings, NULL);
		if (status == GS_OK)
			status = gs_settings_headers(settings, &list);
		if (status == GS_OK)
			status = gs_route_init(&route, settings, "https://h:1/");
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_route_free(&route);
		gs_settings_free(settings);
		curl_slist_free_all(list);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed) {
			assert_true(n > 8);
			return;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_setting),
	    cmocka_unit_test(test_a_secret_that_changes),
	    cmocka_unit_test(test_connections_are_not_shared_by_other_certificates),
	    cmocka_unit_test(test_proxies),
	    cmocka_unit_test(test_compression_can_be_off),
	    cmocka_unit_test(test_server_names_that_are_none),
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
