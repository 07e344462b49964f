/*
 * replay.c: runs a fuzz target on its seeds, whole, cut short at every byte, and with bytes changed from a fixed seed.
 *
 *   fuzz_json FOLDER
 */
#include "fuzz.h"

#include <dirent.h>

#include "base/os.h"

#define CHANGES 200

static void run_one(const uint8_t *data, size_t size)
{
    /* A block of exactly its size, so that AddressSanitizer sees one byte read too far. */
    uint8_t *copy = malloc(size ? size : 1);
    HOLDS(copy);
    memcpy(copy, data, size);
    HOLDS(LLVMFuzzerTestOneInput(copy, size) == 0);
    free(copy);
}

static void run_changed(uint8_t *data, size_t size)
{
    uint64_t seed = size;
    for (int i = 0; size && i < CHANGES; i++) {
        size_t at = leat_i_rand_next(&seed) % size;
        uint8_t was = data[at];
        data[at] = (uint8_t)leat_i_rand_next(&seed);
        run_one(data, size);
        if (i % 4) data[at] = was; /* every fourth change stays */
    }
}

static void run_file(const char *path)
{
    static uint8_t data[1 << 16];
    FILE *f = fopen(path, "r");
    HOLDS(f);
    size_t size = fread(data, 1, sizeof data, f);
    HOLDS(fclose(f) == 0 && size < sizeof data);
    for (size_t n = 0; n <= size; n++)
        run_one(data, n);
    run_changed(data, size);
}

int main(int argc, char **argv)
{
    if (argc != 2) return fprintf(stderr, "usage: %s FOLDER\n", argv[0]), 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) return perror(argv[1]), 2;
    int count = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        run_file(path);
        count++;
    }
    closedir(dir);
    printf("%d seeds\n", count);
    return count > 0 ? 0 : 1;
}
