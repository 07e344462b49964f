/* test_fork.c: what is forked runs exactly once and is joined, whoever ran it; a join that waits leaves its worker to others. */
#include "support_sched.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

/* ---- both tiers on the same tree ---- */

LEAT_FORK_1(long, fib, int, n)
{
    if (n < 2) return n;
    LEAT_SPAWN(fib, n - 1);
    long b = LEAT_CALL(fib, n - 2);
    return b + LEAT_SYNC(fib);
}

/* C does not say which side comes first; both orders are right. */
LEAT_FORK_1(long, fib_in_one, int, n)
{
    if (n < 2) return n;
    LEAT_SPAWN(fib_in_one, n - 1);
    return LEAT_CALL(fib_in_one, n - 2) + LEAT_SYNC(fib_in_one);
}

static long fib_serial(int n)
{
    return n < 2 ? n : fib_serial(n - 1) + fib_serial(n - 2);
}

struct fib_arg {
    int n;
    long result;
};

static void fib_opaque(leat_fork *f, void *arg)
{
    struct fib_arg *a = arg, x = { a->n - 1, 0 }, y = { a->n - 2, 0 };
    if (a->n < 2) {
        a->result = a->n;
        return;
    }
    leat_fork_spawn(f, fib_opaque, &x);
    fib_opaque(f, &y);
    leat_fork_sync(f);
    a->result = x.result + y.result;
}

static leat_err fib_body(leat_task *t, void *arg, const void **result)
{
    struct fib_arg *a = arg, o = { a->n, 0 };
    (void)result;
    LEAT_TRY(fib_run(t, &a->result, a->n));
    LEAT_TRY(leat_fork_run(t, fib_opaque, &o));
    CHECK(o.result == a->result);
    LEAT_TRY(fib_in_one_run(t, &o.result, a->n));
    CHECK(o.result == a->result);
    return LEAT_OK;
}

static void a_tree_of_forks_gives_its_sum(void **state)
{
    (void)state;
    int n = LEAT_ASAN || LEAT_TSAN ? 16 : 22;
    long expected = fib_serial(n);
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, workers == 2);
        for (int round = 0; round < ROUNDS(30); round++) {
            struct fib_arg a = { n, 0 };
            assert_int_equal(leat_task_run(rt, fib_body, &a, NULL), LEAT_OK);
            assert_int_equal(a.result, expected);
        }
        leat_runtime_free(rt);
    }
}

/* ---- trees that are not balanced, with leaves that last, so that much is stolen and joins wait ---- */

struct tree {
    uint64_t seed;
    LEAT_ATOMIC(uint64_t) ran, sum;
};

static uint64_t node_hash(uint64_t id)
{
    id ^= id >> 33;
    id *= UINT64_C(0xff51afd7ed558ccd);
    return id ^ id >> 29;
}

static void leaf_lasts(uint64_t hash)
{
    if (hash % 8) return;
    int64_t until_ns = leat_i_os_now_ns() + (int64_t)(hash >> 8) % 30000;
    while (leat_i_os_now_ns() < until_ns)
        leat_i_os_relax();
}

LEAT_FORK_VOID_3(grow, struct tree *, tree, uint64_t, id, int, depth)
{
    uint64_t hash = node_hash(tree->seed + id);
    int kids = depth == 0 ? 0 : (int)(hash % 5);
    for (int i = 0; i < kids; i++) {
        LEAT_SPAWN(grow, tree, id * 7 + (uint64_t)i + 1, depth - 1);
        if (hash >> 20 & 1 && i % 2) LEAT_CALL(grow, tree, id * 13 + 5, depth - 1);
    }
    leat_add_relaxed(&tree->ran, 1);
    leat_add_relaxed(&tree->sum, hash);
    leaf_lasts(hash);
    for (int i = 0; i < kids; i++)
        LEAT_SYNC(grow);
}

