/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys.h"

static void check_key(const struct gs_config_section *section, const struct gs_config_key *key) {
	size_t help = key->help != NULL ? strlen(key->help) : 0;
	bool sentence = key->type != GS_KEY_REFUSED; /* else a clause, which the message ends with */
	if (help < 5 || (key->help[help - 1] == '.') != sentence || strchr(key->help, '|') != NULL)
		fail_msg("%s: %s has no sentence of help", section->title, key->name);
	if (key->type == GS_KEY_INT || key->type == GS_KEY_DURATION || key->type == GS_KEY_SIZE) {
		bool inherits = key->number == GS_KEYS_INHERIT;
		if (key->min > key->max || (!inherits && (key->number < key->min || key->number > key->max)))
			fail_msg("%s: default of %s is out of its range", section->title, key->name);
	}
	if (key->type == GS_KEY_STRING) {
		if (key->max <= 0 ||
		    (key->text != NULL && key->check != NULL && key->check(gs_str_of(key->text)) != NULL))
			fail_msg("%s: default of %s is not allowed", section->title, key->name);
	}
	bool nests = key->type == GS_KEY_SECTION || key->type == GS_KEY_ITEMS || key->type == GS_KEY_JOBS ||
		     key->type == GS_KEY_HEADERS;
	bool chooses = key->type == GS_KEY_CHOICE || (key->type == GS_KEY_BOOL && key->choices != NULL);
	if (nests != (key->section != NULL) || chooses != (key->choices != NULL))
		fail_msg("%s: %s lacks what its type needs", section->title, key->name);
	if (key->one_of >= GS_KEY_GROUPS || (key->type == GS_KEY_ITEMS && key->section->size == 0) ||
	    (key->type == GS_KEY_LABELS && key->check == NULL))
		fail_msg("%s: %s cannot be loaded", section->title, key->name);
	if (key->needs != NULL)
		assert_non_null(gs_keys_find(section, gs_str_of(key->needs)));
}

static void check_section(const struct gs_config_section *section) {
	for (size_t i = 0; i < section->nkeys; i++) {
		const struct gs_config_key *key = &section->keys[i];
		check_key(section, key);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(key->name, section->keys[j].name);
		assert_ptr_equal(gs_keys_find(section, gs_str_of(key->name)), key);
		if (key->section != NULL)
			check_section(key->section);
	}
}

static void test_table(void **state) {
	(void)state;
	check_section(&gs_keys_top);
	assert_ptr_equal(gs_keys_find(&gs_keys_top, GS_STR("jobs"))->section, &gs_keys_job);
	assert_ptr_equal(gs_keys_find(&gs_keys_top, GS_STR("scrape_configs"))->section, &gs_keys_scrape_config);
	/* The one has the name as a key, the other is the name of the key and has targets of ours. */
	assert_null(gs_keys_find(&gs_keys_job, GS_STR("job_name")));
	assert_null(gs_keys_find(&gs_keys_scrape_config, GS_STR("targets")));
	assert_ptr_equal(gs_keys_find(&gs_keys_job, GS_STR("targets"))->section, &gs_keys_target);
	for (size_t i = 1; i < gs_keys_scrape_config.nkeys; i++)
		assert_ptr_equal(&gs_keys_scrape_config.keys[i], &gs_keys_job.keys[i - 1]);
	assert_null(gs_keys_find(&gs_keys_top, GS_STR("")));
	assert_null(gs_keys_find(&gs_keys_top, GS_STR("identit")));
}

static void test_suggest(void **state) {
	static const struct {
		const char *typo;
		const char *meant; /* NULL: nothing is near */
	} cases[] = {
	    {"scrap_interval", "scrape_interval"},
	    {"scrape-timeout", "scrape_timeout"},
	    {"idnetity", "identity"},
	    {"Jobs", "jobs"},
	    {"job", "jobs"},
	    {"reciever_stream", "receiver_stream"},
	    {"pollerstream", "poller_stream"},
	    {"log_file", "logfile"},
	    {"tsl", "tls"},
	    {"colour", NULL},
	    {"", NULL},
	    {"x", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct gs_config_key *key = gs_keys_suggest(&gs_keys_top, gs_str_of(cases[i].typo));
		const char *got = key != NULL ? key->name : "(nothing)",
			   *want = cases[i].meant != NULL ? cases[i].meant : "(nothing)";
		assert_string_equal(got, want);
	}
}

static void test_elsewhere(void **state) {
	char path[64];
	(void)state;
	assert_true(gs_keys_elsewhere(GS_STR("listen"), path, sizeof(path)));
	assert_string_equal(path, "receiver.listen");
	assert_true(gs_keys_elsewhere(GS_STR("push_body"), path, sizeof(path)));
	assert_string_equal(path, "receiver.limits.push_body");
	assert_true(gs_keys_elsewhere(GS_STR("targets"), path, sizeof(path)));
	assert_string_equal(path, "jobs.<name>.targets");
	assert_true(gs_keys_elsewhere(GS_STR("labels"), path, sizeof(path)));
	assert_string_equal(path, "jobs.<name>.static_configs[].labels");
	assert_true(gs_keys_elsewhere(GS_STR("password"), path, sizeof(path)));
	assert_string_equal(path, "jobs.<name>.basic_auth.password");
	assert_true(gs_keys_elsewhere(GS_STR("job_name"), path, sizeof(path)));
	assert_string_equal(path, "scrape_configs[].job_name");
	assert_false(
	    gs_keys_elsewhere(GS_STR("ssl_dir"), path, sizeof(path))); /* has no effect: no one is sent there */
	assert_false(gs_keys_elsewhere(GS_STR("no_such"), path, sizeof(path)));
}

static void test_defaults(void **state) {
	struct gs_config config;
	(void)state;
	memset(&config, 0, sizeof(config));
	gs_keys_defaults(&gs_keys_top, &config);
	assert_int_equal(config.scrape_interval, 15000);
	assert_int_equal(config.scrape_timeout, 10000);
	assert_int_equal(config.max_age, 80000);
	assert_int_equal(config.scrape_body_limit, 128 << 20);
	assert_int_equal(config.monitor_port, 4279);
	assert_null(config.identity);
	assert_null(config.logfile);
	assert_string_equal(config.receiver.listen, "localhost:4278");
	assert_true(config.receiver.publisher_label);
	assert_int_equal(config.receiver.expiration, 0);
	assert_int_equal(config.receiver.limits.push_body, 64 << 20);
	assert_int_equal(config.receiver.limits.pushes_in_flight, 1024);
	assert_false(config.poller_stream.present);
	assert_string_equal(config.poller_stream.topic, "prometheus");
	assert_int_equal(config.poller_stream.retention, 600000);
	assert_int_equal(config.poller_stream.replicas, 1);
	assert_int_equal(config.poller_stream.storage, GS_STORAGE_FILE);
	assert_int_equal(config.poller_stream.buffer, 64 << 20);
	assert_string_equal(config.poller_stream.push_stream, "");
	assert_int_equal(config.poller_stream.push_retention, 7200000);
	assert_string_equal(config.receiver_stream.push_stream, "");
	assert_int_equal(config.receiver_stream.push_retention, 7200000);
	assert_string_equal(config.receiver_stream.stream, "");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_suggest),
	    cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_defaults)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
