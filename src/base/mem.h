/*
 * mem.h: the only door to the heap, and the arena that lives as long as a visit.
 *
 * All of leat's own allocations go through leat_i_alloc and leat_i_free, so that a test can make the n-th one fail
 * (leat_i_mem_fail_after) and count what was not given back.
 */
#ifndef LEAT_I_MEM_H
#define LEAT_I_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL when memory is short; never for size 0 (which gives 1 byte). Not zeroed. */
void *leat_i_alloc(size_t size);
void *leat_i_alloc_zeroed(size_t size);
/* As realloc: on NULL the old block stays. */
void *leat_i_realloc(void *p, size_t size);
void *leat_i_alloc_aligned(size_t alignment, size_t size);
void leat_i_free(void *p);
char *leat_i_strdup(const char *s);                /* NULL for NULL */
char *leat_i_text_out(const char *s, size_t size); /* a copy for the user, who gives it to free(): not counted */

/* Tests: the n-th allocation from now fails (1 = the next), once or from then on; n = 0 switches it off. Any thread. */
void leat_i_mem_fail_after(uint64_t n, bool persistent);
uint64_t leat_i_mem_alloc_count(void); /* allocations since the start */
int64_t leat_i_mem_live_count(void);   /* blocks not yet freed; exact in builds with LEAT_CHECKS, else 0 */

/*
 * Arena: bump allocation in chunks that double from 512 B to 64 KiB; everything goes at once. One owner at a time, no lock.
 * Zeroed memory is a valid empty arena. Large pieces (over 1 KiB and a quarter of the next chunk) get a chunk of their own, and
 * the chunk that was in use goes on serving the small ones.
 */
typedef struct leat_i_arena {
    struct leat_i_chunk *chunk; /* newest first; each holds the next older */
    char *at, *end;             /* free part of the newest chunk that serves small pieces */
    size_t next_bytes;          /* size of the next such chunk; 0 = the first */
} leat_i_arena;

typedef struct leat_i_arena_mark {
    struct leat_i_chunk *chunk;
    char *at;
} leat_i_arena_mark; /* something was allocated since: one of the two differs in the arena */

void *leat_i_arena_alloc(leat_i_arena *a, size_t size); /* aligned to 16, not zeroed; NULL when memory is short */
char *leat_i_arena_strndup(leat_i_arena *a, const char *s, size_t n); /* NUL-ended copy of n bytes */
char *leat_i_arena_vprintf(leat_i_arena *a, const char *fmt, va_list args);
leat_i_arena_mark leat_i_arena_save(const leat_i_arena *a);
/* Frees what came after the mark (a zeroed mark: everything, and one small chunk stays warm for the next user). */
void leat_i_arena_rewind(leat_i_arena *a, leat_i_arena_mark mark);
void leat_i_arena_fini(leat_i_arena *a); /* leaves it empty and usable */
/* Moves a piece that has a chunk of its own from one arena to the other, without a copy; no mark of `from` that still counts may be
 * younger than the piece. False = it shares its chunk, or is not in `from`: nothing happened. */
bool leat_i_arena_move(leat_i_arena *to, leat_i_arena *from, const void *piece);

#endif
