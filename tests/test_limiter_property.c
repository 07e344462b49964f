/*
 * test_limiter_property.c: many random schedules over one endpoint's limits, judged by a checker that knows nothing of how they
 * are kept.
 *
 * A schedule: random limits of random kinds, some of which change on the way; requests that come at random times, of random size;
 * wakes that come late; answers that take a while and use more or less than was guessed, or fail and are refunded, or are taken
 * back before they went; clock jumps; in some, refusals and waits that the endpoint asks for. The driver does what the queue does
 * (first come, first served, one timer for the head) and writes down when each request came, was let through, and was settled.
 * The checker then reads that record alone:
 *   - over any window, the requests are at most limit * (w + 0.05) / 60 + 1 + burst, and over any 60 s at most the limit;
 *   - at each admission, what the last 60 s (24 h) hold, guesses or what was known by then, and the new request are at most the
 *     limit, for tokens in, out and both, bytes, and requests and tokens a day; one request larger than a limit alone in its window excepted;
 *   - never more in flight than allowed;
 *   - without bursts, tokens and bytes are spread: in `w` seconds at most limit * (w + 10) / 60 and one request;
 *   - nobody waits without a reason: when a request waited, 97 % of some limit was used since some moment, or all but its own size.
 *     This is the promise of use, min(97 %, 1 - largest / limit), at every moment instead of on average.
 * 10,000 schedules; LEAT_LONG=1 makes it 1,000,000. The seed of a failing one is printed; LEAT_SEED=n runs that one alone. That the checker sees is shown too: limits kept a little wrong (too high, too low, over a window too short) must be found.
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/atomics.h"
#include "limit/member.h"
#include "support_random.h"

#define MS  INT64_C(1000000)
#define S   INT64_C(1000000000)
#define DAY (86400 * S)

enum { REQUESTS_MAX = 240, EPOCHS_MAX = 4 };

typedef enum outcome { USED, FAILED, TAKEN_BACK } outcome;

typedef struct request {
    double guess[3], used[2]; /* input, output, bytes; what became of the tokens */
    int64_t asked;            /* when it came */
    int64_t latency, late;    /* of the answer; of the timer, if it comes to that */
    outcome end;
    bool open;
    leat_i_taken taken;
    /* What the checker reads. */
    int64_t head;             /* when it became the first in the line */
    int64_t judged;           /* when it was told to wait for the last time; 0 = it never was */
    int64_t granted, settled; /* settled = the time when `used` was known */
} request;

typedef struct epoch { /* limits from a request on */
    int from;
    int64_t from_ns;
    leat_limiter_opts opts;
} epoch;

/* How the limits are kept wrong, for the checker to find. */
typedef struct wrong {
    double requests, tokens, bytes, day, day_tokens; /* factors */
    int in_flight;                                   /* more than allowed */
    double clock;                                    /* the limiter's clock runs so much faster */
    bool at_once;                                    /* tokens are not spread over the minute */
} wrong;

static const wrong HONEST = { 1, 1, 1, 1, 1, 0, 1, false };

typedef struct schedule {
    uint64_t seed;
    epoch epoch[EPOCHS_MAX];
    int epoch_count, count;
    bool jumps;  /* the clock leaps forward now and then */
    bool noisy;  /* refusals and waits: only what is too much can be judged */
    bool stalls; /* nobody runs, now and then */
    wrong lie;
    const char *breach; /* what the checker found; NULL = nothing */
    int breach_at;
    request request[REQUESTS_MAX];
} schedule;

static double random_between(uint64_t *seed, double low, double high)
{
    return low + (high - low) * leat_i_rand_unit(seed);
}

static bool random_chance(uint64_t *seed, int in)
{
    return leat_i_rand_next(seed) % (uint64_t)in == 0;
}

/* ---- the schedule ---- */

