/*
 * fuzz_sse.c: event streams, and the completion that they are folded into. However the bytes are cut into pieces, the events and
 * the completion are the same, and the completion is JSON.
 */
#include "fuzz.h"

#include "llm/answer.h"
#include "llm/fold.h"

enum { EVENT_MAX = 256 };

static bool hear(void *arg, const char *type, const char *data, size_t size)
{
    leat_i_buf *heard = arg;
    HOLDS(strlen(type) < 32 && data[size] == 0);
    leat_i_buf_printf(heard, "%s|%zu|", type, size);
    return leat_i_buf_append(heard, data, size);
}

/* Pieces of the size that `cut` says; 0 = one piece. */
static bool sse_feed(const char *text, size_t size, size_t cut, leat_i_buf *heard)
{
    leat_i_sse s;
    bool ok = true;
    leat_i_sse_init(&s, EVENT_MAX, hear, heard);
    for (size_t at = 0, n; ok && at < size; at += n) {
        n = cut && cut < size - at ? cut : size - at;
        ok = leat_i_sse_push(&s, text + at, n);
    }
    ok = ok && leat_i_sse_end(&s);
    HOLDS(ok == !leat_i_sse_failed(&s));
    leat_i_sse_fini(&s);
    return ok;
}

static void fold_feed(const char *text, size_t size, size_t cut, leat_i_buf *out, bool verdict[4])
{
    leat_i_fold f;
    leat_i_http_piece piece = { 0 };
    bool ok = true;
    leat_i_fold_init(&f, &leat_i_fold_chat, 4096);
    for (size_t at = 0, n; ok && at < size; at += n) {
        n = cut && cut < size - at ? cut : size - at;
        ok = leat_i_fold_push(&f, text + at, n, &piece);
    }
    leat_i_fold_end(&f);
    verdict[0] = leat_i_fold_is_complete(&f);
    verdict[1] = leat_i_fold_has_output(&f);
    verdict[2] = f.broken;
    verdict[3] = f.failed;
    HOLDS(f.failed || leat_i_fold_put(&f, out));
    if (!f.failed && !f.broken && f.form == LEAT_I_FOLD_STREAM)
        HOLDS(leat_i_json_parse(out->data, out->size, NULL).type == LEAT_I_JSON_OBJECT);
    leat_i_fold_fini(&f);
}

/* Blanks before a body that is no stream may be left out. */
static bool same_body(const leat_i_buf *a, const leat_i_buf *b)
{
    size_t skip_a = 0, skip_b = 0;
    while (skip_a < a->size && strchr(" \t\r\n", a->data[skip_a]) && a->data[skip_a])
        skip_a++;
    while (skip_b < b->size && strchr(" \t\r\n", b->data[skip_b]) && b->data[skip_b])
        skip_b++;
    size_t size = a->size - skip_a;
    return size == b->size - skip_b && (!size || memcmp(a->data + skip_a, b->data + skip_b, size) == 0);
}

static void check_answer(const leat_i_buf *out)
{
    leat_i_arena arena = { 0 };
    leat_i_answer answer;
    leat_i_answer_to to = { .path = "/v1/chat/completions", .may_lack_finish = true };
    leat_i_answer_read(&answer, &to, out->data ? out->data : "", out->size, &arena);
    leat_i_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, size };
    size_t cut = 1 + fuzz_byte(&in) % 40;
    const char *text = (const char *)in.at;
    leat_i_buf whole = { 0 }, pieces = { 0 };
    bool ok = sse_feed(text, in.size, 0, &whole);
    HOLDS(sse_feed(text, in.size, cut, &pieces) == ok);
    if (ok) HOLDS(whole.size == pieces.size && (!whole.size || memcmp(whole.data, pieces.data, whole.size) == 0));
    leat_i_buf_clear(&whole);
    leat_i_buf_clear(&pieces);
    bool verdict[4], verdict_pieces[4];
    fold_feed(text, in.size, 0, &whole, verdict);
    fold_feed(text, in.size, cut, &pieces, verdict_pieces);
    HOLDS(memcmp(verdict, verdict_pieces, sizeof verdict) == 0);
    if (!verdict[3]) HOLDS(same_body(&whole, &pieces));
    check_answer(&whole);
    leat_i_buf_fini(&whole);
    leat_i_buf_fini(&pieces);
    return 0;
}
