/*
 * test_limiter_property.c: many random schedules over the budget, judged by a checker that knows nothing of how it works.
 *
 * A schedule: random limits, requests of random size, wakes that come late, answers that take a while and use more or less than
 * was guessed, clock jumps. The driver does what the queue does (first come, first served, one timer for the head) and writes
 * down when each request was let through and when it was settled. The checker then reads that record alone:
 *   - over any window, the requests are at most limit * (w + 0.05) / 60 + 1 + burst, and over any 60 s at most the limit;
 *   - at each admission, what the last 60 s hold (guesses, or what was known by then) and the new request are at most the
 *     limit, one request larger than the limit alone in its window excepted;
 *   - while there was work, at least min(97 %, 1 - largest / limit) was used.
 * 10,000 schedules; LEAT_LONG=1 makes it 1,000,000. The seed of a failing one is printed; LEAT_SEED=n runs that one alone.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "limit/budget.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

enum { REQUESTS_MAX = 400 };

typedef struct request {
    double guess, used; /* tokens; the sum of both directions */
    int64_t latency;
    int64_t late;             /* how late the timer wakes it, if it comes to that */
    bool woken;               /* it came to that */
    int64_t due;              /* when it could have gone, as the driver was told; counts lateness, proves no safety */
    int64_t granted, settled; /* what the checker reads; settled = the time when `used` was known */
    bool open;
    leat_i_taken taken;
} request;

typedef struct schedule {
    uint64_t seed;
    leat_limiter_opts opts;
    int count;
    bool jumps; /* the clock leaps forward now and then */
    request request[REQUESTS_MAX];
} schedule;

