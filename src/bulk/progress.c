/*
 * progress.c: tells how far a run is, on standard error: a bar on a terminal, plain lines elsewhere, JSON lines for programs.
 *
 * The ticker reads counters and draws; carriers never wait for it. Writing goes through leat_blocking: a terminal that was stopped
 * with Ctrl-S must not stop a worker. No text of documents, ids or replies is shown here, only numbers.
 */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../llm/turn.h"

enum {
    PROGRESS_FD = 2,
    PROGRESS_WAIT_MS = 1000,
    PROGRESS_BAR_MS = 200,
    PROGRESS_JSON_MS = 1000,
    PROGRESS_PLAIN_MS = 10000,
    PROGRESS_COLUMNS = 80,
    PROGRESS_BAR_CELLS = 12,
    PROGRESS_SMOOTH_MS = 5000,    /* rates follow the last seconds */
    PROGRESS_ETA_S_MAX = 8640000, /* a hundred days */
};

typedef struct progress {
    leat_i_run *run;
    leat_bulk_progress form;
    int64_t last_ns;
    uint64_t last_rows;
    double rows_per_s; /* smoothed */
    size_t shown;      /* columns of the bar on the screen */
} progress;

typedef struct progress_now {
    uint64_t rows, failed, requests, throttles, retries, tokens_in, tokens_out;
    uint64_t done;         /* documents that have their rows, from earlier runs too */
    uint64_t total;        /* documents; 0 = not known */
    uint32_t in_flight;    /* requests */
    double fraction;       /* of the documents that are done; < 0 = not known */
    double eta_s;          /* < 0 = not known */
    double limit_used;     /* < 0 = no limit */
    bool is_away;          /* the endpoint, and the run pauses */
    bool waits_for_limit;  /* nothing is at the endpoint, since the limit lets nothing through now */
    double told_to_wait_s; /* the same, since the endpoint has asked for it; 0 = it has not */
    double elapsed_s;
} progress_now;

static leat_bulk_progress form_of(leat_bulk_progress asked)
{
    if (asked != LEAT_BULK_PROGRESS_AUTO) return asked;
    return leat_i_os_is_terminal(PROGRESS_FD) ? LEAT_BULK_PROGRESS_BAR : LEAT_BULK_PROGRESS_PLAIN;
}

static void rates_update(progress *p, int64_t now_ns, uint64_t rows)
{
    double dt = (double)(now_ns - p->last_ns) / 1e9;
    if (dt <= 0) return;
    double since_start = (double)(now_ns - p->run->start_ns) / 1e9;
    double smooth = since_start < PROGRESS_SMOOTH_MS / 1000.0 ? since_start : PROGRESS_SMOOTH_MS / 1000.0;
    double weight = dt < smooth ? dt / smooth : 1;
    p->rows_per_s += weight * ((double)(rows - p->last_rows) / dt - p->rows_per_s);
    p->last_ns = now_ns;
    p->last_rows = rows;
}

/* What is done, of how many: exactly once all of the input was taken or counted, else by the share of its bytes that was taken. */
static void share_read(const progress *p, progress_now *n)
{
    leat_i_feed *f = &p->run->feed;
    uint64_t taken = leat_load_relaxed(&f->documents), counted = leat_load_relaxed(&f->file_count);
    uint64_t bytes = leat_load_relaxed(&f->bytes_taken), bytes_total = f->reader.bytes_total;
    n->done = n->rows + leat_load_relaxed(&f->skipped);
    double expected = 0;
    if (leat_load_relaxed(&f->ended))
        n->total = taken;
    else if (counted > 0)
        n->total = counted > taken ? counted : taken;
    else if (bytes > 0 && bytes_total > 0 && p->run->opts->format != LEAT_BULK_FILES)
        expected = (double)taken * (double)bytes_total / (double)bytes;
    if (n->total > 0) expected = (double)n->total;
    if (expected <= 0) return;
    n->fraction = (double)n->done < expected ? (double)n->done / expected : 1;
    /* In a pause the rate sinks towards 0: what would take years is not known. */
    if (p->rows_per_s * PROGRESS_ETA_S_MAX > (1 - n->fraction) * expected)
        n->eta_s = (1 - n->fraction) * expected / p->rows_per_s;
}

