/* SPDX-License-Identifier: Apache-2.0 */
/* Run a fuzz target over every file of the folders given: the corpus as an ordinary test, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return 0;
	static uint8_t data[4 * 1024 * 1024];
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* An exact copy on the heap, so that a sanitizer sees a read behind the end. */
	uint8_t *copy = malloc(n != 0 ? n : 1);
	if (copy == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 1;
}

static int replay_folder(const char *folder) {
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return 0;
	int count = 0;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		char path[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		count += replay_file(path);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv) {
	int count = 0;
	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
