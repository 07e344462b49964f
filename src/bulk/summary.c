/* summary.c: the counters of a run as its summary. */
#include "run.h"

#include "../llm/turn.h"

double leat_i_limit_used(const leat_i_run *run, const leat_limiter_stats *s)
{
    double minutes = (double)(leat_i_runtime_now_ns(run->rt) - run->start_ns) / 60e9, used = -1;
    if (minutes <= 0) return -1;
    if (s->requests_per_min > 0) used = (double)(s->granted - run->granted_before) / (s->requests_per_min * minutes);
    double tokens = s->tokens_per_min > 0 ? (s->tokens_charged - run->charged_before) / (s->tokens_per_min * minutes) : -1;
    if (tokens > used) used = tokens;
    return used < 1 ? used : 1;
}

void leat_i_summary_fill(leat_i_run *run)
{
    leat_bulk_summary *s = run->summary;
    leat_i_counters *c = &run->count;
    s->rows_done_before = run->journal.rows;
    s->rows_failed_before = run->journal.rows_failed;
    s->rows_ok = leat_load_relaxed(&c->ok);
    s->rows_failed = leat_load_relaxed(&c->failed);
    s->requests = leat_load_relaxed(&c->requests);
    s->throttles = leat_load_relaxed(&c->throttles);
    s->possibly_billed = leat_load_relaxed(&c->possibly_billed);
    s->tokens_in = leat_load_relaxed(&c->tokens_in);
    s->tokens_out = leat_load_relaxed(&c->tokens_out);
    s->tokens_cached = leat_load_relaxed(&c->tokens_cached);
    s->tokens_reasoning = leat_load_relaxed(&c->tokens_reasoning);
    s->cost = (double)leat_load_relaxed(&c->cost_millionths) / 1e6 + leat_i_spending_priced(&run->spending);
    s->provider = run->opts->llm ? leat_i_llm_provider(run->opts->llm) : NULL;
    for (size_t i = 0; i < sizeof s->class_count / sizeof s->class_count[0]; i++)
        s->class_count[i] = leat_load_relaxed(&c->by_class[i]);
    leat_i_places_sum_up(&run->places, run->opts->llm, s);
    leat_limiter *l = run->opts->llm ? leat_i_llm_limiter(run->opts->llm) : NULL;
    leat_limiter_stats stats;
    if (!l) return;
    leat_limiter_read(l, &stats);
    s->limit_used = leat_i_limit_used(run, &stats);
}