static void grow_serial(struct tree *tree, uint64_t id, int depth)
{
    uint64_t hash = node_hash(tree->seed + id);
    int kids = depth == 0 ? 0 : (int)(hash % 5);
    for (int i = 0; i < kids; i++) {
        grow_serial(tree, id * 7 + (uint64_t)i + 1, depth - 1);
        if (hash >> 20 & 1 && i % 2) grow_serial(tree, id * 13 + 5, depth - 1);
    }
    leat_add_relaxed(&tree->ran, 1);
    leat_add_relaxed(&tree->sum, hash);
}

static leat_err grows(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return grow_run(t, arg, 1, 6);
}

static void each_node_of_a_wild_tree_runs_once(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        for (uint64_t seed = 1; seed <= (uint64_t)ROUNDS(40); seed++) {
            struct tree tree[3] = { { .seed = seed * 1000 }, { .seed = seed * 1000 + 1 }, { .seed = seed * 1000 + 2 } };
            leat_handle *h[3];
            /* Three regions at once: they meet on the same workers while joins are parked. */
            for (int i = 0; i < 3; i++)
                assert_int_equal(leat_task_submit(rt, grows, &tree[i], &h[i]), LEAT_OK);
            for (int i = 0; i < 3; i++) {
                struct tree expected = { .seed = tree[i].seed };
                assert_int_equal(leat_handle_wait(h[i], -1, NULL, NULL), LEAT_OK);
                leat_handle_free(h[i]);
                grow_serial(&expected, 1, 6);
                assert_int_equal(leat_load_relaxed(&tree[i].ran), leat_load_relaxed(&expected.ran));
                assert_int_equal(leat_load_relaxed(&tree[i].sum), leat_load_relaxed(&expected.sum));
            }
        }
        leat_runtime_free(rt);
    }
}

/* ---- more forks than there are slots ---- */

LEAT_FORK_2(uint64_t, count_down, uint64_t, n, uint64_t, left)
{
    if (left == 0) return n;
    LEAT_SPAWN(count_down, n + 1, left - 1);
    return LEAT_SYNC(count_down);
}

LEAT_FORK_1(uint64_t, many, uint64_t, n)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++)
        LEAT_SPAWN(count_down, i, 3);
    for (uint64_t i = 0; i < n; i++)
        sum += LEAT_SYNC(count_down);
    return sum;
}

static void adds(leat_fork *f, void *arg)
{
    (void)f;
    leat_add_relaxed((LEAT_ATOMIC(uint64_t) *)arg, 1);
}

static void adds_many(leat_fork *f, void *arg)
{
    for (int i = 0; i < 20000; i++)
        leat_fork_spawn(f, adds, arg);
    for (int i = 0; i < 5000; i++)
        leat_fork_sync(f); /* The rest is joined when this returns. */
}

static leat_err forks_many(leat_task *t, void *arg, const void **result)
{
    uint64_t *counts = arg, sum;
    LEAT_ATOMIC(uint64_t) added = 0;
    (void)result;
    for (int i = 0; i < 4; i++) {
        LEAT_TRY(many_run(t, &sum, counts[i]));
        CHECK(sum == counts[i] * (counts[i] - 1) / 2 + 3 * counts[i]);
        LEAT_TRY(leat_fork_run(t, adds_many, &added));
        CHECK(leat_load_relaxed(&added) == (uint64_t)(i + 1) * 20000);
    }
    return LEAT_OK;
}

