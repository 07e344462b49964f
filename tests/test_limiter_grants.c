/* test_limiter_grants.c: the table of open grants: ids that never come again, places that never move, memory that runs short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "limit/grants.h"

enum { MANY = 20000 };

static void test_many_are_open_at_once(void **state)
{
    (void)state;
    leat_i_grants g = { 0 };
    uint64_t *id = calloc(MANY, sizeof *id);
    leat_i_grant_place **place = calloc(MANY, sizeof(leat_i_grant_place *));
    assert_true(id && place);
    for (int i = 0; i < MANY; i++) {
        place[i] = leat_i_grants_open(&g, &id[i], &id[i]);
        assert_non_null(place[i]);
        place[i]->taken.number = (uint64_t)i;
    }
    assert_int_equal(g.open_count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(leat_i_grants_find(&g, id[i]), place[i]);
        assert_int_equal(place[i]->taken.number, i);
    }
    for (int i = 0; i < MANY; i += 2)
        assert_ptr_equal(leat_i_grants_close(&g, place[i]), &id[i]);
    for (int i = 0; i < MANY; i++)
        assert_true((leat_i_grants_find(&g, id[i]) != NULL) == (i % 2 == 1));
    for (int i = 0; i < MANY; i += 2) {
        uint64_t again;
        assert_non_null(leat_i_grants_open(&g, NULL, &again));
        assert_null(leat_i_grants_find(&g, id[i])); /* The place may be the same; the id is not. */
        assert_non_null(leat_i_grants_find(&g, again));
    }
    assert_int_equal(g.open_count, MANY);
    leat_i_grants_fini(&g);
    free(place);
    free(id);
}

static void test_ids_that_never_were(void **state)
{
    (void)state;
    leat_i_grants g = { 0 };
    assert_null(leat_i_grants_find(&g, 0));
    assert_null(leat_i_grants_find(&g, UINT64_MAX));
    assert_null(leat_i_grants_find(&g, UINT64_C(1) << 32 | 1));
    uint64_t id;
    assert_non_null(leat_i_grants_open(&g, NULL, &id));
    assert_null(leat_i_grants_find(&g, id + (UINT64_C(1) << 32)));
    assert_null(leat_i_grants_find(&g, id + 1));
    assert_null(leat_i_grants_find(&g, id & UINT64_C(0xffffffff)));
    leat_i_grants_fini(&g);
}

static void test_short_of_memory_keeps_what_is_open(void **state)
{
    (void)state;
    leat_i_grants g = { 0 };
    uint64_t id[LEAT_I_GRANTS_BLOCK_FIRST], more = 7;
    for (int i = 0; i < LEAT_I_GRANTS_BLOCK_FIRST; i++)
        assert_non_null(leat_i_grants_open(&g, NULL, &id[i]));
    leat_i_mem_fail_after(1, true);
    assert_null(leat_i_grants_open(&g, NULL, &more));
    leat_i_mem_fail_after(0, false);
    assert_int_equal(g.open_count, LEAT_I_GRANTS_BLOCK_FIRST);
    for (int i = 0; i < LEAT_I_GRANTS_BLOCK_FIRST; i++)
        assert_non_null(leat_i_grants_find(&g, id[i]));
    assert_non_null(leat_i_grants_open(&g, NULL, &more));
    leat_i_grants_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_are_open_at_once),
        cmocka_unit_test(test_ids_that_never_were),
        cmocka_unit_test(test_short_of_memory_keeps_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