static leat_limiter_opts limits_make(uint64_t *seed)
{
    leat_limiter_opts o = { 0 };
    int kinds = 1 + (int)random_below(seed, 3);
    for (int i = 0; i < kinds; i++) {
        switch (random_below(seed, 9)) {
        case 0:
        case 1:
            o.requests_per_min = 1 + (double)random_below(seed, 10) * (double)(1 + random_below(seed, 30));
            if (random_chance(seed, 4)) o.burst = 1 + (uint32_t)random_below(seed, 20);
            break;
        case 2:
        case 3:
            o.tokens_per_min = random_between(seed, 500, 5000);
            break;
        case 4:
            o.input_tokens_per_min = random_between(seed, 300, 3000);
            o.output_tokens_per_min = random_between(seed, 300, 3000);
            break;
        case 5:
            o.bytes_per_min = random_between(seed, 5000, 50000);
            break;
        case 6:
            o.in_flight_max = 1 + (uint32_t)random_below(seed, 20);
            break;
        case 7:
            o.requests_per_day = 20 + (double)random_below(seed, 200);
            break;
        case 8:
            o.tokens_per_day = random_between(seed, 3000, 60000);
            break;
        }
    }
    return o;
}

static void requests_make(schedule *s, uint64_t *seed)
{
    double largest = random_between(seed, 20, random_chance(seed, 5) ? 6000 : 800);
    bool exact = random_chance(seed, 2), rush = random_chance(seed, 2);
    int64_t latency = random_chance(seed, 2) ? 200 * MS : 90 * S, gap = rush ? 1 : random_below(seed, 4 * S) + 1;
    int64_t now = random_below(seed, 1000 * S);
    for (int i = 0; i < s->count; i++) {
        request *r = &s->request[i];
        now += random_below(seed, gap);
        r->asked = now;
        double size = random_between(seed, random_chance(seed, 20) ? 0 : largest / 2, largest);
        double share = random_between(seed, 0, 1);
        r->guess[0] = size * share;
        r->guess[1] = size - r->guess[0];
        r->guess[2] = size * random_between(seed, 2, 10);
        for (int k = 0; k < 2; k++)
            r->used[k] = exact ? r->guess[k] : r->guess[k] * random_between(seed, 0, random_chance(seed, 10) ? 3 : 1.2);
        r->latency = random_below(seed, latency);
        r->late = random_below(seed, 20 * MS);
        if (random_chance(seed, s->stalls ? 8 : 50)) r->late = random_below(seed, s->stalls ? 9 * S : 3 * S);
        r->end = random_chance(seed, 10) ? FAILED : random_chance(seed, 20) ? TAKEN_BACK : USED;
        if (r->end != USED) r->used[0] = r->used[1] = 0;
        if (r->end == TAKEN_BACK) r->latency = 0;
    }
}

static void schedule_make(schedule *s, uint64_t number, const wrong *lie)
{
    uint64_t seed = number;
    memset(s, 0, sizeof *s);
    s->seed = number;
    s->lie = *lie;
    s->count = 40 + (int)random_below(&seed, REQUESTS_MAX - 40);
    s->jumps = random_chance(&seed, 10);
    s->noisy = random_chance(&seed, 8);
    s->stalls = random_chance(&seed, 4);
    s->epoch_count = random_chance(&seed, 3) ? 2 + (int)random_below(&seed, EPOCHS_MAX - 1) : 1;
    for (int e = 0; e < s->epoch_count; e++) {
        s->epoch[e].from = e * s->count / s->epoch_count;
        s->epoch[e].opts = limits_make(&seed);
    }
    requests_make(s, &seed);
}

/* ---- the driver: as the queue ---- */

/* The earliest end of an open request; -1 = none is open. */
static int next_settle(const schedule *s, int granted)
{
    int first = -1;
    for (int i = 0; i < granted; i++)
        if (s->request[i].open && (first < 0 || s->request[i].settled < s->request[first].settled)) first = i;
    return first;
}

static leat_i_charge charge_of(double input, double output, double bytes)
{
    return leat_i_charge_request((leat_cost){ input, output, bytes });
}

static int64_t their_ns(const schedule *s, int64_t now)
{
    return s->lie.clock == 1 ? now : (int64_t)((double)now * s->lie.clock);
}

static void request_end(schedule *s, leat_i_member *m, int i, uint64_t *seed)
{
    request *r = &s->request[i];
    r->open = false;
    if (s->noisy && random_chance(seed, 4)) {
        leat_limiter_report report = { (leat_verdict)random_below(seed, 7), random_below(seed, 4) * 700, -1 };
        leat_i_member_report(m, &r->taken, &report, their_ns(s, r->settled));
    }
    if (r->end == TAKEN_BACK)
        leat_i_member_untake(m, &r->taken);
    else
        leat_i_member_settle(m, &r->taken, charge_of(r->used[0], r->used[1], 0));
}