static uint64_t random_next(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double random_between(uint64_t *seed, double low, double high)
{
    return low + (high - low) * ((double)(random_next(seed) >> 11) / 9007199254740992.0);
}

static bool random_chance(uint64_t *seed, int in)
{
    return random_next(seed) % (uint64_t)in == 0;
}

/* ---- the schedule ---- */

static void schedule_make(schedule *s, uint64_t number)
{
    uint64_t seed = number;
    memset(s, 0, sizeof *s);
    s->seed = number;
    int kind = (int)(random_next(&seed) % 4); /* 0 requests, 1 tokens, 2 both, 3 both and in flight */
    double requests = 1 + (double)(random_next(&seed) % 10) * (double)(1 + random_next(&seed) % 30);
    double tokens = random_between(&seed, 500, 5000);
    if (kind != 1) s->opts.requests_per_min = requests;
    if (kind != 0) s->opts.tokens_per_min = tokens;
    if (kind == 3) s->opts.in_flight_max = 1 + (uint32_t)(random_next(&seed) % 20);
    if (kind != 1 && random_chance(&seed, 4)) s->opts.burst = 1 + (uint32_t)(random_next(&seed) % 20);
    s->jumps = random_chance(&seed, 10);
    s->count = 50 + (int)(random_next(&seed) % (REQUESTS_MAX - 50));
    double largest = tokens * random_between(&seed, 0.01, random_chance(&seed, 5) ? 1.5 : 0.4);
    bool exact = random_chance(&seed, 2);
    int64_t latency = random_chance(&seed, 2) ? 200 * MS : 90 * S;
    for (int i = 0; i < s->count; i++) {
        request *r = &s->request[i];
        r->guess = random_between(&seed, random_chance(&seed, 20) ? 0 : largest / 2, largest);
        r->used = exact ? r->guess : r->guess * random_between(&seed, 0, random_chance(&seed, 10) ? 3 : 1.2);
        r->latency = (int64_t)(random_next(&seed) % (uint64_t)latency);
        r->late = (int64_t)(random_next(&seed) % (uint64_t)(20 * MS));
        if (random_chance(&seed, 50)) r->late = (int64_t)(random_next(&seed) % (uint64_t)(3 * S));
    }
}

/* The earliest end of an open request; -1 = none is open. */
static int next_settle(const schedule *s, int granted)
{
    int first = -1;
    for (int i = 0; i < granted; i++)
        if (s->request[i].open && (first < 0 || s->request[i].settled < s->request[first].settled)) first = i;
    return first;
}

static leat_i_charge charge_of(double tokens)
{
    return leat_i_charge_request((leat_cost){ tokens / 2, tokens / 2, 0 });
}

static void settle(schedule *s, leat_i_budget *b, int i)
{
    request *r = &s->request[i];
    leat_i_budget_settle(b, &r->taken, charge_of(r->used));
    r->open = false;
}

/* All requests ask at the start; each is let through as the queue would. */
static void schedule_run(schedule *s, leat_i_budget *b)
{
    uint64_t seed = s->seed ^ 0xfeed;
    memset(b, 0, sizeof *b);
    assert_true(leat_i_budget_set(b, &s->opts));
    int64_t now = (int64_t)(random_next(&seed) % (uint64_t)(1000 * S));
    int64_t until = 0; /* the head sleeps until then, unless a settle wakes it */
    for (int i = 0; i < s->count;) {
        request *r = &s->request[i];
        /* After a leap of the clock: answers that came meanwhile are settled before anybody goes. */
        for (int ending; (ending = next_settle(s, i)) >= 0 && s->request[ending].settled <= now;)
            settle(s, b, ending);
        int64_t ready = leat_i_budget_ready_ns(b, charge_of(r->guess), now);
        if (ready <= now) {
            r->taken = leat_i_budget_take(b, charge_of(r->guess), now);
            r->granted = now;
            r->settled = now + r->latency;
            r->open = true;
            i++;
            continue;
        }
        r->due = ready;
        until = ready == INT64_MAX ? ready : ready + (r->woken ? 0 : r->late);
        int ending = next_settle(s, i);
        if (ending >= 0 && s->request[ending].settled <= until) {
            now = s->request[ending].settled;
        } else {
            assert_true(until != INT64_MAX);
            now = until;
            r->woken = true;
        }
        if (s->jumps && random_chance(&seed, 40)) now += (int64_t)(random_next(&seed) % (uint64_t)(100 * S));
    }
    for (int ending; (ending = next_settle(s, s->count)) >= 0;)
        settle(s, b, ending);
    assert_int_equal(b->in_flight, 0);
}

/* ---- the checker: reads limits, sizes and times, nothing else ---- */

static void fail_schedule(const schedule *s, const char *what, int at)
{
    print_error("schedule %" PRIu64 ": %s, at request %d (LEAT_SEED=%" PRIu64 " runs it alone)\n", s->seed, what, at,
                s->seed);
    fail();
}

static void check_requests(const schedule *s)
{
    double per_s = s->opts.requests_per_min / 60;
    if (per_s == 0) return;
    int first = 0;
    for (int j = 0; j < s->count; j++) {
        for (int i = 0; i <= j; i++) {
            double w = (double)(s->request[j].granted - s->request[i].granted) / 1e9;
            if (j - i + 1 > per_s * (w + 0.05) + 1 + s->opts.burst + 1e-9) fail_schedule(s, "too many in a window", j);
        }
        while (s->request[first].granted <= s->request[j].granted - 60 * S)
            first++;
        if (j - first + 1 > s->opts.requests_per_min) fail_schedule(s, "too many in 60 s", j);
    }
}

/* What the 60 s up to `now` hold as it was known then, of the requests before `end`. */
static double known_tokens(const schedule *s, int end, int64_t now, int64_t window, int *others)
{
    double sum = 0;
    *others = 0;
    for (int i = 0; i < end; i++) {
        const request *r = &s->request[i];
        if (r->granted <= now - window) continue;
        double known = r->settled <= now ? r->used : r->guess;
        sum += known;
        *others += known > 0;
    }
    return sum;
}

static void check_tokens(const schedule *s)
{
    double limit = s->opts.tokens_per_min;
    if (limit == 0) return;
    for (int i = 0; i < s->count; i++) {
        const request *r = &s->request[i];
        int others;
        double sum = known_tokens(s, i, r->granted, 60 * S, &others);
        if (sum + r->guess > limit + 1e-6 && !(r->guess > limit && others == 0))
            fail_schedule(s, "too many tokens in 60 s", i);
    }
}

static void check_in_flight(const schedule *s)
{
    if (s->opts.in_flight_max == 0) return;
    for (int i = 0; i < s->count; i++) {
        uint32_t open = 1;
        for (int k = 0; k < i; k++)
            open += s->request[k].settled > s->request[i].granted;
        if (open > s->opts.in_flight_max) fail_schedule(s, "too many in flight", i);
    }
}

/* Work is always there until the last grant; with one kind of limit alone, its use can be judged. */
static void check_use(const schedule *s)
{
    if (s->jumps || s->opts.in_flight_max != 0) return;
    const request *last = &s->request[s->count - 1];
    if (s->opts.tokens_per_min == 0) {
        double limit = s->opts.requests_per_min, lost_s = 0;
        for (int i = 0; i < s->count; i++)
            if (s->request[i].due > 0 && s->request[i].granted - s->request[i].due > 25 * MS)
                lost_s += (double)(s->request[i].granted - s->request[i].due) / 1e9;
        double minutes = ((double)(last->granted - s->request[0].granted) / 1e9 - lost_s) / 60;
        double share = 1 - 1 / limit < 0.97 ? 1 - 1 / limit : 0.97;
        if (s->count < share * limit * minutes - 1) fail_schedule(s, "too little of the requests used", s->count);
        return;
    }
    if (s->opts.requests_per_min != 0) return;
    bool debts = false;
    for (int i = 0; i < s->count; i++)
        debts = debts || s->request[i].used > s->request[i].guess;
    for (int i = 1; i < s->count; i++) {
        const request *r = &s->request[i];
        /* Just before its wake was due it did not fit: the minute before was full, up to this request's size. */
        int64_t due = r->granted - r->taken.at_ns; /* 0: the record and the budget agree about the time */
        if (due != 0) fail_schedule(s, "granted at another time than charged", i);
        if (r->granted == s->request[i - 1].granted) continue;
        int others;
        /* A debt that came while it overslept may have closed the gap again: then only the time when it fell asleep counts. */
        int64_t before = debts ? 0 : r->granted - r->late - 1 * MS;
        if (before < s->request[i - 1].granted) before = s->request[i - 1].granted;
        double sum = known_tokens(s, i, before, 60 * S + 70 * MS, &others);
        /* Each charge is rounded up, by a 32nd of a token at most. */
        if (sum + r->guess < s->opts.tokens_per_min - (others + 2) / 32.0)
            fail_schedule(s, "waited although there was room", i);
    }
}

static void test_random_schedules(void **state)
{
    (void)state;
    const char *one = getenv("LEAT_SEED"), *longer = getenv("LEAT_LONG");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : longer && longer[0] == '1' ? 1000000 : 10000;
    schedule *s = malloc(sizeof *s);
    leat_i_budget *b = malloc(sizeof *b);
    for (uint64_t number = first; number < first + count; number++) {
        schedule_make(s, number);
        schedule_run(s, b);
        check_requests(s);
        check_tokens(s);
        check_in_flight(s);
        check_use(s);
    }
    print_message("%" PRIu64 " schedules\n", count);
    free(b);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_schedules) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
