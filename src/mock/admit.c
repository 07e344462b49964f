/* admit.c: the limits of the endpoint, and the delays and faults that were ordered. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TWO_PI 6.283185307179586

/* The windows of a key. Endless new keys cannot grow the table: at its limit they share the last place. */
static leat_i_mock_key *key_find(leat_mock *m, uint64_t hash)
{
    uint32_t mask = LEAT_I_MOCK_KEYS_MAX * 2 - 1;
    uint32_t at = (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
    if (!m->keys) {
        m->keys = leat_i_alloc_zeroed((mask + 1) * sizeof *m->keys);
        if (!m->keys) return NULL;
    }
    hash = hash ? hash : 1; /* 0 marks a free place; requests without a key share one window */
    while (m->keys[at].hash && m->keys[at].hash != hash)
        at = (at + 1) & mask;
    if (m->keys[at].hash) return &m->keys[at];
    if (m->key_count == LEAT_I_MOCK_KEYS_MAX) {
        hash = UINT64_MAX;
        at = (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
        while (m->keys[at].hash && m->keys[at].hash != hash)
            at = (at + 1) & mask;
        if (m->keys[at].hash) return &m->keys[at];
    }
    m->key_count++;
    m->keys[at].hash = hash;
    return &m->keys[at];
}

static void refuse_busy(leat_i_mock_request *r)
{
    const leat_mock *m = leat_i_mock_of(r);
    r->decision = "overloaded";
    leat_i_mock_fail(r, 503, "server_error", NULL, "overloaded",
                     "The engine is currently overloaded, please try again later (%u requests in flight).",
                     m->opts.in_flight_max);
    r->retry_ns = m->opts.retry_after_s > 0 ? (int64_t)(m->opts.retry_after_s * 1e9) : LEAT_I_NS_PER_S;
}

static void refuse_limit(leat_i_mock_request *r, leat_i_mock_verdict verdict, uint64_t tokens)
{
    const leat_mock *m = leat_i_mock_of(r);
    const leat_i_mock_limits *l = &m->limits;
    bool by_tokens = verdict != LEAT_I_MOCK_OVER_REQUESTS;
    r->decision = by_tokens ? "limited_tokens" : "limited_requests";
    if (verdict == LEAT_I_MOCK_NEVER) {
        leat_i_mock_fail(r, 429, "tokens", NULL, "rate_limit_exceeded",
                         "Request too large for " LEAT_I_MOCK_MODEL " on tokens per min (TPM): Limit %llu, Requested %llu.",
                         (unsigned long long)l->tokens, (unsigned long long)tokens);
        return;
    }
    r->retry_ns = m->opts.retry_after_s > 0 ? (int64_t)(m->opts.retry_after_s * 1e9) : r->limit_state.wait_ns;
    double seconds = (double)r->retry_ns / 1e9;
    if (by_tokens)
        leat_i_mock_fail(r, 429, "tokens", NULL, "rate_limit_exceeded",
                         "Rate limit reached for " LEAT_I_MOCK_MODEL " on tokens per min (TPM): Limit %llu, Used %llu, "
                         "Requested %llu. Please try again in %.3fs.",
                         (unsigned long long)l->tokens, (unsigned long long)(l->tokens - r->limit_state.tokens_left),
                         (unsigned long long)tokens, seconds);
    else
        leat_i_mock_fail(r, 429, "requests", NULL, "rate_limit_exceeded",
                         "Rate limit reached for " LEAT_I_MOCK_MODEL " on requests per min (RPM): Limit %llu, Used %llu, "
                         "Requested 1. Please try again in %.3fs.",
                         (unsigned long long)l->requests, (unsigned long long)(l->requests - r->limit_state.requests_left),
                         seconds);
}

static void count_in(leat_i_mock_request *r)
{
    leat_mock *m = leat_i_mock_of(r);
    uint32_t now = leat_load_relaxed(&m->counters.in_flight) + 1;
    leat_store_relaxed(&m->counters.in_flight, now);
    if (now > leat_load_relaxed(&m->counters.in_flight_peak)) leat_store_relaxed(&m->counters.in_flight_peak, now);
    leat_store_relaxed(&m->counters.window_max, m->peak.peak);
    r->admitted = true;
}

leat_i_mock_decision leat_i_mock_admit(leat_i_mock_request *r, uint64_t tokens, int64_t now_ns)
{
    leat_mock *m = leat_i_mock_of(r);
    bool limited = m->limits.requests || m->limits.tokens;
    leat_i_mock_key *key = limited ? key_find(m, r->key_hash) : NULL;
    r->tokens = tokens;
    if (limited && !key) {
        leat_i_mock_fail_memory(r);
        return LEAT_I_MOCK_REFUSED;
    }
    if (m->opts.in_flight_max && leat_load_relaxed(&m->counters.in_flight) >= m->opts.in_flight_max) {
        refuse_busy(r);
        return LEAT_I_MOCK_REFUSED;
    }
    if (limited) {
        leat_i_mock_verdict verdict = leat_i_mock_window_judge(&key->window, &m->limits, now_ns, tokens);
        bool added = verdict == LEAT_I_MOCK_ADMIT && leat_i_mock_window_add(&key->window, now_ns, tokens);
        leat_i_mock_window_state(&key->window, &m->limits, now_ns, added ? 0 : tokens, &r->limit_state);
        r->limits_known = true;
        if (verdict != LEAT_I_MOCK_ADMIT) {
            refuse_limit(r, verdict, tokens);
            return LEAT_I_MOCK_REFUSED;
        }
        if (!added) {
            leat_i_mock_fail_memory(r);
            return LEAT_I_MOCK_REFUSED;
        }
    }
    if (!leat_i_mock_peak_add(&m->peak, now_ns)) {
        leat_i_mock_fail_memory(r);
        return LEAT_I_MOCK_REFUSED;
    }
    count_in(r);
    return LEAT_I_MOCK_ACCEPTED;
}

/* The delay: constant, or log-normal around its median. */
static int64_t latency_ns(const leat_mock_opts *opts, double normal)
{
    if (opts->latency_ms <= 0) return 0;
    double ms = opts->latency_ms * exp(opts->latency_sigma * normal);
    return ms < 86400e3 ? (int64_t)(ms * 1e6) : (int64_t)86400e9;
}

int64_t leat_i_mock_fault(leat_i_mock_request *r)
{
    leat_mock *m = leat_i_mock_of(r);
    const leat_mock_opts *opts = &m->opts;
    /* Each request takes four numbers, used or not: so the sequence of the seed does not depend on what was ordered. */
    double a = leat_i_rand_unit(&m->rand), b = leat_i_rand_unit(&m->rand);
    double error = leat_i_rand_unit(&m->rand), cut = leat_i_rand_unit(&m->rand);
    double normal = opts->latency_sigma > 0 ? sqrt(-2 * log(1 - a)) * cos(TWO_PI * b) : 0;
    int64_t delay_ns = latency_ns(opts, normal);
    if (opts->tokens_per_s > 0 && !r->streaming) delay_ns += (int64_t)((double)r->tokens_reply / opts->tokens_per_s * 1e9);
    if (error < opts->error_rate) {
        r->decision = "fault";
        leat_i_mock_fail(r, opts->error_status, opts->error_status < 500 ? "invalid_request_error" : "server_error", NULL,
                         NULL, "An ordered fault of the mock endpoint (error rate %g).", opts->error_rate);
        if (opts->error_status == 429 || opts->error_status == 503)
            r->retry_ns = opts->retry_after_s > 0 ? (int64_t)(opts->retry_after_s * 1e9) : LEAT_I_NS_PER_S;
    } else if (cut < opts->cut_rate) {
        r->decision = "cut";
        r->cut_at = r->out.size / 2;
    }
    return delay_ns;
}
