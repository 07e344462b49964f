/* admit.c: the limits of the endpoint, and the delays and faults that were ordered. */
#include "play.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TWO_PI 6.283185307179586

#define HASH_NONE UINT64_C(1) /* of requests without a key, which share one window; 0 marks a free place */
#define HASH_REST UINT64_MAX  /* of all keys for which there is no place */

/* The place of a hash, or the free one where it would be. */
static leat_i_mock_key *key_place(const leat_mock *m, uint64_t hash)
{
    const uint32_t mask = LEAT_I_MOCK_KEYS_MAX * 2 - 1;
    uint32_t at = (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
    while (m->keys[at].hash && m->keys[at].hash != hash)
        at = (at + 1) & mask;
    return &m->keys[at];
}

/* The windows of a key; NULL = memory is short. Endless new keys cannot grow the table: at its limit they share a place. */
static leat_i_mock_key *key_find(leat_mock *m, uint64_t hash)
{
    if (!hash) hash = HASH_NONE;
    if (!m->keys) m->keys = leat_i_alloc_zeroed(LEAT_I_MOCK_KEYS_MAX * 2 * sizeof *m->keys);
    if (!m->keys) return NULL;
    leat_i_mock_key *key = key_place(m, hash);
    if (!key->hash && m->key_count >= LEAT_I_MOCK_KEYS_MAX) {
        hash = HASH_REST;
        key = key_place(m, hash);
    }
    if (key->hash) return key;
    m->key_count++;
    key->hash = hash;
    return key;
}

static void refuse_busy(leat_i_mock_request *r)
{
    const leat_mock *m = leat_i_mock_of(r);
    r->decision = "overloaded";
    r->retry_ns = m->opts.retry_after_s > 0 ? (int64_t)(m->opts.retry_after_s * 1e9) : LEAT_I_NS_PER_S;
    leat_i_mock_fail(r, 503, "server_error", NULL, "overloaded",
                     "The engine is currently overloaded, please try again later (%u requests in flight).",
                     leat_load_relaxed(&m->counters.in_flight));
}

static void count_in(leat_i_mock_request *r, leat_i_mock_key *key)
{
    leat_mock *m = leat_i_mock_of(r);
    uint32_t now = leat_load_relaxed(&m->counters.in_flight) + 1;
    leat_store_relaxed(&m->counters.in_flight, now);
    if (now > leat_load_relaxed(&m->counters.in_flight_peak)) leat_store_relaxed(&m->counters.in_flight_peak, now);
    leat_store_relaxed(&m->counters.window_max, m->peak.peak);
    r->admitted = true;
    r->key = key;
    if (key) key->in_flight++;
}

void leat_i_mock_count_out(leat_i_mock_request *r)
{
    leat_mock *m = leat_i_mock_of(r);
    if (!r->admitted) return;
    leat_store_relaxed(&m->counters.in_flight, leat_load_relaxed(&m->counters.in_flight) - 1);
    if (r->key) r->key->in_flight--;
}

/* A window that judges, what it is charged, and what comes of it. */
typedef struct gate {
    leat_i_mock_window *window;
    leat_i_mock_limits limits;
    uint64_t tokens;
    leat_i_mock_state *state;
    const char *what; /* its tokens are called */
    leat_i_mock_verdict verdict;
} gate;

/* `wait_ns`: until all windows would let it in. */
static void refuse_limit(leat_i_mock_request *r, const gate *g, int64_t wait_ns)
{
    const leat_mock *m = leat_i_mock_of(r);
    bool by_tokens = g->verdict != LEAT_I_MOCK_OVER_REQUESTS;
    r->decision = by_tokens ? "limited_tokens" : "limited_requests";
    if (g->verdict == LEAT_I_MOCK_NEVER) {
        leat_i_mock_fail(r, 429, "tokens", NULL, "rate_limit_exceeded",
                         "Request too large for " LEAT_I_MOCK_MODEL " on %s per min (TPM): Limit %llu, Requested %llu.",
                         g->what, (unsigned long long)g->limits.tokens, (unsigned long long)g->tokens);
        return;
    }
    r->retry_ns = m->opts.retry_after_s > 0 ? (int64_t)(m->opts.retry_after_s * 1e9) : wait_ns;
    long long ms = (r->retry_ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS;
    if (by_tokens)
        leat_i_mock_fail(r, 429, "tokens", NULL, "rate_limit_exceeded",
                         "Rate limit reached for " LEAT_I_MOCK_MODEL " on %s per min (TPM): Limit %llu, Used %llu, "
                         "Requested %llu. Please try again in %lld.%03llds.",
                         g->what, (unsigned long long)g->limits.tokens, (unsigned long long)g->state->tokens_used,
                         (unsigned long long)g->tokens, ms / 1000, ms % 1000);
    else
        leat_i_mock_fail(r, 429, "requests", NULL, "rate_limit_exceeded",
                         "Rate limit reached for " LEAT_I_MOCK_MODEL " on requests per min (RPM): Limit %llu, Used %llu, "
                         "Requested 1. Please try again in %lld.%03llds.",
                         (unsigned long long)g->limits.requests, (unsigned long long)g->state->requests_used, ms / 1000,
                         ms % 1000);
}

/* Judges by the windows of the key, and charges all of them or none. False = refused, or memory is short: the answer says which. */
static bool window_pass(leat_i_mock_request *r, leat_i_mock_key *key, int64_t now_ns)
{
    const leat_i_mock_limits *l = &r->limits;
    gate gates[] = {
        { &key->window, { .requests = l->requests, .tokens = l->tokens }, r->tokens, &r->limit_state, "tokens", 0 },
        { &key->input, { .tokens = l->input }, r->tokens_in, &r->input_state, "input tokens", 0 },
        { &key->output, { .tokens = l->output }, r->tokens - r->tokens_in, &r->output_state, "output tokens", 0 },
    };
    const leat_mock *m = leat_i_mock_of(r);
    /* Parts are kept where they will ever be judged alone. */
    const int count = m->limits.input || m->limits.output || m->script.has_parts ? 3 : 1;
    const gate *closed = NULL;
    bool added = true;
    for (int i = 0; i < count; i++) {
        gate *g = &gates[i];
        g->verdict = leat_i_mock_window_judge(g->window, &g->limits, now_ns, g->tokens);
        if (g->verdict != LEAT_I_MOCK_ADMIT && (!closed || g->verdict == LEAT_I_MOCK_NEVER)) closed = g;
    }
    for (int i = 0; i < count && !closed && added; i++)
        added = leat_i_mock_window_add(gates[i].window, now_ns, gates[i].tokens);
    int64_t wait_ns = 0;
    for (int i = 0; i < count; i++) {
        gate *g = &gates[i];
        leat_i_mock_window_state(g->window, &g->limits, now_ns, closed ? g->tokens : 0, g->state);
        if (g->state->wait_ns > wait_ns) wait_ns = g->state->wait_ns;
    }
    r->limits_known = true;
    if (closed)
        refuse_limit(r, closed, wait_ns);
    else if (!added)
        leat_i_mock_fail_memory(r);
    return !closed && added;
}

bool leat_i_mock_admit(leat_i_mock_request *r, uint64_t tokens, int64_t now_ns)
{
    leat_mock *m = leat_i_mock_of(r);
    bool limited = m->limits.requests || m->limits.tokens || m->limits.input || m->limits.output || m->script.has_limits;
    leat_i_mock_key *key = limited ? key_find(m, r->key_hash) : NULL;
    int64_t at_ns = now_ns - m->start_ns;
    r->tokens = tokens;
    r->limits = leat_i_mock_script_limits(&m->script, &m->limits, r->key_hash, at_ns);
    if (limited && !key) {
        leat_i_mock_fail_memory(r);
        return false;
    }
    if ((r->limits.in_flight && leat_load_relaxed(&m->counters.in_flight) >= r->limits.in_flight) ||
        (r->limits.in_flight_of_key && key->in_flight >= r->limits.in_flight_of_key)) {
        refuse_busy(r);
        return false;
    }
    if (limited && !window_pass(r, key, now_ns)) return false;
    if (!leat_i_mock_peak_add(&m->peak, now_ns)) {
        leat_i_mock_fail_memory(r);
        return false;
    }
    count_in(r, key);
    r->order = leat_i_mock_script_fault(&m->script, r->key_hash, at_ns);
    return true;
}

/* A number of the normal distribution from two of the even one. */
static double normal_of(double a, double b)
{
    return sqrt(-2 * log(1 - a)) * cos(TWO_PI * b);
}

/* Constant, or log-normal around its median; a day at most. */
static int64_t spread_ns(double median_ms, double sigma, double normal)
{
    if (median_ms <= 0) return 0;
    double ms = sigma > 0 ? median_ms * exp(sigma * normal) : median_ms;
    return ms < 86400e3 ? (int64_t)(ms * 1e6) : (int64_t)86400e9;
}

/* When its first token comes, and how fast the others. What is drawn is the request's own: it shifts no other draw. */
static void pace_draw(leat_i_mock_request *r)
{
    const leat_mock_opts *opts = &leat_i_mock_of(r)->opts;
    uint64_t state = leat_i_mock_id(r);
    r->first_token_ns = spread_ns(opts->first_token_ms, 0, 0);
    r->tokens_per_s = opts->tokens_per_s;
    if (opts->first_token_sigma <= 0 && opts->tokens_sigma <= 0) return;
    double a = leat_i_rand_unit(&state), b = leat_i_rand_unit(&state);
    double c = leat_i_rand_unit(&state), d = leat_i_rand_unit(&state);
    r->first_token_ns = spread_ns(opts->first_token_ms, opts->first_token_sigma, normal_of(a, b));
    r->tokens_per_s = opts->tokens_per_s * exp(opts->tokens_sigma * normal_of(c, d));
}

/* The share of errors of the options. */
static void error_put(leat_i_mock_request *r)
{
    const leat_mock_opts *opts = &leat_i_mock_of(r)->opts;
    if (opts->error_status == 429 || opts->error_status == 503)
        r->retry_ns = opts->retry_after_s > 0 ? (int64_t)(opts->retry_after_s * 1e9) : LEAT_I_NS_PER_S;
    leat_i_mock_refuse_as_ordered(r, opts->error_status, NULL, NULL,
                                  "An ordered fault of the mock endpoint (by --error-rate).");
}

int64_t leat_i_mock_fault(leat_i_mock_request *r)
{
    leat_mock *m = leat_i_mock_of(r);
    const leat_mock_opts *opts = &m->opts;
    /* Each request takes four numbers, used or not: so the sequence of the seed does not depend on what was ordered. */
    double a = leat_i_rand_unit(&m->rand), b = leat_i_rand_unit(&m->rand);
    double error = leat_i_rand_unit(&m->rand), cut = leat_i_rand_unit(&m->rand);
    int64_t delay_ns = spread_ns(opts->latency_ms, opts->latency_sigma, opts->latency_sigma > 0 ? normal_of(a, b) : 0);
    pace_draw(r);
    if (!r->streaming) delay_ns += r->first_token_ns;
    if (r->tokens_per_s > 0 && !r->streaming) delay_ns += (int64_t)((double)r->tokens_reply / r->tokens_per_s * 1e9);
    if (r->order) {
        delay_ns = leat_i_os_add_ns(delay_ns, leat_i_mock_play(r));
    } else if (error < opts->error_rate) {
        error_put(r);
    } else if (cut < opts->cut_rate) {
        r->decision = "cut";
        r->cut_at = r->out.size / 2;
    }
    return delay_ns;
}