static void now_read(progress *p, int64_t now_ns, progress_now *n)
{
    leat_i_run *run = p->run;
    leat_i_counters *c = &run->count;
    *n = (progress_now){ .fraction = -1, .eta_s = -1, .limit_used = -1 };
    n->failed = leat_load_relaxed(&c->failed);
    n->rows = leat_load_relaxed(&c->ok) + n->failed;
    n->requests = leat_load_relaxed(&c->requests);
    n->throttles = leat_load_relaxed(&c->throttles);
    n->tokens_in = leat_load_relaxed(&c->tokens_in);
    n->tokens_out = leat_load_relaxed(&c->tokens_out);
    n->in_flight = leat_load_relaxed(&c->in_flight);
    n->elapsed_s = (double)(now_ns - run->start_ns) / 1e9;
    n->retries = leat_load_relaxed(&c->retries);
    n->is_away = leat_load_relaxed(&run->outage.on);
    rates_update(p, now_ns, n->rows);
    share_read(p, n);
    leat_limiter *l = run->opts->llm ? leat_i_llm_limiter(run->opts->llm) : NULL;
    if (!l || n->elapsed_s <= 0) return;
    leat_limiter_stats s;
    leat_limiter_read(l, &s);
    n->limit_used = leat_i_limit_used(run, &s);
    if (n->in_flight > 0 || n->is_away) return;
    int64_t told_ns = leat_load_relaxed(&run->told_to_wait_ns) - now_ns;
    if (told_ns > 0)
        n->told_to_wait_s = (double)told_ns / 1e9;
    else
        n->waits_for_limit = s.waiting > 0;
}

/* ---- the three forms ---- */

