/* SPDX-License-Identifier: Apache-2.0 */
/* gs_rollup_check passes what is in order (all other tests call it), and sees what is not. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../lib/rollup/rollup_internal.h"
#include "rollup_test.h"

static void break_series(struct gs_rollup *r) {
	r->nseries++;
}

static void break_list(struct gs_rollup *r) {
	target_at(r, r->first_target)->last = 0;
}

static void break_index(struct gs_rollup *r) {
	input_at(r, target_at(r, r->first_target)->first)->node.hash++;
}

static void break_refs(struct gs_rollup *r) {
	group_at(r, r->rules[0].first)->refs++;
}

static void break_live(struct gs_rollup *r) {
	group_at(r, r->rules[0].first)->live = 0;
}

static void break_class(struct gs_rollup *r) {
	r->rules[0].class = CLASS_NONE;
}

static void break_bounds(struct gs_rollup *r) {
	group_at(r, r->rules[1].first)->bounds[0].at = 3;
}

static void break_bound_refs(struct gs_rollup *r) {
	group_at(r, r->rules[1].first)->bounds[0].refs++;
}

static void break_parts(struct gs_rollup *r) {
	metric_at(r, target_at(r, r->first_target)->metric)->nparts++;
}

static void break_missed(struct gs_rollup *r) {
	input_at(r, target_at(r, r->first_target)->first)->missed = GS_LIMIT_ROLLUP_MISSED + 1;
}

static void nothing(struct gs_rollup *r) {
	(void)r;
}

/* Whether the check ends a process in which something was broken. */
static bool is_seen(struct gs_rollup *r, void (*breaks)(struct gs_rollup *r)) {
	int status = 0;
	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		breaks(r);
		gs_rollup_check(r);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

static void test_what_is_broken_is_seen(void **state) {
	static void (*const breaks[])(struct gs_rollup *) = {break_series, break_list, break_index, break_refs,
	    break_live, break_class, break_bounds, break_bound_refs, break_parts, break_missed};
	(void)state;
	struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_SUM, .of = "g", .as = "r"}, {.op = GS_ROLLUP_SUM, .of = "h", .as = "q"}};
	struct fixture f = open_rules(rules, 2, 100);
	scrape(&f, 1,
	    "# TYPE g gauge\ng 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} "
	    "1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n");
	assert_false(is_seen(f.rollup, nothing));
	for (size_t i = 0; i < N(breaks); i++)
		assert_true(is_seen(f.rollup, breaks[i]));
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_broken_is_seen)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
