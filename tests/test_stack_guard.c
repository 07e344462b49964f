/*
 * test_stack_guard.c: what guards very many stacks: by the lightweight guards of newer kernels, by mprotect within its budget, by
 * canaries at last. Each step down is told once. LEAT_LONG=1 makes it 100,000 stacks.
 */
#include "support_sched.h"

#include "sched/runtime.h"

#include <errno.h>

/* ---- many tasks that wait at once ---- */

struct crowd {
    uint32_t size;
    LEAT_ATOMIC(uint32_t) parked;
};

static leat_err parks(leat_task *t, void *arg, const void **result)
{
    struct crowd *c = arg;
    (void)result;
    leat_add_relaxed(&c->parked, 1);
    leat_err err;
    while ((err = leat_i_park(t, LEAT_I_NEVER_NS)) == LEAT_OK) {
        /* Woken without cause: by the late cancel of a task that had this stack before. */
    }
    return err;
}

static leat_err parks_a_crowd(leat_task *t, void *arg, const void **result)
{
    struct crowd *c = arg;
    (void)result;
    for (uint32_t i = 0; i < c->size; i++)
        if (!leat_i_task_start(t, parks, c, NULL)) return LEAT_NOMEM;
    while (leat_load_relaxed(&c->parked) < c->size)
        LEAT_TRY(leat_sleep_ms(t, 1));
    return LEAT_OK; /* Its end cancels and joins them. */
}

/* ---- what there is at the end ---- */

static uint32_t stacks_with[3];   /* by leat_i_guard */
static uint32_t guards_that_hold; /* asked of the kernel, or of the bytes */

static void counts_guard(leat_i_waiter *s)
{
    stacks_with[s->guard]++;
    if (s->guard == LEAT_I_GUARD_CANARY ? leat_i_stack_canary_holds(s) : leat_i_os_guard_holds(s->low - 64))
        guards_that_hold++;
}

struct told {
    int warnings, of_mprotect, of_canaries;
    char debug[256];
};

static void hears(void *arg, leat_log_level level, const char *text)
{
    struct told *told = arg;
    if (level == LEAT_LOG_DEBUG) snprintf(told->debug, sizeof told->debug, "%s", text);
    if (level != LEAT_LOG_WARNING) return;
    told->warnings++;
    told->of_mprotect += strstr(text, "guarded by mprotect") != NULL;
    told->of_canaries += strstr(text, "canary") != NULL;
}

static struct told run_crowd(uint32_t size)
{
    struct told told = { 0 };
    struct crowd crowd = { .size = size };
    leat_runtime *rt;
    leat_runtime_opts opts = { .worker_count = 2, .log = hears, .log_arg = &told };
    assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
    assert_int_equal(leat_task_run(rt, parks_a_crowd, &crowd, NULL), LEAT_OK);
    memset(stacks_with, 0, sizeof stacks_with);
    guards_that_hold = 0;
    leat_i_stack_pool_each(&rt->stacks, counts_guard);
    leat_runtime_free(rt);
    assert_true(stacks_with[0] + stacks_with[1] + stacks_with[2] >= size);
    assert_int_equal(guards_that_hold, stacks_with[0] + stacks_with[1] + stacks_with[2]);
    return told;
}

static uint32_t many(void)
{
    return getenv("LEAT_LONG") ? 100000 : ROUNDS(20000);
}

static bool kernel_has_light_guards(void)
{
    size_t page = leat_i_os_page_bytes();
    void *p = leat_i_os_reserve(page);
    assert_non_null(p);
    bool has = leat_i_os_guard_install(p, page) == 0 && leat_i_os_guard_holds(p);
    leat_i_os_release(p, page);
    return has;
}

/* ---- the steps ---- */

static LEAT_ATOMIC(int) light_left, mprotect_left;
static int mprotect_max; /* < 0 = the kernel decides */

