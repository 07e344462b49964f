/* test_mem.c: the heap door: sizes, the failure that tests order, and the count of what was not given back. */
#include "support_base.h"

#include "base/mem.h"
#include "base/os.h"

static void gives_memory(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    void *empty = leat_i_alloc(0);
    assert_non_null(empty);
    unsigned char *zeroed = leat_i_alloc_zeroed(1000);
    assert_non_null(zeroed);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(zeroed[i], 0);
    char *aligned = leat_i_alloc_aligned(4096, 10);
    assert_non_null(aligned);
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    char *s = leat_i_strdup("text");
    assert_string_equal(s, "text");
    assert_null(leat_i_strdup(NULL));
    s = leat_i_realloc(s, 100000);
    assert_string_equal(s, "text");
    char *fresh = leat_i_realloc(NULL, 10);
    assert_non_null(fresh);
    assert_int_equal(leat_i_mem_live_count() - live, 5);
    leat_i_free(empty);
    leat_i_free(zeroed);
    leat_i_free(aligned);
    leat_i_free(s);
    leat_i_free(fresh);
    leat_i_free(NULL);
    assert_int_equal(leat_i_mem_live_count(), live);
}

static void fails_when_told(void **state)
{
    (void)state;
    char *kept = leat_i_alloc(8);
    assert_non_null(kept);
    memcpy(kept, "kept", 5);
    leat_i_mem_fail_after(3, false);
    void *one = leat_i_alloc(1), *two = leat_i_alloc(1);
    assert_non_null(one);
    assert_non_null(two);
    assert_null(leat_i_realloc(kept, 1000)); /* the third */
    assert_string_equal(kept, "kept");
    void *four = leat_i_alloc(1);
    assert_non_null(four);

    leat_i_mem_fail_after(1, true);
    assert_null(leat_i_alloc(1));
    assert_null(leat_i_alloc_zeroed(1));
    assert_null(leat_i_alloc_aligned(64, 1));
    assert_null(leat_i_strdup("x"));
    assert_null(leat_i_realloc(NULL, 1));
    leat_i_mem_fail_after(0, false);
    void *five = leat_i_alloc(1);
    assert_non_null(five);
    leat_i_free(one);
    leat_i_free(two);
    leat_i_free(four);
    leat_i_free(five);
    leat_i_free(kept);
}

static void counts_allocations(void **state)
{
    (void)state;
    uint64_t before = leat_i_mem_alloc_count();
    void *p = leat_i_alloc(1);
    p = leat_i_realloc(p, 2);
    leat_i_free(p);
    assert_int_equal(leat_i_mem_alloc_count() - before, 2);
}

#define THREAD_COUNT 4

static void *hammer(void *arg)
{
    uint64_t *failed = arg;
    for (int i = 0; i < 20000; i++) {
        void *p = leat_i_alloc(16);
        if (!p) ++*failed;
        leat_i_free(p);
    }
    return NULL;
}

/* Ordered once, an allocation fails once, whichever thread makes it. */
static void one_failure_among_threads(void **state)
{
    pthread_t thread[THREAD_COUNT];
    uint64_t failed[THREAD_COUNT] = { 0 }, sum = 0;
    int64_t live = leat_i_mem_live_count();
    (void)state;
    leat_i_mem_fail_after(1000, false);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(leat_i_os_thread_start(&thread[i], "hammer", hammer, &failed[i]), 0);
    for (int i = 0; i < THREAD_COUNT; i++) {
        pthread_join(thread[i], NULL);
        sum += failed[i];
    }
    leat_i_mem_fail_after(0, false);
    assert_int_equal(sum, 1);
    assert_int_equal(leat_i_mem_live_count(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_memory),
        cmocka_unit_test(fails_when_told),
        cmocka_unit_test(counts_allocations),
        cmocka_unit_test(one_failure_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