static void more_forks_than_slots_run_at_once(void **state)
{
    uint64_t counts[] = { 8190, 8192, 8193, 20000 };
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        assert_int_equal(leat_task_run(rt, forks_many, counts, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

/* ---- arguments and results by value ---- */

typedef struct big {
    uint64_t word[LEAT_FORK_BYTES_MAX / 8];
} big;

LEAT_FORK_1(big, rotates, big, in)
{
    big out;
    for (size_t i = 0; i < LEAT_FORK_BYTES_MAX / 8; i++)
        out.word[i] = in.word[(i + 1) % (LEAT_FORK_BYTES_MAX / 8)];
    return out;
}

LEAT_FORK_4(double, mixes, char, a, short, b, double, c, const char *, d)
{
    return a + b + c + (double)strlen(d);
}

LEAT_FORK_VOID_1(stores, int *, at)
{
    *at = 7;
}

LEAT_FORK_VOID_2(stores_two, int *, at, int, value)
{
    *at = value;
}

LEAT_FORK_VOID_4(stores_four, int *, at, int, x, int, y, int, z)
{
    *at = x + y + z;
}

LEAT_FORK_3(int, all_shapes, int, x, const char *, text, int *, at)
{
    big in = { { 1, 2, 3, 4, 5, 6 } };
    int stored = 0, two = 0;
    LEAT_SPAWN(rotates, in);
    LEAT_SPAWN(mixes, (char)x, (short)2, 0.5, text);
    LEAT_SPAWN(stores, &stored);
    LEAT_SPAWN(stores_two, &two, 9);
    LEAT_SPAWN(stores_four, at, 1, 2, 3);
    LEAT_SYNC(stores_four);
    LEAT_SYNC(stores_two);
    LEAT_SYNC(stores);
    double mixed = LEAT_SYNC(mixes);
    big out = LEAT_SYNC(rotates);
    CHECK(stored == 7 && two == 9 && *at == 6 && mixed == x + 2.5 + (double)strlen(text));
    CHECK(out.word[0] == 2 && out.word[5] == 1);
    return 1;
}

static leat_err has_all_shapes(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (int i = 0; i < ROUNDS(2000); i++) {
        int at = 0, ok = 0;
        LEAT_TRY(all_shapes_run(t, &ok, i % 50, "four", &at));
        CHECK(ok == 1);
    }
    return LEAT_OK;
}

static void arguments_and_results_come_whole(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        assert_int_equal(leat_task_run(rt, has_all_shapes, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

/* ---- a join that waits ---- */

struct meeting {
    LEAT_ATOMIC(uint32_t) taken, met;
};

static void waits_for_the_other(leat_fork *f, void *arg)
{
    struct meeting *m = arg;
    (void)f;
    leat_store_release(&m->taken, 1u);
    while (!leat_load_acquire(&m->met))
        leat_i_os_relax();
}

static void forks_and_joins_it(leat_fork *f, void *arg)
{
    struct meeting *m = arg;
    leat_fork_spawn(f, waits_for_the_other, m);
    while (!leat_load_acquire(&m->taken)) /* Only a thief can set it. */
        leat_i_os_relax();
    leat_fork_sync(f);
}

static leat_err other_work(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    leat_store_release(&((struct meeting *)arg)->met, 1u);
    return LEAT_OK;
}

static leat_err joins_what_was_taken(leat_task *t, void *arg, const void **result)
{
    (void)result;
    /* It waits on this worker's deque, and the other worker is busy until it has run: it runs when this one's join parks. */
    leat_future *f = leat_task_start(t, other_work, arg);
    LEAT_TRY(leat_fork_run(t, forks_and_joins_it, arg));
    return leat_await(t, f, NULL);
}

static void a_join_that_waits_leaves_its_worker_to_others(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    for (int round = 0; round < ROUNDS(200); round++) {
        struct meeting m = { 0 };
        assert_int_equal(leat_task_run(rt, joins_what_was_taken, &m, NULL), LEAT_OK);
    }
    leat_runtime_free(rt);
}

/* ---- everybody who is parked is woken ---- */

enum { CROWD = 4 };

static void meets_all(leat_fork *f, void *arg)
{
    LEAT_ATOMIC(uint32_t) *arrived = arg;
    (void)f;
    leat_add_acq_rel(arrived, 1);
    while (leat_load_acquire(arrived) < CROWD)
        leat_i_os_relax();
}

static void does_nothing(leat_fork *f, void *arg)
{
    (void)f, (void)arg;
}

/* Three forks that last until all three run elsewhere; meanwhile the owner forks on, as one does. */
static void needs_everybody(leat_fork *f, void *arg)
{
    LEAT_ATOMIC(uint32_t) *arrived = arg;
    for (int i = 0; i < CROWD - 1; i++)
        leat_fork_spawn(f, meets_all, arg);
    while (leat_load_acquire(arrived) < CROWD - 1) {
        leat_fork_spawn(f, does_nothing, NULL);
        leat_fork_sync(f);
    }
    leat_add_acq_rel(arrived, 1);
}

static leat_err runs_the_crowd(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fork_run(t, needs_everybody, arg);
}

static void whoever_is_parked_is_woken_for_forks(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(CROWD, false);
    for (int round = 0; round < ROUNDS(100); round++) {
        LEAT_ATOMIC(uint32_t) arrived = 0;
        assert_int_equal(leat_task_run(rt, runs_the_crowd, (void *)&arrived, NULL), LEAT_OK);
        if (round % 10 == 0) usleep(1000); /* So that they park in between, now and then. */
    }
    leat_runtime_free(rt);
}

/* ---- what is refused ---- */

static leat_err forks_elsewhere(void *arg)
{
    LEAT_ATOMIC(uint64_t) calls = 0;
    CHECK(leat_fork_run(arg, adds, &calls) == LEAT_USAGE && leat_load_relaxed(&calls) == 0);
    return LEAT_OK;
}

static leat_err forks_on_a_helper(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_blocking(t, forks_elsewhere, t);
}

static leat_err nests(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_fork *f, *inner;
    CHECK(leat_fork_run(t, NULL, NULL) == LEAT_USAGE);
    LEAT_TRY(leat_fork_enter(t, &f));
    CHECK(leat_fork_enter(t, &inner) == LEAT_USAGE && !inner);
    leat_fork_leave(t, f);
    return LEAT_OK;
}

static leat_err is_canceled(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_i_task_cancel(t);
    CHECK(leat_fork_run(t, adds, arg) == LEAT_CANCELED);
    return LEAT_OK;
}

static leat_err has_no_memory(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_i_mem_fail_after(1, true);
    leat_err err = leat_fork_run(t, adds, arg);
    leat_i_mem_fail_after(0, false);
    CHECK(err == LEAT_NOMEM);
    return LEAT_OK;
}

static void refusals_call_nothing(void **state)
{
    LEAT_ATOMIC(uint64_t) calls = 0;
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    assert_int_equal(leat_task_run(rt, has_no_memory, &calls, NULL), LEAT_OK); /* before one has been made */
    assert_int_equal(leat_task_run(rt, nests, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(rt, forks_on_a_helper, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(rt, is_canceled, &calls, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&calls), 0);
    leat_runtime_free(rt);
}

static void joins_too_much(leat_fork *f, void *arg)
{
    (void)arg;
    leat_fork_sync(f);
}

static void forks_one_that_joins_too_much(leat_fork *f, void *arg)
{
    leat_fork_spawn(f, joins_too_much, arg);
    leat_fork_sync(f);
}

static leat_err joins_nothing(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fork_run(t, arg ? forks_one_that_joins_too_much : joins_too_much, NULL);
}

static void a_join_without_a_fork_ends_the_program(void **state)
{
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        int words[2];
        char text[400] = "";
        assert_int_equal(pipe(words), 0);
        pid_t child = fork();
        if (child == 0) {
            leat_runtime *rt;
            leat_runtime_opts opts = { .worker_count = 1 };
            dup2(words[1], 2);
            leat_err err = leat_runtime_new(&rt, &opts);
            if (!err) err = leat_task_run(rt, joins_nothing, deep ? rt : NULL, NULL);
            _exit(err != LEAT_OK);
        }
        close(words[1]);
        ssize_t n = read(words[0], text, sizeof text - 1);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        close(words[0]);
        assert_true(n > 0 && strstr(text, "leat_fork_sync without a fork"));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_without_a_fork_ends_the_program), /* first: it forks the process */
        cmocka_unit_test(a_tree_of_forks_gives_its_sum),
        cmocka_unit_test(each_node_of_a_wild_tree_runs_once),
        cmocka_unit_test(more_forks_than_slots_run_at_once),
        cmocka_unit_test(arguments_and_results_come_whole),
        cmocka_unit_test(a_join_that_waits_leaves_its_worker_to_others),
        cmocka_unit_test(whoever_is_parked_is_woken_for_forks),
        cmocka_unit_test(refusals_call_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
