/* summary.c: the closing words of a run: what was done, what failed and why, what it took, and where the rows are. */
#include "summary.h"

#include <stdio.h>
#include <string.h>

#include "../base/clean.h"
#include "../base/json.h"
#include "../llm/cases.h"
#include "say.h"

enum { PATH_BYTES_MAX = 4096, RATE_MS_MIN = 2000 };

/* 1234567 as 1,234,567. */
static void count_put(leat_i_buf *b, uint64_t n)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0) leat_i_buf_puts(b, ",");
        leat_i_buf_append(b, &digits[i], 1);
    }
}

static void counted_put(leat_i_buf *b, const char *before, uint64_t n, const char *after)
{
    leat_i_buf_puts(b, before);
    count_put(b, n);
    leat_i_buf_puts(b, after);
}

static void time_put(leat_i_buf *b, int64_t ms)
{
    int64_t s = ms / 1000;
    if (s < 60)
        leat_i_buf_printf(b, "%.1f s", (double)ms / 1000);
    else if (s < 3600)
        leat_i_buf_printf(b, "%d min %d s", (int)(s / 60), (int)(s % 60));
    else
        leat_i_buf_printf(b, "%lld h %d min", (long long)(s / 3600), (int)(s / 60 % 60));
}

static void endpoints_put(leat_i_buf *b, const leat_bulk_summary *s)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const leat_bulk_endpoint *e = &s->endpoint[i];
        leat_i_buf_printf(b, "\n  endpoint %u: ", i + 1);
        counted_put(b, "", e->good, " good");
        counted_put(b, ", ", e->failed, " failed");
        if (e->throttles) counted_put(b, ", ", e->throttles, " told to wait");
        leat_i_buf_printf(b, ", %s%s", e->url, e->is_out ? " (out)" : "");
    }
}

static void plain_put(leat_i_buf *b, const leat_bulk_summary *s, const char *output)
{
    counted_put(b, "rows:      ", s->rows_ok, " good");
    counted_put(b, ", ", s->rows_failed, " failed");
    if (s->rows_done_before) counted_put(b, ", ", s->rows_done_before, " done before");
    if (s->rows_failed_before) counted_put(b, " (", s->rows_failed_before, " of them failed)");
    leat_i_buf_puts(b, "; in ");
    time_put(b, s->ms);
    leat_i_buf_puts(b, "\n");
    for (leat_class c = 0; c < LEAT_I_CLASS_COUNT; c++) {
        if (!s->class_count[c] || c == LEAT_CLASS_OK) continue;
        counted_put(b, leat_i_class_is_good(c) ? "  note:    " : "  failed:  ", s->class_count[c], " ");
        leat_i_buf_printf(b, "%s (%s)\n", leat_class_name(c), leat_i_class_meaning(c));
    }
    if (s->first_failed[0]) {
        leat_i_buf_puts(b, "  first:   ");
        leat_i_clean_put(b, s->first_failed, sizeof s->first_failed);
        leat_i_buf_puts(b, "\n");
    }
    counted_put(b, "requests:  ", s->requests, "");
    /* A rate of a few moments tells nothing. */
    if (s->ms >= RATE_MS_MIN) leat_i_buf_printf(b, " (%.0f a minute)", (double)s->requests * 60000.0 / (double)s->ms);
    if (s->throttles) counted_put(b, ", ", s->throttles, " of them told to wait");
    if (s->possibly_billed) counted_put(b, ", ", s->possibly_billed, " possibly billed without an answer");
    if (s->limit_used >= 0) leat_i_buf_printf(b, "; %.1f %% of the limit used", s->limit_used * 100);
    endpoints_put(b, s);
    counted_put(b, "\ntokens:    ", s->tokens_in, " in, ");
    count_put(b, s->tokens_out);
    leat_i_buf_puts(b, " out");
    if (s->tokens_cached) counted_put(b, ", ", s->tokens_cached, " of those in cached");
    if (s->tokens_reasoning) counted_put(b, ", ", s->tokens_reasoning, " of those out reasoning");
    if (s->cost > 0) leat_i_buf_printf(b, "; cost %.6f", s->cost);
    if (s->provider && strcmp(s->provider, "openai") != 0) leat_i_buf_printf(b, "\nprovider:  %s", s->provider);
    leat_i_buf_puts(b, "\n");
    bool is_standard = strcmp(output, "-") == 0;
    /* A run without a row leaves no output behind. */
    if (!is_standard && s->rows_ok + s->rows_failed + s->rows_done_before == 0) return;
    leat_i_buf_puts(b, "output:    ");
    if (is_standard)
        leat_i_buf_puts(b, "standard output");
    else
        leat_i_clean_put(b, output, PATH_BYTES_MAX);
    leat_i_buf_puts(b, "\n");
}

static void member_put(leat_i_buf *b, const char *name, uint64_t n)
{
    leat_i_buf_printf(b, "\"%s\":%llu,", name, (unsigned long long)n);
}