static bool limits_apply(schedule *s, leat_i_member *m, int i, int64_t now)
{
    for (int e = 0; e < s->epoch_count; e++) {
        if (s->epoch[e].from != i || (i > 0 && s->epoch[e].from_ns != 0)) continue;
        leat_limiter_opts o = s->epoch[e].opts;
        o.requests_per_min *= s->lie.requests;
        o.tokens_per_min *= s->lie.tokens;
        o.input_tokens_per_min *= s->lie.tokens;
        o.output_tokens_per_min *= s->lie.tokens;
        o.bytes_per_min *= s->lie.bytes;
        o.requests_per_day = (double)(int64_t)(o.requests_per_day * s->lie.day);
        o.tokens_per_day *= s->lie.day_tokens;
        if (s->lie.at_once && o.requests_per_min == 0) o.burst = 1;
        if (o.in_flight_max) o.in_flight_max += (uint32_t)s->lie.in_flight;
        s->epoch[e].from_ns = now;
        if (!leat_i_member_set(m, &o)) return false;
    }
    return true;
}

static void settle_until(schedule *s, leat_i_member *m, int granted, int64_t now, uint64_t *seed)
{
    for (int ending; (ending = next_settle(s, granted)) >= 0 && s->request[ending].settled <= now;)
        request_end(s, m, ending, seed);
}

/* Request i is the head from `now` on; gives the time when it was let through. */
static int64_t head_run(schedule *s, leat_i_member *m, int i, int64_t now, uint64_t *seed)
{
    request *r = &s->request[i];
    leat_i_charge c = charge_of(r->guess[0], r->guess[1], r->guess[2]);
    bool woken = false;
    int64_t armed = INT64_MAX;
    r->head = now;
    for (;;) {
        settle_until(s, m, i, now, seed);
        int64_t ready = leat_i_member_ready_ns(m, c, their_ns(s, now));
        if (ready <= their_ns(s, now)) break;
        r->judged = now;
        armed = ready;
        if (ready != INT64_MAX) ready = (int64_t)((double)(ready - their_ns(s, now)) / s->lie.clock) + now + 1;
        int64_t until = ready == INT64_MAX ? ready : ready + (woken ? 0 : r->late);
        int ending = next_settle(s, i);
        if (ending >= 0 && s->request[ending].settled <= until) {
            now = s->request[ending].settled;
        } else {
            assert_true(until != INT64_MAX);
            now = until;
            woken = true;
        }
        if (s->jumps && random_chance(seed, 40)) now += random_below(seed, 100 * S);
    }
    if (armed < their_ns(s, now)) leat_i_member_late(m, their_ns(s, now), their_ns(s, now) - armed);
    r->taken = leat_i_member_take(m, c, their_ns(s, now));
    r->granted = now;
    r->settled = now + r->latency;
    r->open = true;
    return now;
}

static void schedule_run(schedule *s, leat_i_member *m)
{
    uint64_t seed = s->seed ^ 0xfeed;
    memset(m, 0, sizeof *m);
    int64_t now = s->request[0].asked;
    for (int i = 0; i < s->count; i++) {
        if (s->request[i].asked > now) now = s->request[i].asked;
        settle_until(s, m, i, now, &seed);
        assert_true(limits_apply(s, m, i, now));
        now = head_run(s, m, i, now, &seed);
        if (s->request[i].end == TAKEN_BACK) request_end(s, m, i, &seed); /* At once: a wait that was canceled. */
    }
    settle_until(s, m, s->count, INT64_MAX, &seed);
    assert_int_equal(m->budget.in_flight, 0);
}

/* ---- the checker: reads limits, sizes and times, nothing else ---- */

static void breach(schedule *s, const char *what, int at)
{
    if (s->breach) return;
    s->breach = what;
    s->breach_at = at;
}

static const epoch *epoch_of(const schedule *s, int i)
{
    int e = s->epoch_count - 1;
    while (s->epoch[e].from > i)
        e--;
    return &s->epoch[e];
}

