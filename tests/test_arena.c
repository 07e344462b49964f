/* test_arena.c: the arena against a model of what it handed out: nothing overlaps, nothing changes, rewinding gives back. */
#include "support_base.h"

#include "base/mem.h"
#include "base/os.h"

static char *format(leat_i_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static char *format(leat_i_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = leat_i_arena_vprintf(a, fmt, args);
    va_end(args);
    return text;
}

static void hands_out_aligned_pieces(void **state)
{
    leat_i_arena a = { 0 };
    (void)state;
    for (size_t size = 0; size < 3000; size += 7) {
        char *p = leat_i_arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xab, size);
    }
    assert_null(leat_i_arena_alloc(&a, SIZE_MAX));
    assert_null(leat_i_arena_alloc(&a, SIZE_MAX / 2 + 1));
    char *copy = leat_i_arena_strndup(&a, "abcdef", 3);
    assert_string_equal(copy, "abc");
    assert_string_equal(leat_i_arena_strndup(&a, NULL, 0), "");
    assert_string_equal(format(&a, "%d and %s", 7, "text"), "7 and text");
    char wide[5000];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    assert_string_equal(format(&a, "%s", wide), wide);
    leat_i_arena_fini(&a);
    assert_string_equal(leat_i_arena_strndup(&a, "again", 5), "again"); /* usable after fini */
    leat_i_arena_fini(&a);
    leat_i_arena_fini(&a);
}

#define PIECES 400

struct piece {
    unsigned char *at;
    size_t size;
    unsigned char fill;
};

static void check_pieces(const struct piece *piece, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct piece *p = &piece[i];
        if (p->size && (p->at[0] != p->fill || memcmp(p->at, p->at + 1, p->size - 1) != 0)) fail_msg("piece %zu changed", i);
    }
}

static size_t random_size(uint64_t *seed)
{
    switch (leat_i_rand_next(seed) % 8) {
    case 0:
        return leat_i_rand_next(seed) % 100000;
    case 1:
    case 2:
        return leat_i_rand_next(seed) % 5000;
    default:
        return leat_i_rand_next(seed) % 200;
    }
}

/* Random pieces, marks and rewinds, nested as visits in walks are. */
static void keeps_pieces_over_marks_and_rewinds(void **state)
{
    static struct piece piece[PIECES];
    (void)state;
    for (uint64_t seed = 1; seed < 8; seed++) {
        uint64_t random = seed;
        leat_i_arena a = { 0 };
        leat_i_arena_mark mark[8];
        size_t mark_count[8], depth = 0, count = 0;
        int64_t live = leat_i_mem_live_count();
        for (int step = 0; step < 2000; step++) {
            unsigned what = (unsigned)(leat_i_rand_next(&random) % 16);
            if (what == 0 && depth < 8) {
                mark[depth] = leat_i_arena_save(&a);
                mark_count[depth++] = count;
            } else if ((what == 1 && depth > 0) || count == PIECES) {
                if (depth == 0) {
                    leat_i_arena_rewind(&a, (leat_i_arena_mark){ 0 });
                    count = 0;
                    continue;
                }
                leat_i_arena_rewind(&a, mark[--depth]);
                count = mark_count[depth];
                check_pieces(piece, count);
            } else {
                size_t size = random_size(&random);
                unsigned char fill = (unsigned char)leat_i_rand_next(&random);
                piece[count] = (struct piece){ leat_i_arena_alloc(&a, size), size, fill };
                assert_non_null(piece[count].at);
                memset(piece[count++].at, fill, size);
            }
        }
        check_pieces(piece, count);
        leat_i_arena_fini(&a);
        assert_int_equal(leat_i_mem_live_count(), live);
    }
}

static void a_mark_tells_whether_anything_came_after(void **state)
{
    leat_i_arena a = { 0 };
    static const size_t sizes[] = { 1, 100, 2000, 100000 };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        leat_i_arena_mark mark = leat_i_arena_save(&a), after;
        assert_non_null(leat_i_arena_alloc(&a, sizes[i]));
        after = leat_i_arena_save(&a);
        assert_true(mark.chunk != after.chunk || mark.at != after.at);
        leat_i_arena_rewind(&a, mark);
        assert_non_null(leat_i_arena_alloc(&a, sizes[i]));
    }
    leat_i_arena_fini(&a);
}

