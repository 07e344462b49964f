/* arena.c: bump allocation that lives as long as a visit; see mem.h. */
#include "mem.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define ARENA_CHUNK_FIRST_BYTES ((size_t)512)
#define ARENA_CHUNK_MAX_BYTES   ((size_t)64 * 1024)
#define ARENA_ALIGN             ((size_t)16)

struct leat_i_chunk {
    struct leat_i_chunk *older;
    size_t size; /* bytes of the whole block */
    char data[];
};

_Static_assert(sizeof(struct leat_i_chunk) % 16 == 0, "arena data must stay aligned to 16");

static char *chunk_end(struct leat_i_chunk *chunk)
{
    return (char *)chunk + chunk->size;
}

/* Ordinary chunks double; a piece that would waste much of one gets a block of just its size. */
static size_t chunk_size_next(const leat_i_arena *a, size_t size)
{
    size_t next = a->chunk ? a->chunk->size * 2 : ARENA_CHUNK_FIRST_BYTES;
    if (next > ARENA_CHUNK_MAX_BYTES) next = ARENA_CHUNK_MAX_BYTES;
    if (size + sizeof(struct leat_i_chunk) > next) next = size + sizeof(struct leat_i_chunk);
    return next;
}

static bool arena_grow(leat_i_arena *a, size_t size)
{
    size_t bytes = chunk_size_next(a, size);
    struct leat_i_chunk *chunk = leat_i_alloc(bytes);
    if (!chunk) return false;
    chunk->older = a->chunk;
    chunk->size = bytes;
    a->chunk = chunk;
    a->at = chunk->data;
    a->end = chunk_end(chunk);
    return true;
}

void *leat_i_arena_alloc(leat_i_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (size == 0) size = ARENA_ALIGN;
    if (LEAT_UNLIKELY(!a->chunk || (size_t)(a->end - a->at) < size)) {
        if (!arena_grow(a, size)) return NULL;
    }
    void *p = a->at;
    a->at += size;
    return p;
}

char *leat_i_arena_strndup(leat_i_arena *a, const char *s, size_t n)
{
    char *copy = leat_i_arena_alloc(a, n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *leat_i_arena_vprintf(leat_i_arena *a, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) return NULL;
    char *text = leat_i_arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, args);
    return text;
}

leat_i_arena_mark leat_i_arena_save(const leat_i_arena *a)
{
    return (leat_i_arena_mark){ a->chunk, a->at };
}

void leat_i_arena_rewind(leat_i_arena *a, leat_i_arena_mark mark)
{
    if (LEAT_LIKELY(a->chunk == mark.chunk)) {
        a->at = mark.at;
        return;
    }
    struct leat_i_chunk *keep = NULL;
    while (a->chunk != mark.chunk) {
        struct leat_i_chunk *chunk = a->chunk;
        a->chunk = chunk->older;
        /* From an empty arena the oldest chunk stays warm: the next visit needs one of that size again. */
        if (!mark.chunk && !a->chunk && chunk->size <= ARENA_CHUNK_MAX_BYTES)
            keep = chunk;
        else
            leat_i_free(chunk);
    }
    if (keep) a->chunk = keep;
    a->at = keep ? keep->data : mark.at;
    a->end = a->chunk ? chunk_end(a->chunk) : NULL;
}

void leat_i_arena_fini(leat_i_arena *a)
{
    while (a->chunk) {
        struct leat_i_chunk *chunk = a->chunk;
        a->chunk = chunk->older;
        leat_i_free(chunk);
    }
    a->at = a->end = NULL;
}
