/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest decimals, through gs_num_print_double. */
#include "numbers.h"

/* What Go's strconv.FormatFloat(v, 'g', -1, 64) prints. */
static const struct {
	uint64_t bits;
	const char *text;
} rows[] = {
    {UINT64_C(0x0000000000000001), "5e-324"},
    {UINT64_C(0x0000000000000003), "1.5e-323"},
    {UINT64_C(0x000fffffffffffff), "2.225073858507201e-308"},
    {UINT64_C(0x0010000000000000), "2.2250738585072014e-308"},
    {UINT64_C(0x7fefffffffffffff), "1.7976931348623157e+308"},
    {UINT64_C(0x44b52d02c7e14af6), "1e+23"},
    {UINT64_C(0x44b41df5d77c6d9d), "9.5e+22"},
    {UINT64_C(0x447c7e83209e90b2), "8.41e+21"},
    {UINT64_C(0x3f60624dd2f1a9fc), "0.002"},
    {UINT64_C(0x3f1a36e2eb1c432d), "0.0001"},
    {UINT64_C(0x3ee4f8b588e368f1), "1e-05"},
    {UINT64_C(0x3eef75104d551d69), "1.5e-05"},
    {UINT64_C(0x3f202e4b6ce5dc68), "0.00012345"},
    {UINT64_C(0x3fb999999999999a), "0.1"},
    {UINT64_C(0x3fc999999999999a), "0.2"},
    {UINT64_C(0x3fd3333333333333), "0.3"},
    {UINT64_C(0x3fd3333333333333), "0.3"},
    {UINT64_C(0x3fd5555555555555), "0.3333333333333333"},
    {UINT64_C(0x3fe5555555555555), "0.6666666666666666"},
    {UINT64_C(0x40934a0000000000), "1234.5"},
    {UINT64_C(0x40f869f800000000), "99999.5"},
    {UINT64_C(0x40fe240800000000), "123456.5"},
    {UINT64_C(0x40fe240c00000000), "123456.75"},
    {UINT64_C(0x4132d68780000000), "1.2345675e+06"},
    {UINT64_C(0x412e847fcccccccd), "999999.9"},
    {UINT64_C(0x412e847fffffffff), "999999.9999999999"},
    {UINT64_C(0x412e848100000000), "1.0000005e+06"},
    {UINT64_C(0x432fffffffffffff), "4.5035996273704955e+15"},
    {UINT64_C(0x4340000000000001), "9.007199254740994e+15"},
    {UINT64_C(0x4340000000000002), "9.007199254740996e+15"},
    {UINT64_C(0x4350000000000000), "1.8014398509481984e+16"},
    {UINT64_C(0x4376345785d8a000), "1e+17"},
    {UINT64_C(0x444b1ae4d6e2ef50), "1e+21"},
    {UINT64_C(0x4480f0cf064dd592), "1e+22"},
    {UINT64_C(0x441ac53a7e04bcda), "1.2345678901234568e+20"},
    {UINT64_C(0x39b279dcc65949bf), "9.109383632e-31"},
    {UINT64_C(0x400921fb54442d18), "3.141592653589793"},
    {UINT64_C(0x421950e38fb25ca0), "2.7182818284590454e+10"},
    {UINT64_C(0x41f0000000080000), "4.2949672965e+09"},
    {UINT64_C(0x41d4c9c17ec7df3b), "1.395066363123e+09"},
    {UINT64_C(0x41d5bace0ad00000), "1.45825591525e+09"},
    {UINT64_C(0x40ea15e800000000), "53423.25"},
    {UINT64_C(0x4170bf3998000000), "1.75604735e+07"},
    {UINT64_C(0x0010000000000000), "2.2250738585072014e-308"},
    {UINT64_C(0x0060000000000000), "7.120236347223045e-307"},
    {UINT64_C(0x0400000000000000), "2.0522684006491881e-289"},
    {UINT64_C(0x0420000000000000), "8.209073602596753e-289"},
    {UINT64_C(0x0640000000000000), "1.4103081061443981e-278"},
    {UINT64_C(0x0d30000000000000), "3.6613691745498803e-245"},
    {UINT64_C(0x1f40000000000000), "3.641767935156351e-158"},
    {UINT64_C(0x3090000000000000), "8.843436600416711e-75"},
    {UINT64_C(0x3e80000000000000), "1.1920928955078125e-07"},
    {UINT64_C(0x3fe0000000000000), "0.5"},
    {UINT64_C(0x44c0000000000000), "1.5111572745182865e+23"},
    {UINT64_C(0x5dc0000000000000), "3.9021856878949903e+143"},
    {UINT64_C(0x7fe0000000000000), "8.98846567431158e+307"},
    {UINT64_C(0x5c2864602be7fb85), "8.864558683540502e+135"},
    {UINT64_C(0x538967f931a50490), "2.6497655665930736e+94"},
    {UINT64_C(0x789229e09e31f58d), "6.141262020492268e+272"},
    {UINT64_C(0x625250fa2140d8fd), "4.2190607244187004e+165"},
    {UINT64_C(0x725f4b21eef64b43), "8.346616794364178e+242"},
    {UINT64_C(0x1c0a8a2bfc0914df), "1.3413097162916222e-173"},
    {UINT64_C(0x36bcb1ac1b221c52), "5.026112938494985e-45"},
    {UINT64_C(0x40fbdb5d49c1a3a8), "114101.83050693444"},
    {UINT64_C(0x299c7bb8757d0bdc), "3.0320169175306498e-108"},
    {UINT64_C(0x3bf5be2bb76058f7), "7.366765671197915e-20"},
    {UINT64_C(0x2cd6e5221c473693), "1.0975971568036712e-92"},
    {UINT64_C(0x65d84dceee63c577), "4.033982892397059e+182"},
    {UINT64_C(0x6894a0e55556e68a), "6.0234434119645e+195"},
    {UINT64_C(0x2cb77427fbf2cee9), "2.8109516056074376e-93"},
    {UINT64_C(0x7aed152ee1e4b295), "1.3514542489630637e+284"},
    {UINT64_C(0x3d07c3e1cf0779b1), "1.0553853043689287e-14"},
    {UINT64_C(0x3fede69aa9e387a1), "0.9343999212398907"},
    {UINT64_C(0x5cb4c306a88d6215), "3.863166724272922e+138"},
    {UINT64_C(0x3353c9723d39821d), "1.9239715199270586e-61"},
    {UINT64_C(0x33e15056f875827c), "8.619536827584459e-59"},
    {UINT64_C(0x5b0a0589142cdada), "3.6074682612537657e+130"},
    {UINT64_C(0x7acb4bb74178d306), "3.1710362578862005e+283"},
    {UINT64_C(0x58dddc197a98f8bd), "1.2047714277053974e+120"},
    {UINT64_C(0x71accffabf66e9c8), "3.7523756141424976e+239"},
};

