/*
 * fuzz.h: what the fuzz targets share.
 *
 * A target is LLVMFuzzerTestOneInput: it hands any bytes to one reader of what strangers send, and checks what must hold for all
 * of them. Built with clang and -DLEAT_FUZZ=ON libFuzzer drives it (scripts/fuzz); in every other build replay.c runs it on its
 * seeds, as a test.
 */
#ifndef LEAT_FUZZ_H
#define LEAT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS(cond)                                                                   \
    do {                                                                              \
        if (!(cond)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input: targets cut it into parts. */
typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t size;
} fuzz_bytes;

static inline uint8_t fuzz_byte(fuzz_bytes *in)
{
    if (in->size == 0) return 0;
    in->size--;
    return *in->at++;
}

/* A NUL-ended copy of what stands before the next NUL (of everything, if there is none), in a block of exactly its size. */
static inline char *fuzz_text(fuzz_bytes *in)
{
    const uint8_t *end = in->size ? memchr(in->at, 0, in->size) : NULL;
    size_t size = end ? (size_t)(end - in->at) : in->size;
    char *text = malloc(size + 1);
    HOLDS(text);
    if (size) memcpy(text, in->at, size);
    text[size] = 0;
    size_t taken = end ? size + 1 : size;
    in->at += taken;
    in->size -= taken;
    return text;
}

/* The rest, in a block of exactly its size: one byte read too far is seen. */
static inline char *fuzz_rest(const fuzz_bytes *in)
{
    char *copy = malloc(in->size ? in->size : 1);
    HOLDS(copy);
    if (in->size) memcpy(copy, in->at, in->size);
    return copy;
}

#endif
