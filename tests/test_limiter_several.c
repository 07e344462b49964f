/*
 * test_limiter_several.c: random runs over several endpoints, each with limits of its own, through the queue itself and on the virtual
 * clock. In some, one of them is dead, for a time or for good. A checker reads what was granted, and where:
 *   - each endpoint's requests, tokens and requests in flight are within its own limits, in any window;
 *   - work goes where there is room: nobody waited while an endpoint that was well all the time had room for it;
 *   - a dead one gets few requests, and everything is done all the same.
 *
 * 300 runs; LEAT_LONG=1 makes it 10,000. LEAT_SEED=n runs that one alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "limiter_support.h"
#include "support_random.h"

enum { ENDPOINTS_MAX = 4, TASKS = 300, GRANTS_MAX = 4 * TASKS };

typedef struct record { /* one grant */
    int64_t asked_ns, granted_ns, settled_ns;
    double guess, used;
    uint32_t place;
} record;

typedef struct several {
    uint64_t seed;
    leat_limiter *l;
    uint32_t count;
    leat_limiter_opts opts[ENDPOINTS_MAX];
    int dead; /* which; -1 = none */
    int64_t dead_from_ns, dead_until_ns;
    int done, granted;
    const char *breach; /* what the checker found; NULL = nothing */
    int breach_at;
    record record[GRANTS_MAX];
} several;

typedef struct asker {
    several *s;
    uint64_t seed;
} asker;

static bool is_dead(const several *s, uint32_t place, int64_t now_ns)
{
    return (int)place == s->dead && now_ns >= s->dead_from_ns && now_ns < s->dead_until_ns;
}

/* One attempt; *again: nobody was there. One worker: the records need no lock. */
static leat_err attempt(leat_task *t, asker *a, double guess, bool *again)
{
    several *s = a->s;
    leat_grant g;
    int64_t asked_ns = leat_task_now_ns(t);
    LEAT_TRY(leat_limiter_acquire(t, s->l, (leat_cost){ guess, 0, 0 }, &g));
    assert_true(s->granted < GRANTS_MAX);
    record *r = &s->record[s->granted++];
    *r = (record){ asked_ns, g.granted_ns, INT64_MAX, guess, guess, g.endpoint_index };
    bool was_dead = is_dead(s, g.endpoint_index, leat_task_now_ns(t));
    LEAT_TRY(leat_sleep_ms(t, was_dead ? 5 : 1 + random_below(&a->seed, 4000)));
    *again = was_dead || is_dead(s, g.endpoint_index, leat_task_now_ns(t));
    leat_limiter_report report = { .verdict = *again ? LEAT_VERDICT_LOST : LEAT_VERDICT_GOOD, .first_token_ms = -1 };
    leat_limiter_tell(t, s->l, g, &report);
    r->settled_ns = leat_task_now_ns(t);
    r->used = *again ? 0 : guess * (double)random_below(&a->seed, 12) / 10;
    leat_limiter_settle(s->l, g, (leat_cost){ r->used, 0, 0 });
    return LEAT_OK;
}

static leat_err one_asker(leat_task *t, void *arg, const void **result)
{
    (void)result;
    asker *a = arg;
    double guess = 1 + (double)random_below(&a->seed, 100);
    if (a->s->seed % 2) LEAT_TRY(leat_sleep_ms(t, random_below(&a->seed, 60000)));
    for (bool again = true; again;)
        LEAT_TRY(attempt(t, a, guess, &again));
    a->s->done++;
    return LEAT_OK;
}

static leat_err run_all(leat_task *t, void *arg, const void **result)
{
    (void)result;
    several *s = arg;
    uint64_t seed = s->seed;
    asker *a = leat_task_alloc(t, TASKS * sizeof *a);
    leat_future **f = leat_task_alloc(t, TASKS * sizeof(leat_future *));
    assert_true(a && f);
    for (int i = 0; i < TASKS; i++) {
        a[i] = (asker){ s, leat_i_rand_next(&seed) };
        f[i] = leat_task_start(t, one_asker, &a[i]);
    }
    return leat_await_all(t, f, TASKS);
}

/* ---- the checker ---- */

static void complain(several *s, const char *what, int at)
{
    if (s->breach) return;
    s->breach = what;
    s->breach_at = at;
}

static int by_time(const void *a, const void *b)
{
    const record *x = a, *y = b;
    if (x->granted_ns != y->granted_ns) return x->granted_ns > y->granted_ns ? 1 : -1;
    return (x->asked_ns > y->asked_ns) - (x->asked_ns < y->asked_ns);
}