static struct gs_str print(char *out, double v) {
	return gs_str_make(out, gs_num_print_double(out, v));
}

static void test_as_go_prints(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[GS_NUM_DOUBLE_MAX];
		struct gs_str text = print(out, double_of(rows[i].bits));
		if (!gs_str_eq(text, gs_str_of(rows[i].text)))
			fail_msg("%.*s instead of %s", GS_FMT(text), rows[i].text);
	}
}

static size_t count_digits(struct gs_str text) {
	size_t n = 0, zeros = 0;
	for (size_t i = 0; i < text.n && text.p[i] != 'e'; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || (n == 0 && text.p[i] == '0'))
			continue;
		n++;
		zeros = text.p[i] == '0' ? zeros + 1 : 0;
	}
	return n - zeros;
}

/* The text reads back, no text of fewer digits does, and it is the one nearest to v that has as many: libc, asked for that many, either says the
 * same or what does not read back. */
static void check_shortest(double v) {
	char out[GS_NUM_DOUBLE_MAX + 1], other[40];
	struct gs_str text = print(out, v);
	out[text.n] = '\0';
	assert_true(strtod(out, NULL) == v);
	int n = (int)count_digits(text);
	assert_in_range(n, 1, 17);
	if (n > 1) {
		snprintf(other, sizeof(other), "%.*e", n - 2, v);
		if (strtod(other, NULL) == v)
			fail_msg("%s is shorter than %s", other, out);
	}
	snprintf(other, sizeof(other), "%.*e", n - 1, v);
	size_t digits = count_digits(gs_str_of(other));
	if (strtod(other, NULL) == v && digits != (size_t)n)
		fail_msg("%s has not the digits of %s", other, out);
	if (strtod(other, NULL) == v) {
		/* Compare as decimals by reading with more precision than a double has. */
		assert_true(strtold(other, NULL) == strtold(out, NULL));
	}
}

static void test_shortest_of_random(void **state) {
	(void)state;
	for (uint64_t i = rounds(100000); i > 0; i--) {
		uint64_t bits = next_random() & INT64_MAX;
		double v = double_of(i % 8 == 0 ? bits >> (12 + i % 50) : bits); /* some of them subnormal */
		if (isfinite(v) && v != 0)
			check_shortest(v);
	}
}

/* Few bits or few digits: here the ends of the interval are decimals themselves, which the quick way cannot tell. */
static void test_shortest_of_short(void **state) {
	(void)state;
	for (uint64_t i = rounds(100000); i > 0; i--) {
		uint64_t r = next_random();
		check_shortest(ldexp((double)(1 + (r >> (11 + r % 53))), (int)(r / 64 % 160) - 80));
	}
	for (int power = -30; power <= 30; power++) {
		for (int m = 1; m < 1000; m++) {
			char text[24];
			snprintf(text, sizeof(text), "%de%d", m, power);
			check_shortest(strtod(text, NULL));
		}
	}
}

static void test_shortest_of_edges(void **state) {
	(void)state;
	each_edge(check_shortest);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_go_prints),
	    cmocka_unit_test(test_shortest_of_random),
	    cmocka_unit_test(test_shortest_of_short),
	    cmocka_unit_test(test_shortest_of_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
