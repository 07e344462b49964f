/* arena.c: bump allocation that lives as long as a visit; see mem.h. */
#include "mem.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define ARENA_CHUNK_FIRST_BYTES ((size_t)512)
#define ARENA_CHUNK_MAX_BYTES   ((size_t)64 * 1024)
#define ARENA_LARGE_MIN_BYTES   ((size_t)1024)
#define ARENA_ALIGN             ((size_t)16)
#define ARENA_LARGE             ((size_t)1)

struct leat_i_chunk {
    struct leat_i_chunk *older;
    size_t size; /* bytes of the whole block, a multiple of 16; + ARENA_LARGE: it holds one piece alone */
    char data[];
};

_Static_assert(sizeof(struct leat_i_chunk) % 16 == 0, "arena data must stay aligned to 16");

static struct leat_i_chunk *arena_push_chunk(leat_i_arena *a, size_t bytes)
{
    struct leat_i_chunk *chunk = leat_i_alloc(bytes);
    if (!chunk) return NULL;
    chunk->older = a->chunk;
    chunk->size = bytes;
    a->chunk = chunk;
    return chunk;
}

/* The free part is too small for `size` bytes: a chunk for this piece alone, or the next one for many. */
__attribute__((noinline)) static void *arena_alloc_slow(leat_i_arena *a, size_t size)
{
    size_t next = a->next_bytes ? a->next_bytes : ARENA_CHUNK_FIRST_BYTES;
    if (size > ARENA_LARGE_MIN_BYTES && size > next / 4) {
        struct leat_i_chunk *large = arena_push_chunk(a, sizeof(struct leat_i_chunk) + size);
        if (!large) return NULL;
        large->size |= ARENA_LARGE;
        return large->data;
    }
    while (next < size + sizeof(struct leat_i_chunk))
        next *= 2;
    struct leat_i_chunk *chunk = arena_push_chunk(a, next);
    if (!chunk) return NULL;
    a->at = chunk->data + size;
    a->end = (char *)chunk + next;
    a->next_bytes = next < ARENA_CHUNK_MAX_BYTES ? next * 2 : next;
    return chunk->data;
}

void *leat_i_arena_alloc(leat_i_arena *a, size_t size)
{
    if (LEAT_UNLIKELY(size > SIZE_MAX / 2)) return NULL;
    size = size ? (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1) : ARENA_ALIGN;
    if (LEAT_UNLIKELY((size_t)(a->end - a->at) < size)) return arena_alloc_slow(a, size);
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

/* Frees the newest chunks down to `last`, but the very first one when it is small: whoever comes next begins with such a one. */
static struct leat_i_chunk *arena_drop(leat_i_arena *a, const struct leat_i_chunk *last)
{
    while (a->chunk != last) {
        struct leat_i_chunk *chunk = a->chunk;
        a->chunk = chunk->older;
        if (!a->chunk && chunk->size <= ARENA_CHUNK_FIRST_BYTES) return chunk;
        leat_i_free(chunk);
    }
    return NULL;
}

void leat_i_arena_rewind(leat_i_arena *a, leat_i_arena_mark mark)
{
    if (LEAT_LIKELY(a->chunk == mark.chunk)) { /* no chunk was added, so the end is the same */
        a->at = mark.at;
        return;
    }
    struct leat_i_chunk *first = arena_drop(a, mark.chunk);
    if (!mark.at) { /* no small piece had been taken */
        a->chunk = first ? first : a->chunk;
        a->at = first ? first->data : NULL;
        a->end = first ? (char *)first + first->size : NULL;
        a->next_bytes = first ? ARENA_CHUNK_FIRST_BYTES * 2 : 0;
        return;
    }
    /* The chunk that served small pieces then: the newest one left, or one below large pieces. */
    struct leat_i_chunk *chunk = a->chunk;
    while (mark.at < chunk->data || mark.at > (char *)chunk + chunk->size)
        chunk = chunk->older;
    a->at = mark.at;
    a->end = (char *)chunk + chunk->size;
}

bool leat_i_arena_move(leat_i_arena *to, leat_i_arena *from, const void *piece)
{
    struct leat_i_chunk **link = &from->chunk, *chunk;
    while ((chunk = *link) && (const void *)chunk->data != piece)
        link = &chunk->older;
    /* A chunk of small pieces may begin with this one: then it is still in use, or was. */
    if (!chunk || !(chunk->size & ARENA_LARGE)) return false;
    *link = chunk->older;
    chunk->older = to->chunk;
    to->chunk = chunk;
    return true;
}

void leat_i_arena_fini(leat_i_arena *a)
{
    while (a->chunk) {
        struct leat_i_chunk *chunk = a->chunk;
        a->chunk = chunk->older;
        leat_i_free(chunk);
    }
    *a = (leat_i_arena){ 0 };
}