static void check_windows(schedule *s, int j, const epoch *e)
{
    double per_min = e->opts.requests_per_min, in_minute = 0, in_window = 0;
    if (per_min == 0 || s->request[j].end == TAKEN_BACK) return;
    /* Windows within one epoch: across a change the higher limit would be right, and is judged by its own epoch. */
    for (int i = j; i >= e->from; i--) {
        if (s->request[i].end == TAKEN_BACK) continue;
        double w = (double)(s->request[j].granted - s->request[i].granted) / 1e9;
        in_window++;
        if (w < 60) in_minute++;
        if (in_window > per_min * (w + 0.05) / 60 + 1 + e->opts.burst + 1e-9) breach(s, "too many requests in a window", j);
    }
    if (in_minute > per_min && in_minute > 1) breach(s, "too many requests in 60 s", j);
}

/* What a log holds at `now` as it was known then, of the requests before `end`: amounts of input, output, bytes and requests. */
typedef struct held {
    double input, output, bytes, requests;
} held;

static held held_at(const schedule *s, int end, int64_t now, int64_t window)
{
    held h = { 0 };
    for (int i = 0; i < end; i++) {
        const request *r = &s->request[i];
        if (r->granted <= now - window || (r->end == TAKEN_BACK && r->settled <= now)) continue;
        bool known = r->settled <= now;
        h.input += known ? r->used[0] : r->guess[0];
        h.output += known ? r->used[1] : r->guess[1];
        h.bytes += r->guess[2];
        h.requests++;
    }
    return h;
}

typedef struct amount {
    double limit, held, mine;
} amount;

enum { AMOUNTS = 6 };

static void amounts_of(const schedule *s, int i, int64_t now, int64_t window, amount *a)
{
    const request *r = &s->request[i];
    const leat_limiter_opts *o = &epoch_of(s, i)->opts;
    held minute = held_at(s, i, now, 60 * S + window);
    held day = { 0 };
    if (o->requests_per_day > 0 || o->tokens_per_day > 0) day = held_at(s, i, now, DAY + (window > 0 ? 35 * S : 0));
    /* A limit of a day that came on the way counts from then on. */
    bool day_known = s->epoch_count == 1;
    a[0] = (amount){ o->input_tokens_per_min, minute.input, r->guess[0] };
    a[1] = (amount){ o->output_tokens_per_min, minute.output, r->guess[1] };
    a[2] = (amount){ o->tokens_per_min, minute.input + minute.output, r->guess[0] + r->guess[1] };
    a[3] = (amount){ o->bytes_per_min, minute.bytes, r->guess[2] };
    a[4] = (amount){ day_known ? o->requests_per_day : 0, day.requests, 1 };
    a[5] = (amount){ day_known ? o->tokens_per_day : 0, day.input + day.output, r->guess[0] + r->guess[1] };
}

static void check_amounts(schedule *s, int i)
{
    amount a[AMOUNTS];
    amounts_of(s, i, s->request[i].granted, 0, a);
    for (int k = 0; k < AMOUNTS; k++) {
        bool alone = a[k].mine > a[k].limit && a[k].held <= 1e-6;
        if (a[k].limit > 0 && a[k].held + a[k].mine > a[k].limit + 1e-6 && !alone) breach(s, "too much in a window", i);
    }
}

static int open_at(const schedule *s, int end, int64_t now)
{
    int open = 0;
    for (int i = 0; i < end; i++)
        open += s->request[i].settled > now;
    return open;
}

static void check_in_flight(schedule *s, int i)
{
    uint32_t most = epoch_of(s, i)->opts.in_flight_max;
    if (most > 0 && open_at(s, i, s->request[i].granted) + 1 > (int)most) breach(s, "too many in flight", i);
}

/* ---- tokens and bytes are spread over the minute ---- */

static double limit_of(const leat_limiter_opts *o, int kind)
{
    const double limit[] = { o->input_tokens_per_min, o->output_tokens_per_min, o->tokens_per_min, o->bytes_per_min };
    return o->burst > 0 ? 0 : limit[kind];
}

/* What it counts for at `now`, in whole bytes and 64ths of a token. */
static double size_of(const request *r, int kind, int64_t now)
{
    if (r->end == TAKEN_BACK && r->settled <= now) return 0;
    const double *known = r->settled <= now ? r->used : r->guess;
    if (kind == 3) return ceil(r->guess[2]);
    return ((kind != 1 ? ceil(64 * known[0]) : 0) + (kind != 0 ? ceil(64 * known[1]) : 0)) / 64;
}