/* What a grant counts for at `now`: in the moment of its settling, either amount is right. */
static double known_at(const record *r, int64_t now, bool most)
{
    if (r->settled_ns > now) return r->guess;
    if (r->settled_ns < now) return r->used;
    return (r->guess > r->used) == most ? r->guess : r->used;
}

/* What an endpoint holds before grant `end`, as of `now`. */
typedef struct holding {
    double requests, tokens; /* of 60 s and `window` */
    uint32_t open;
    int64_t last_ns; /* of its last grant; INT64_MIN = none */
} holding;

static holding holding_at(const several *s, uint32_t place, int end, int64_t now, int64_t window, bool most)
{
    holding h = { .last_ns = INT64_MIN };
    for (int i = 0; i < end; i++) {
        const record *r = &s->record[i];
        if (r->place != place) continue;
        h.last_ns = r->granted_ns;
        h.open += most ? r->settled_ns >= now : r->settled_ns > now;
        if (r->granted_ns <= now - 60 * S - window) continue;
        h.requests++;
        h.tokens += known_at(r, now, most);
    }
    return h;
}

static void check_limits(several *s, int i)
{
    const record *r = &s->record[i];
    const leat_limiter_opts *o = &s->opts[r->place];
    holding h = holding_at(s, r->place, i, r->granted_ns, 0, false);
    int in_window = 1;
    if (o->requests_per_min > 0 && h.requests + 1 > o->requests_per_min) complain(s, "too many in 60 s", i);
    if (o->tokens_per_min > 0 && h.tokens + r->guess > o->tokens_per_min + 1e-6) complain(s, "too many tokens", i);
    if (o->in_flight_max > 0 && h.open + 1 > o->in_flight_max) complain(s, "too many in flight", i);
    for (int j = i - 1; j >= 0 && o->requests_per_min > 0; j--) {
        if (s->record[j].place != r->place) continue;
        double w = (double)(r->granted_ns - s->record[j].granted_ns) / 1e9;
        if (++in_window > o->requests_per_min * (w + 0.05) / 60 + 1 + 1e-9) complain(s, "too many in a window", i);
    }
}

/* Since some grant at least 97 % of the tokens' rate was used there, with what became known of earlier ones. */
static bool is_spread(const several *s, uint32_t place, int end, int64_t now)
{
    double since = 0, limit = s->opts[place].tokens_per_min;
    for (int j = end - 1; j >= 0; j--) {
        const record *r = &s->record[j];
        if (r->place != place) continue;
        since += known_at(r, now, true);
        double debts = 0;
        for (int k = 0; k < j; k++) {
            if (s->record[k].place != place) continue;
            double more = known_at(&s->record[k], now, true) - known_at(&s->record[k], r->granted_ns, false);
            debts += more > 0 ? more : 0;
        }
        if (since + debts >= 0.97 * limit * (double)(now - r->granted_ns) / 60e9) return true;
    }
    return false;
}

static bool has_reason(const several *s, uint32_t place, int i, int64_t now)
{
    const leat_limiter_opts *o = &s->opts[place];
    holding h = holding_at(s, place, i, now, 70 * MS, true);
    if (o->in_flight_max > 0 && h.open >= o->in_flight_max) return true;
    if (o->requests_per_min > 0 && h.last_ns != INT64_MIN && (double)(now - h.last_ns) < 60e9 / (0.97 * o->requests_per_min))
        return true;
    if (o->tokens_per_min == 0) return false;
    return h.tokens + s->record[i].guess > o->tokens_per_min - 1 || is_spread(s, place, i, now);
}

/* It was the first of the line since it asked, or since the one before it went. */
static void check_room(several *s, int i)
{
    const record *r = &s->record[i];
    int64_t head_ns = i > 0 && s->record[i - 1].granted_ns > r->asked_ns ? s->record[i - 1].granted_ns : r->asked_ns;
    int64_t before_ns = r->granted_ns - 1 * MS;
    if (before_ns <= head_ns) return;
    for (uint32_t place = 0; place < s->count; place++)
        if ((int)place != s->dead && !has_reason(s, place, i, before_ns)) complain(s, "it waited while there was room", i);
}

/* Ten at its death, those on their way, and one for each try: after 0.5, 1, 2 s and so on; a minute has six of them. */
static void check_dead(several *s)
{
    int tries = 0, on_their_way = (int)s->opts[s->dead].in_flight_max;
    int64_t last_ns = 0;
    for (int i = 0; i < s->granted; i++) {
        last_ns = s->record[i].granted_ns;
        tries += is_dead(s, s->record[i].place, s->record[i].granted_ns);
    }
    int64_t away_ns = (last_ns < s->dead_until_ns ? last_ns : s->dead_until_ns) - s->dead_from_ns;
    if (away_ns > 0 && tries > 20 + on_their_way + (int)(away_ns / (20 * S))) complain(s, "a dead one gets too many", tries);
}

