/* Gives every file of the folders to the target: `make check` without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define BYTES_MAX 65536

static int one(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(BYTES_MAX);

    if (f == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size_t n = fread(data, 1, BYTES_MAX, f);
    fclose(f);
    /* Exactly as large as the file, so that reading beyond it is seen. */
    uint8_t *exact = realloc(data, n > 0 ? n : 1);
    if (exact != NULL)
        LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

static int folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char file[4096];
    int n = 0;

    if (d == NULL) {
        perror(path);
        exit(1);
    }
    while ((e = readdir(d)) != NULL) {
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            n += one(file);
    }
    closedir(d);
    return n;
}

int main(void)
{
    int n = folder(TOP_SRCDIR "/tests/unit/tls/data")
          + folder(TOP_SRCDIR "/tests/fuzz/seeds/" TARGET);

    printf(TARGET ": %d seeds\n", n);
    return n > 0 ? 0 : 1;
}