/* What the limits from the grant of request `j` until `now` would have let through; < 0 = there was none for some time. */
static double allowed_since(const schedule *s, int i, int j, int kind, int64_t now)
{
    double sum = 0;
    for (const epoch *e = epoch_of(s, j); e <= epoch_of(s, i); e++) {
        if (limit_of(&e->opts, kind) == 0) return -1;
        int64_t from = e->from_ns > s->request[j].granted ? e->from_ns : s->request[j].granted;
        int64_t to = e < epoch_of(s, i) && e[1].from_ns < now ? e[1].from_ns : now;
        if (to > from) sum += limit_of(&e->opts, kind) * (double)(to - from) / 60e9;
    }
    return sum;
}

/* Whether since some request at least 97 % of the limit was used: then it is right to wait. What became known of requests before it
 * counts too, where it was more than had been thought. */
static bool is_spread(const schedule *s, int i, int kind, int64_t now)
{
    double since = 0;
    if (limit_of(&epoch_of(s, i)->opts, kind) == 0) return false;
    for (int j = i - 1; j >= 0; j--) {
        const request *r = &s->request[j];
        since += size_of(r, kind, now);
        double allowed = allowed_since(s, i, j, kind, now), debts = 0;
        if (allowed < 0) return false;
        for (int k = 0; k < j; k++) {
            if (s->request[k].settled <= r->granted) continue;
            double more = size_of(&s->request[k], kind, now) - size_of(&s->request[k], kind, r->granted);
            debts += more > 0 ? more : 0;
        }
        /* A limit that was changed is judged from the last grant on. */
        double changed = limit_of(&epoch_of(s, i)->opts, kind) * (double)(now - r->granted) / 60e9;
        if (since + debts >= 0.97 * fmin(allowed, changed)) return true;
    }
    return false;
}

/* In any time of `w` seconds no more than limit * (w + 10) / 60 and the last one, as far as it was known then. */
static void check_spread(schedule *s, int i)
{
    int64_t now = s->request[i].granted;
    for (int kind = 0; kind < 4; kind++) {
        double limit = limit_of(&epoch_of(s, i)->opts, kind), since = 0;
        if (limit == 0) continue;
        for (int j = i - 1; j >= epoch_of(s, i)->from; j--) {
            const request *r = &s->request[j];
            double back = 0;
            since += size_of(r, kind, now);
            if (since > limit || now - r->granted > 60 * S) break; /* That is the log's business. */
            for (int k = 0; k < j; k++) {
                if (s->request[k].settled <= r->granted) continue;
                double less = size_of(&s->request[k], kind, r->granted) - size_of(&s->request[k], kind, now);
                back += less > 0 ? less : 0;
            }
            if (since > limit * ((double)(now - r->granted) / 1e9 + 10) / 60 + back + REQUESTS_MAX / 32.0)
                breach(s, "too much in a short time", i);
        }
    }
}

/* Whether a request that was told to wait at `now`, or a moment before its time came, had a reason. */
static bool wait_is_right(const schedule *s, int i, int64_t now)
{
    const leat_limiter_opts *o = &epoch_of(s, i)->opts;
    amount a[AMOUNTS];
    amounts_of(s, i, now, 70 * MS, a);
    for (int k = 0; k < AMOUNTS; k++) /* Rounded up, each by a 32nd of a token or a byte at most. */
        if (a[k].limit > 0 && a[k].held + a[k].mine > a[k].limit - 1 - REQUESTS_MAX / 32.0 - (k == 3 ? REQUESTS_MAX : 0))
            return true;
    if (o->in_flight_max > 0 && open_at(s, i, now) >= (int)o->in_flight_max) return true;
    for (int kind = 0; kind < 4; kind++)
        if (is_spread(s, i, kind, now)) return true;
    if ((o->requests_per_day > 0 || o->tokens_per_day > 0) && s->epoch_count > 1)
        return true; /* Not judged: see amounts_of. */
    if (o->requests_per_min == 0) return false;
    if (o->burst > 0 && held_at(s, i, now, 60 * S + 70 * MS).requests + 1 > o->requests_per_min) return true;
    /* The pace: its slot is at most an interval of 97 % of the limit behind the last one that went. */
    return i > 0 && (double)(now - s->request[i - 1].granted) < 60e9 / (0.97 * o->requests_per_min);
}

