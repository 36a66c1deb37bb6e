/* SPDX-License-Identifier: Apache-2.0 */
/* Print docs/METRICS.md or docs/CONFIG.md: `gravel-reference metrics > docs/METRICS.md`. */
#include <stdio.h>

#include "gravel/config/config.h"
#include "gravel/telemetry/telemetry.h"

int main(int argc, char **argv) {
	struct gs_buf out;
	gs_buf_init(&out, 1024 * 1024);
	if (argc == 2 && strcmp(argv[1], "metrics") == 0) {
		gs_telemetry_reference(&out);
	} else if (argc == 2 && strcmp(argv[1], "config") == 0) {
		gs_config_reference(&out);
	} else {
		fprintf(stderr, "usage: gravel-reference metrics|config\n");
		return 2;
	}
	bool ok = out.status == GS_OK && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
	gs_buf_free(&out);
	return ok ? 0 : 1;
}