static void endpoints_json_put(leat_i_buf *b, const leat_bulk_summary *s)
{
    leat_i_buf_puts(b, "\"endpoints\":[");
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const leat_bulk_endpoint *e = &s->endpoint[i];
        leat_i_buf_puts(b, i > 0 ? ",{" : "{");
        member_put(b, "requests", e->requests);
        member_put(b, "good", e->good);
        member_put(b, "failed", e->failed);
        member_put(b, "throttles", e->throttles);
        leat_i_buf_printf(b, "\"out\":%s,\"url\":", e->is_out ? "true" : "false");
        leat_i_json_put_string(b, e->url, strlen(e->url));
        leat_i_buf_puts(b, "}");
    }
    leat_i_buf_puts(b, "],");
}

static void text_json_put(leat_i_buf *b, const char *name, const char *text)
{
    leat_i_buf_printf(b, ",\"%s\":", name);
    if (text)
        leat_i_json_put_string(b, text, strlen(text));
    else
        leat_i_buf_puts(b, "null");
}

static void json_put(leat_i_buf *b, const leat_bulk_summary *s, const char *output, int exit_code, const char *error)
{
    leat_i_buf_puts(b, "{\"event\":\"summary\",");
    member_put(b, "rows_ok", s->rows_ok);
    member_put(b, "rows_failed", s->rows_failed);
    member_put(b, "rows_done_before", s->rows_done_before);
    member_put(b, "rows_failed_before", s->rows_failed_before);
    member_put(b, "requests", s->requests);
    member_put(b, "throttles", s->throttles);
    member_put(b, "possibly_billed", s->possibly_billed);
    member_put(b, "tokens_in", s->tokens_in);
    member_put(b, "tokens_out", s->tokens_out);
    member_put(b, "tokens_cached", s->tokens_cached);
    member_put(b, "tokens_reasoning", s->tokens_reasoning);
    leat_i_buf_printf(b, "\"cost\":%.6f,", s->cost);
    endpoints_json_put(b, s);
    leat_i_buf_puts(b, "\"classes\":{");
    const char *comma = "";
    for (leat_class c = 0; c < LEAT_I_CLASS_COUNT; c++) {
        if (!s->class_count[c]) continue;
        leat_i_buf_printf(b, "%s\"%s\":%llu", comma, leat_class_name(c), (unsigned long long)s->class_count[c]);
        comma = ",";
    }
    leat_i_buf_puts(b, "},\"limit_used\":");
    if (s->limit_used >= 0)
        leat_i_buf_printf(b, "%.4f", s->limit_used);
    else
        leat_i_buf_puts(b, "null");
    leat_i_buf_printf(b, ",\"ms\":%lld,\"goes_on\":%s,\"exit_code\":%d", (long long)s->ms, s->goes_on ? "true" : "false",
                      exit_code);
    text_json_put(b, "error", *error ? error : NULL);
    text_json_put(b, "first_failed", s->first_failed[0] ? s->first_failed : NULL);
    text_json_put(b, "output", output);
    text_json_put(b, "provider", s->provider);
    leat_i_buf_puts(b, "}\n");
}

void leat_i_summary_put(leat_i_buf *b, const leat_bulk_summary *s, const char *output, bool json, int exit_code,
                        const char *error)
{
    if (json)
        json_put(b, s, output, exit_code, error);
    else
        plain_put(b, s, output);
}

static void summary_write(leat_i_buf *b)
{
    if (!b->failed) leat_i_say_raw(b->data, b->size);
    leat_i_buf_fini(b);
}

void leat_i_summary_say(const leat_bulk_summary *s, const char *output, bool json, int exit_code, const char *error)
{
    leat_i_buf b = { .max = 64 * 1024 };
    leat_i_summary_put(&b, s, output, json, exit_code, error);
    summary_write(&b);
}

static void end_json_put(leat_i_buf *b, int exit_code, const char *error)
{
    leat_i_buf_printf(b, "\"exit_code\":%d", exit_code);
    text_json_put(b, "error", *error ? error : NULL);
    leat_i_buf_puts(b, "}\n");
}

void leat_i_summary_say_check(const leat_bulk_check *c, int exit_code, const char *error)
{
    leat_i_buf b = { .max = 64 * 1024 };
    leat_i_buf_puts(&b, "{\"event\":\"summary\",");
    member_put(&b, "documents", c->documents);
    member_put(&b, "bytes", c->bytes);
    member_put(&b, "not_usable", c->bad_lines);
    member_put(&b, "ids_seen_twice", c->duplicate_ids);
    member_put(&b, "doubtful", c->doubtful);
    member_put(&b, "rows_done", c->rows_done);
    member_put(&b, "rows_failed", c->rows_failed);
    leat_i_buf_printf(&b, "\"tokens_in_estimate\":%.0f,", c->tokens_in_estimate);
    end_json_put(&b, exit_code, error);
    summary_write(&b);
}

void leat_i_summary_say_end(int exit_code, const char *error)
{
    leat_i_buf b = { .max = 64 * 1024 };
    leat_i_buf_puts(&b, "{\"event\":\"summary\",");
    end_json_put(&b, exit_code, error);
    summary_write(&b);
}