static void endpoints_make(several *s, uint64_t *dice)
{
    s->count = 2 + (uint32_t)random_below(dice, ENDPOINTS_MAX - 1);
    for (uint32_t i = 0; i < s->count; i++) {
        leat_limiter_opts *o = &s->opts[i];
        if (random_below(dice, 3) > 0) o->requests_per_min = (double)(30 + random_below(dice, 600));
        if (random_below(dice, 3) == 0) o->tokens_per_min = (double)(500 + random_below(dice, 4000));
        o->in_flight_max = (uint32_t)(1 + random_below(dice, 30));
    }
    s->dead = random_below(dice, 3) == 0 ? (int)random_below(dice, s->count) : -1;
    s->dead_from_ns = random_below(dice, 20) * S;
    s->dead_until_ns = random_below(dice, 2) ? INT64_MAX : s->dead_from_ns + random_below(dice, 90) * S;
}

/* How the limiter keeps the limits wrong, for the checker to find. */
typedef struct wrong {
    double requests, tokens; /* factors */
    int in_flight;           /* more than allowed */
} wrong;

static const wrong HONEST = { 1, 1, 0 };

/* True = the checker found nothing. */
static bool run_one(uint64_t seed, const wrong *lie)
{
    several *s = calloc(1, sizeof *s);
    assert_non_null(s);
    uint64_t dice = seed;
    s->seed = seed;
    endpoints_make(s, &dice);
    leat_runtime *rt;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    leat_limiter_opts kept[ENDPOINTS_MAX];
    memcpy(kept, s->opts, sizeof kept);
    leat_limiter_opts *last = &kept[s->count - 1];
    last->requests_per_min *= lie->requests;
    last->tokens_per_min *= lie->tokens;
    last->in_flight_max += (uint32_t)lie->in_flight;
    leat_i_os_random_seed = seed; /* A run is the same each time. */
    assert_int_equal(leat_limiter_new_many(&s->l, kept, s->count), LEAT_OK);
    leat_i_os_random_seed = 0;
    assert_int_equal(leat_task_run(rt, run_all, s, NULL), LEAT_OK);
    assert_int_equal(s->done, TASKS);
    qsort(s->record, (size_t)s->granted, sizeof *s->record, by_time);
    for (int i = 0; i < s->granted; i++) {
        check_limits(s, i);
        check_room(s, i);
    }
    if (s->dead >= 0) check_dead(s);
    leat_limiter_free(s->l);
    leat_runtime_free(rt);
    bool passes = !s->breach;
    if (s->breach && lie == &HONEST)
        print_error("run %" PRIu64 ": %s, at grant %d (LEAT_SEED=%" PRIu64 " runs it alone)\n", seed, s->breach,
                    s->breach_at, seed);
    free(s);
    return passes;
}

static void test_random_runs_over_several(void **state)
{
    (void)state;
    const char *one = getenv("LEAT_SEED"), *longer = getenv("LEAT_LONG");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : longer && longer[0] == '1' ? 10000 : LEAT_TSAN ? 10 : LEAT_ASAN ? 60 : 300;
    for (uint64_t seed = first; seed < first + count; seed++)
        assert_true(run_one(seed, &HONEST));
}

static void test_the_checker_sees_what_is_wrong(void **state)
{
    static const struct {
        const char *what;
        wrong lie;
    } lies[] = {
        { "requests 6 % too many", { 1.06, 1, 0 } }, { "requests 6 % too few", { 0.94, 1, 0 } },
        { "tokens 6 % too many", { 1, 1.06, 0 } },   { "tokens 6 % too few", { 1, 0.94, 0 } },
        { "one more in flight", { 1, 1, 1 } },       { "one fewer in flight", { 1, 1, -1 } },
    };
    (void)state;
    for (size_t l = 0; l < sizeof lies / sizeof *lies; l++) {
        int found = 0;
        for (uint64_t seed = 1; seed <= 60; seed++)
            found += !run_one(seed, &lies[l].lie);
        print_message("%s at one of them: found in %d of 60\n", lies[l].what, found);
        assert_true(found >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_runs_over_several),
        cmocka_unit_test(test_the_checker_sees_what_is_wrong),
    };
    /* One worker and a virtual clock: no threads to look at, and there a fiber costs a millisecond. */
    const struct CMUnitTest few[] = { cmocka_unit_test(test_random_runs_over_several) };
    if (LEAT_TSAN) return cmocka_run_group_tests(few, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