static void put_time(leat_i_buf *b, double seconds)
{
    unsigned long long s = (unsigned long long)(seconds + 0.5);
    if (s >= 3600)
        leat_i_buf_printf(b, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
    else
        leat_i_buf_printf(b, "%llu:%02llu", s / 60, s % 60);
}

static void put_counts(leat_i_buf *b, const progress *p, const progress_now *n)
{
    leat_i_buf_printf(b, "%llu", (unsigned long long)n->done);
    if (n->total > 0) leat_i_buf_printf(b, "/%llu", (unsigned long long)n->total);
    leat_i_buf_puts(b, " done");
    if (n->failed > 0) leat_i_buf_printf(b, ", %llu failed", (unsigned long long)n->failed);
    leat_i_buf_printf(b, ", %.*f/s", p->rows_per_s < 100 ? 1 : 0, p->rows_per_s);
    /* Before what is longer: a bar ends with the line of the terminal. */
    if (n->eta_s >= 0) {
        leat_i_buf_puts(b, ", ");
        put_time(b, n->eta_s);
        leat_i_buf_puts(b, " left");
    }
    leat_i_buf_printf(b, ", %u in flight", n->in_flight);
    if (n->is_away) leat_i_buf_puts(b, ", waiting for the endpoint");
    if (n->waits_for_limit) leat_i_buf_puts(b, ", waiting for the limit");
    if (n->told_to_wait_s > 0) leat_i_buf_printf(b, ", the endpoint asked to wait: %.0f s", ceil(n->told_to_wait_s));
    if (n->retries > 0) leat_i_buf_printf(b, ", %llu retries", (unsigned long long)n->retries);
    if (n->limit_used >= 0) leat_i_buf_printf(b, ", limit %.0f%%", n->limit_used * 100);
}

static void put_bar(leat_i_buf *b, progress *p, const progress_now *n)
{
    uint32_t columns = leat_i_os_terminal_columns(PROGRESS_FD);
    if (columns < 20) columns = PROGRESS_COLUMNS;
    leat_i_buf line = { 0 };
    if (n->fraction >= 0) {
        int full = (int)(n->fraction * PROGRESS_BAR_CELLS);
        leat_i_buf_printf(&line, "%3.0f%% [", floor(n->fraction * 100));
        for (int i = 0; i < PROGRESS_BAR_CELLS; i++)
            leat_i_buf_append(&line, i < full ? "#" : ".", 1);
        leat_i_buf_puts(&line, "] ");
    }
    put_counts(&line, p, n);
    size_t size = line.size < columns - 1 ? line.size : columns - 1;
    leat_i_buf_append(b, "\r", 1);
    leat_i_buf_append(b, line.data ? line.data : "", size);
    /* What the line before had more is wiped with blanks: no escape codes, so that a log of it stays readable. */
    for (size_t i = size; i < p->shown; i++)
        leat_i_buf_append(b, " ", 1);
    p->shown = size;
    leat_i_buf_fini(&line);
}

static void put_plain(leat_i_buf *b, const progress *p, const progress_now *n)
{
    leat_i_buf_puts(b, "leat: ");
    if (n->fraction >= 0) leat_i_buf_printf(b, "%.0f%%, ", floor(n->fraction * 100));
    put_counts(b, p, n);
    leat_i_buf_printf(b, ", %llu+%llu tokens\n", (unsigned long long)n->tokens_in, (unsigned long long)n->tokens_out);
}

static void put_json_number(leat_i_buf *b, const char *name, double v, bool known)
{
    leat_i_buf_printf(b, ",\"%s\":", name);
    (void)leat_i_json_put_double(b, known ? v : NAN);
}

static void put_json(leat_i_buf *b, const progress *p, const progress_now *n)
{
    leat_i_buf_printf(
        b, "{\"event\":\"progress\",\"rows\":%llu,\"failed\":%llu,\"done_before\":%llu,\"in_flight\":%u,\"requests\":%llu",
        (unsigned long long)n->rows, (unsigned long long)n->failed, (unsigned long long)p->run->journal.rows, n->in_flight,
        (unsigned long long)n->requests);
    leat_i_buf_printf(b, ",\"retries\":%llu,\"throttles\":%llu,\"tokens_in\":%llu,\"tokens_out\":%llu",
                      (unsigned long long)n->retries, (unsigned long long)n->throttles, (unsigned long long)n->tokens_in,
                      (unsigned long long)n->tokens_out);
    leat_i_buf_printf(b, ",\"done\":%llu,\"total\":", (unsigned long long)n->done);
    if (n->total > 0)
        leat_i_buf_printf(b, "%llu", (unsigned long long)n->total);
    else
        leat_i_buf_puts(b, "null");
    put_json_number(b, "rows_per_s", p->rows_per_s, true);
    put_json_number(b, "elapsed_s", n->elapsed_s, true);
    put_json_number(b, "fraction", n->fraction, n->fraction >= 0);
    put_json_number(b, "eta_s", n->eta_s, n->eta_s >= 0);
    put_json_number(b, "limit_used", n->limit_used, n->limit_used >= 0);
    put_json_number(b, "told_to_wait_s", n->told_to_wait_s, n->told_to_wait_s > 0);
    leat_i_buf_puts(b, n->is_away ? ",\"endpoint_away\":true" : ",\"endpoint_away\":false");
    leat_i_buf_puts(b, n->waits_for_limit ? ",\"waits_for_limit\":true" : ",\"waits_for_limit\":false");
    leat_i_buf_puts(b, "}\n");
}

/* ---- the task ---- */

static leat_err job_show(void *arg)
{
    const leat_i_buf *b = arg;
    /* Progress that cannot be shown is no reason to stop the work, nor to wait for its end: who reads again sees the next one. */
    if (leat_i_os_wait_writable(PROGRESS_FD, PROGRESS_WAIT_MS) > 0)
        (void)leat_i_os_write_all(PROGRESS_FD, b->data, b->size, NULL);
    return LEAT_OK;
}

static void show(leat_task *t, leat_i_buf *b)
{
    if (b->size > 0 && !b->failed && leat_blocking(t, job_show, b) != LEAT_OK) (void)job_show(b);
    leat_i_buf_fini(b);
}

static void draw(leat_task *t, progress *p)
{
    progress_now n;
    leat_i_buf b = { 0 };
    now_read(p, leat_task_now_ns(t), &n);
    if (p->form == LEAT_BULK_PROGRESS_BAR)
        put_bar(&b, p, &n);
    else if (p->form == LEAT_BULK_PROGRESS_JSON)
        put_json(&b, p, &n);
    else
        put_plain(&b, p, &n);
    show(t, &b);
}

static void bar_wipe(leat_task *t, progress *p)
{
    if (p->shown == 0) return;
    leat_i_buf b = { 0 };
    leat_i_buf_append(&b, "\r", 1);
    for (size_t i = 0; i < p->shown; i++)
        leat_i_buf_append(&b, " ", 1);
    leat_i_buf_append(&b, "\r", 1);
    show(t, &b);
}

leat_err leat_i_ticker(leat_task *t, void *arg, const void **result)
{
    leat_i_run *run = arg;
    (void)result;
    progress p = { .run = run, .form = form_of(run->opts->progress), .last_ns = run->start_ns };
    int64_t wait_ms = p.form == LEAT_BULK_PROGRESS_BAR    ? PROGRESS_BAR_MS
                      : p.form == LEAT_BULK_PROGRESS_JSON ? PROGRESS_JSON_MS
                                                          : PROGRESS_PLAIN_MS;
    while (leat_sleep_ms(t, wait_ms) == LEAT_OK)
        draw(t, &p);
    /* Programs that read JSON get the last state whatever the moment; people get the summary. */
    if (p.form == LEAT_BULK_PROGRESS_JSON) draw(t, &p);
    bar_wipe(t, &p);
    return LEAT_OK;
}