static int few_guards(const char *call)
{
    if (strcmp(call, "guard") == 0) return leat_sub_relaxed(&light_left, 1) > 0 ? 0 : -EINVAL;
    if (strcmp(call, "mprotect") == 0 && mprotect_max >= 0) return leat_sub_relaxed(&mprotect_left, 1) > 0 ? 0 : -ENOMEM;
    if (strcmp(call, "open") == 0) return -ENOENT; /* max_map_count cannot be read: the usual one is taken */
    return 0;
}

static void allow(int light, int mprotect)
{
    leat_store_relaxed(&light_left, light);
    leat_store_relaxed(&mprotect_left, mprotect);
    mprotect_max = mprotect;
    leat_i_os_fault = few_guards;
}

static void every_stack_of_a_great_many_is_guarded(void **state)
{
    (void)state;
    if (!kernel_has_light_guards()) skip();
    struct told told = run_crowd(many());
    assert_true(stacks_with[LEAT_I_GUARD_LIGHT] >= many());
    assert_int_equal(stacks_with[LEAT_I_GUARD_MPROTECT] + stacks_with[LEAT_I_GUARD_CANARY], 0);
    assert_int_equal(told.warnings, 0);
    assert_non_null(strstr(told.debug, "guarded by lightweight guards"));
}

static int one_guard_a_call(const char *call)
{
    return strcmp(call, "process_madvise") == 0 ? -EPERM : 0;
}

static void where_many_guards_take_many_calls_each_stack_is_guarded(void **state)
{
    (void)state;
    if (!kernel_has_light_guards()) skip();
    leat_i_os_fault = one_guard_a_call;
    struct told told = run_crowd(ROUNDS(3000));
    leat_i_os_fault = NULL;
    assert_int_equal(stacks_with[LEAT_I_GUARD_MPROTECT] + stacks_with[LEAT_I_GUARD_CANARY], 0);
    assert_int_equal(told.warnings, 0);
}

static void on_an_older_kernel_mprotect_guards(void **state)
{
    (void)state;
    allow(0, -1);
    struct told told = run_crowd(ROUNDS(3000));
    leat_i_os_fault = NULL;
    assert_int_equal(stacks_with[LEAT_I_GUARD_LIGHT] + stacks_with[LEAT_I_GUARD_CANARY], 0);
    assert_int_equal(told.warnings, 0); /* It is so from the start, and the log says so. */
    assert_non_null(strstr(told.debug, "guarded by mprotect"));
}

static void guards_that_run_out_are_told_once_for_each_step(void **state)
{
    (void)state;
    if (!kernel_has_light_guards()) skip();
    allow(201, 100); /* one to try it */
    struct told told = run_crowd(1000);
    leat_i_os_fault = NULL;
    assert_int_equal(stacks_with[LEAT_I_GUARD_LIGHT], 200);
    assert_int_equal(stacks_with[LEAT_I_GUARD_MPROTECT], 100);
    assert_int_equal(told.warnings, 2);
    assert_int_equal(told.of_mprotect, 1);
    assert_int_equal(told.of_canaries, 1);
}

/* 65,530 mappings for the process, a quarter of them for guards, two for each. */
static void mprotect_leaves_mappings_to_the_program(void **state)
{
    (void)state;
    const uint32_t budget = 65530 / 4 / 2;
    if (LEAT_ASAN || LEAT_TSAN || emulator()) skip(); /* too many stacks for them */
    allow(0, -1);
    struct told told = run_crowd(budget + 500);
    leat_i_os_fault = NULL;
    assert_int_equal(stacks_with[LEAT_I_GUARD_MPROTECT], budget);
    assert_int_equal(told.warnings, 1);
    assert_int_equal(told.of_canaries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stack_of_a_great_many_is_guarded),
        cmocka_unit_test(where_many_guards_take_many_calls_each_stack_is_guarded),
        cmocka_unit_test(on_an_older_kernel_mprotect_guards),
        cmocka_unit_test(guards_that_run_out_are_told_once_for_each_step),
        cmocka_unit_test(mprotect_leaves_mappings_to_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
