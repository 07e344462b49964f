/*
 * test_limiter_luck.c: an endpoint that refuses at random, seen a thousand times, in explicit times and without the queue: how often a
 * trial takes for noise what is none, and the other way round.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/atomics.h"
#include "base/os.h"
#include "limit/member.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

enum { SEEDS = LEAT_ASAN || LEAT_TSAN ? 100 : 1000, OPEN_MAX = 16384 };

static const int64_t REFUSED_AFTER = 40 * MS, GOOD_AFTER = 400 * MS;

typedef struct answer {
    leat_i_taken taken;
    int64_t at;
} answer;

typedef struct answers { /* all take as long, so they come in the order of asking */
    answer ring[OPEN_MAX];
    unsigned first, end;
} answers;

typedef struct world {
    leat_i_member m;
    answers refused, good;
    double share; /* refused at random */
    uint64_t seed;
    int asked, accepted, trials, noises;
} world;

static int64_t first_at(const answers *a)
{
    return a->first == a->end ? INT64_MAX : a->ring[a->first % OPEN_MAX].at;
}

/* Tells of the next answer, and counts what became of a trial that it ended. */
static void answer_tell(world *w, answers *a, leat_verdict verdict)
{
    answer *next = &a->ring[a->first++ % OPEN_MAX];
    bool was_trial = w->m.refusals.is_trial;
    double noise = w->m.refusals.noise;
    leat_limiter_report report = { verdict, verdict == LEAT_VERDICT_LIMITED ? 500 : 0, -1 };
    leat_i_member_report(&w->m, &next->taken, &report, next->at);
    leat_i_member_settle(&w->m, &next->taken, next->taken.charge);
    if (!was_trial || w->m.refusals.is_trial) return;
    w->trials++;
    w->noises += w->m.refusals.noise > 0 && w->m.refusals.noise != noise;
}

static void world_run(world *w, int64_t end)
{
    static const leat_i_charge one = { .requests = 1 };
    for (int64_t now = 1 * S; now < end;) {
        int64_t ready = leat_i_member_ready_ns(&w->m, one, now), go = ready > now ? ready : now;
        int64_t refused = first_at(&w->refused), good = first_at(&w->good);
        if (refused <= go || good <= go) {
            now = refused < good ? refused : good;
            if (refused < good)
                answer_tell(w, &w->refused, LEAT_VERDICT_LIMITED);
            else
                answer_tell(w, &w->good, LEAT_VERDICT_GOOD);
            continue;
        }
        now = go;
        bool is_refused = leat_i_rand_unit(&w->seed) < w->share;
        answers *a = is_refused ? &w->refused : &w->good;
        assert_true(a->end - a->first < OPEN_MAX);
        a->ring[a->end++ % OPEN_MAX] =
            (answer){ leat_i_member_take(&w->m, one, now), now + (is_refused ? REFUSED_AFTER : GOOD_AFTER) };
        w->asked++;
        w->accepted += !is_refused;
    }
}

typedef struct sums {
    int asked_most;
    double trials, noises, used;
} sums;

static sums run_seeds(double per_min, double share, int minutes)
{
    sums s = { 0 };
    world *w = malloc(sizeof *w);
    assert_non_null(w);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        memset(w, 0, sizeof *w);
        w->share = share;
        w->seed = seed * 1000;
        w->m.random = seed;
        assert_true(leat_i_member_set(&w->m, &(leat_limiter_opts){ .requests_per_min = per_min }));
        world_run(w, (int64_t)minutes * 60 * S);
        if (w->asked > s.asked_most) s.asked_most = w->asked;
        s.trials += w->trials;
        s.noises += w->noises;
        s.used += w->accepted / (per_min * minutes * (1 - share)) / SEEDS;
    }
    free(w);
    print_message("%g %% of %g a minute: %.0f trials, %.0f found noise (%.2f %%), used %.3f, asked %d at most\n",
                  100 * share, per_min, s.trials, s.noises, 100 * s.noises / s.trials, s.used, s.asked_most);
    return s;
}

/* One who shares a key gives way: what is refused half of the time is taken for noise once in a thousand trials at most. */
static void test_half_is_hardly_ever_noise(void **state)
{
    static const struct {
        double per_min, asked; /* of what the limit allows, at most: where few go, cuts take long */
    } cases[] = { { 60, 0.95 }, { 300, 0.65 }, { 6000, 0.12 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sums s = run_seeds(cases[i].per_min, 0.5, 6);
        assert_true(s.noises <= s.trials / 1000 + 1);
        assert_true(s.asked_most <= 6 * cases[i].per_min * cases[i].asked);
    }
}

/* And what is noise is found to be. */
static void test_noise_is_found(void **state)
{
    static const struct {
        double per_min, share, found, used;
    } cases[] = { { 6000, 0.05, 0.9, 0.9 }, { 6000, 0.2, 0.8, 0.85 }, { 300, 0.05, 0.5, 0.85 }, { 300, 0.2, 0.7, 0.85 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sums s = run_seeds(cases[i].per_min, cases[i].share, 6);
        assert_true(s.noises >= cases[i].found * s.trials);
        assert_true(s.used >= cases[i].used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_is_hardly_ever_noise),
        cmocka_unit_test(test_noise_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