static void check_use(schedule *s, int i)
{
    const request *r = &s->request[i];
    if (s->jumps || s->noisy || r->judged == 0) return;
    if (!wait_is_right(s, i, r->judged)) breach(s, "told to wait although there was room", i);
    /* It slept until its timer or a settle: nothing changed meanwhile but time, so there was a reason just before the end too, less
     * the time that it overslept. */
    int64_t before = r->granted - r->late - 1 * MS;
    if (before > r->judged && !wait_is_right(s, i, before)) breach(s, "waited longer than there was reason", i);
}

static void schedule_check(schedule *s)
{
    for (int i = 0; i < s->count && !s->breach; i++) {
        check_windows(s, i, epoch_of(s, i));
        check_amounts(s, i);
        check_in_flight(s, i);
        check_spread(s, i);
        check_use(s, i);
    }
}

/* ---- the tests ---- */

static schedule *the_schedule;
static leat_i_member *the_member;

static bool schedule_passes(uint64_t number, const wrong *lie)
{
    schedule_make(the_schedule, number, lie);
    schedule_run(the_schedule, the_member);
    schedule_check(the_schedule);
    return !the_schedule->breach;
}

static void test_random_schedules(void **state)
{
    (void)state;
    const char *one = getenv("LEAT_SEED"), *longer = getenv("LEAT_LONG");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : longer && longer[0] == '1' ? 1000000 : LEAT_TSAN || LEAT_ASAN ? 1000 : 10000;
    for (uint64_t number = first; number < first + count; number++) {
        if (schedule_passes(number, &HONEST)) continue;
        print_error("schedule %" PRIu64 ": %s, at request %d (LEAT_SEED=%" PRIu64 " runs it alone)\n", number,
                    the_schedule->breach, the_schedule->breach_at, number);
        fail();
    }
    print_message("%" PRIu64 " schedules\n", count);
}

/* Each lie must be found in some of the schedules where it matters. */
static void test_the_checker_sees_what_is_wrong(void **state)
{
    static const struct {
        const char *what;
        wrong lie;
    } lies[] = {
        { "requests 4 % too many", { 1.04, 1, 1, 1, 1, 0, 1, false } },
        { "tokens 2 % too many", { 1, 1.02, 1, 1, 1, 0, 1, false } },
        { "bytes 2 % too many", { 1, 1, 1.02, 1, 1, 0, 1, false } },
        { "a day 10 % too full", { 1, 1, 1, 1.1, 1, 0, 1, false } },
        { "tokens of a day 5 % too many", { 1, 1, 1, 1, 1.05, 0, 1, false } },
        { "one more in flight", { 1, 1, 1, 1, 1, 1, 1, false } },
        { "a window of 59 s", { 1, 1, 1, 1, 1, 0, 60 / 59.0, false } },
        { "requests 4 % too few", { 0.96, 1, 1, 1, 1, 0, 1, false } },
        { "tokens 5 % too few", { 1, 0.95, 1, 1, 1, 0, 1, false } },
        { "bytes 10 % too few", { 1, 1, 0.9, 1, 1, 0, 1, false } },
        { "a day 10 % too empty", { 1, 1, 1, 0.9, 1, 0, 1, false } },
        { "tokens of a day 5 % too few", { 1, 1, 1, 1, 0.95, 0, 1, false } },
        { "a window of 62 s", { 1, 1, 1, 1, 1, 0, 60 / 62.0, false } },
        { "tokens all at once", { 1, 1, 1, 1, 1, 0, 1, true } },
    };
    (void)state;
    for (size_t l = 0; l < sizeof lies / sizeof *lies; l++) {
        int found = 0;
        for (uint64_t number = 1; number <= 400; number++)
            found += !schedule_passes(number, &lies[l].lie);
        print_message("%s: found in %d of 400\n", lies[l].what, found);
        assert_true(found >= 5);
    }
}

static int schedule_new(void **state)
{
    (void)state;
    the_schedule = malloc(sizeof *the_schedule);
    the_member = malloc(sizeof *the_member);
    return the_schedule && the_member ? 0 : -1;
}

static int schedule_free(void **state)
{
    (void)state;
    free(the_schedule);
    free(the_member);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schedules),
        cmocka_unit_test(test_the_checker_sees_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, schedule_new, schedule_free);
}