/* A piece larger than a chunk takes its own, and the small ones go on where they were. */
static void large_pieces_waste_no_chunk(void **state)
{
    leat_i_arena a = { 0 };
    (void)state;
    char *small = leat_i_arena_alloc(&a, 16);
    uint64_t before = leat_i_mem_alloc_count();
    for (int i = 0; i < 10; i++) {
        assert_non_null(leat_i_arena_alloc(&a, 40000));
        assert_ptr_equal(leat_i_arena_alloc(&a, 16), small + 16 * (i + 1));
    }
    assert_int_equal(leat_i_mem_alloc_count() - before, 10);
    leat_i_arena_fini(&a);
}

static void a_whole_rewind_keeps_one_chunk_warm(void **state)
{
    leat_i_arena a = { 0 };
    (void)state;
    assert_non_null(leat_i_arena_alloc(&a, 100));
    assert_non_null(leat_i_arena_alloc(&a, 100000));
    leat_i_arena_rewind(&a, (leat_i_arena_mark){ 0 });
    uint64_t before = leat_i_mem_alloc_count();
    for (int i = 0; i < 100; i++) {
        assert_non_null(leat_i_arena_alloc(&a, 400));
        leat_i_arena_rewind(&a, (leat_i_arena_mark){ 0 });
    }
    assert_int_equal(leat_i_mem_alloc_count(), before);
    leat_i_arena_fini(&a);
}

static void a_large_piece_moves_and_a_small_one_does_not(void **state)
{
    leat_i_arena from = { 0 }, to = { 0 };
    int64_t live = leat_i_mem_live_count();
    (void)state;
    char *first = leat_i_arena_alloc(&from, 16); /* the first of its chunk, and not alone in it */
    leat_i_arena_mark mark = leat_i_arena_save(&from);
    char *large[3];
    for (int i = 0; i < 3; i++)
        large[i] = memset(leat_i_arena_alloc(&from, 5000), 'a' + i, 5000);
    char *small = leat_i_arena_alloc(&from, 16);
    assert_false(leat_i_arena_move(&to, &from, first));
    assert_false(leat_i_arena_move(&to, &from, small));
    assert_false(leat_i_arena_move(&to, &from, large[0] + 16));
    assert_true(leat_i_arena_move(&to, &from, large[1]));
    assert_false(leat_i_arena_move(&to, &from, large[1])); /* it is there no more */
    assert_true(leat_i_arena_move(&to, &from, large[2]));
    leat_i_arena_rewind(&from, mark);
    assert_ptr_equal(leat_i_arena_alloc(&from, 16), first + 16);
    leat_i_arena_fini(&from);
    char *after = memset(leat_i_arena_alloc(&to, 100), 'z', 100);
    for (int i = 1; i < 3; i++)
        check_pieces(&(struct piece){ (unsigned char *)large[i], 5000, (unsigned char)('a' + i) }, 1);
    check_pieces(&(struct piece){ (unsigned char *)after, 100, 'z' }, 1);
    leat_i_arena_fini(&to);
    assert_int_equal(leat_i_mem_live_count(), live);
}

static void short_memory_is_told_and_harmless(void **state)
{
    leat_i_arena a = { 0 };
    (void)state;
    char *kept = leat_i_arena_strndup(&a, "kept", 4);
    leat_i_mem_fail_after(1, true);
    assert_null(leat_i_arena_alloc(&a, 100000));
    assert_null(leat_i_arena_alloc(&a, 600));
    assert_non_null(leat_i_arena_alloc(&a, 16)); /* still fits */
    static const char wide[5000];
    assert_null(leat_i_arena_strndup(&a, wide, sizeof wide));
    assert_null(format(&a, "%2000d", 1));
    leat_i_mem_fail_after(0, false);
    assert_string_equal(kept, "kept");
    assert_non_null(leat_i_arena_alloc(&a, 100000));
    leat_i_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_aligned_pieces),
        cmocka_unit_test(keeps_pieces_over_marks_and_rewinds),
        cmocka_unit_test(a_mark_tells_whether_anything_came_after),
        cmocka_unit_test(large_pieces_waste_no_chunk),
        cmocka_unit_test(a_large_piece_moves_and_a_small_one_does_not),
        cmocka_unit_test(a_whole_rewind_keeps_one_chunk_warm),
        cmocka_unit_test(short_memory_is_told_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
