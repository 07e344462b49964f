/* window.c: exact logs of the last 60 seconds, as rings that grow to what one window holds. */
#include "window.h"

#include <string.h>

#include "../base/check.h"
#include "../base/mem.h"

#define RING_ROOM_MIN 64
#define RING_ROOM_MAX (1u << 28)
#define US_PER_WINDOW 60000000u

static leat_i_mock_entry *entry_at(const leat_i_mock_window *w, uint32_t index)
{
    return &w->entry[(w->first + index) & (w->room - 1)];
}

static void window_expire(leat_i_mock_window *w, int64_t now_ns)
{
    while (w->count > 0 && entry_at(w, 0)->time_ns <= now_ns - LEAT_I_MOCK_WINDOW_NS) {
        w->tokens -= entry_at(w, 0)->tokens;
        w->first = (w->first + 1) & (w->room - 1);
        w->count--;
    }
}

leat_i_mock_verdict leat_i_mock_window_judge(leat_i_mock_window *w, const leat_i_mock_limits *l, int64_t now_ns,
                                             uint64_t tokens)
{
    window_expire(w, now_ns);
    if (l->tokens && tokens > l->tokens) return LEAT_I_MOCK_NEVER;
    if (l->requests && w->count >= l->requests) return LEAT_I_MOCK_OVER_REQUESTS;
    if (l->tokens && w->tokens + tokens > l->tokens) return LEAT_I_MOCK_OVER_TOKENS;
    return LEAT_I_MOCK_ADMIT;
}

bool leat_i_mock_window_add(leat_i_mock_window *w, int64_t now_ns, uint64_t tokens)
{
    window_expire(w, now_ns);
    if (w->count == w->room) {
        if (w->room >= RING_ROOM_MAX) return false;
        uint32_t room = w->room ? w->room * 2 : RING_ROOM_MIN;
        leat_i_mock_entry *entry = leat_i_alloc(room * sizeof *entry);
        if (!entry) return false;
        for (uint32_t i = 0; i < w->count; i++)
            entry[i] = *entry_at(w, i);
        leat_i_free(w->entry);
        w->entry = entry;
        w->first = 0;
        w->room = room;
    }
    w->count++;
    *entry_at(w, w->count - 1) = (leat_i_mock_entry){ .time_ns = now_ns, .tokens = tokens };
    w->tokens += tokens;
    return true;
}

/* When enough of the oldest entries are gone: at most `keep` requests, and at most `keep_tokens` tokens are left. */
static int64_t window_wait_ns(const leat_i_mock_window *w, int64_t now_ns, uint64_t keep, uint64_t keep_tokens)
{
    uint64_t tokens = w->tokens;
    int64_t until_ns = now_ns;
    for (uint32_t i = 0; i < w->count && (w->count - i > keep || tokens > keep_tokens); i++) {
        tokens -= entry_at(w, i)->tokens;
        until_ns = entry_at(w, i)->time_ns + LEAT_I_MOCK_WINDOW_NS;
    }
    return until_ns - now_ns;
}

void leat_i_mock_window_state(leat_i_mock_window *w, const leat_i_mock_limits *l, int64_t now_ns, uint64_t tokens,
                              leat_i_mock_state *out)
{
    window_expire(w, now_ns);
    int64_t empty_ns = w->count ? entry_at(w, w->count - 1)->time_ns + LEAT_I_MOCK_WINDOW_NS - now_ns : 0;
    *out = (leat_i_mock_state){
        .requests_left = l->requests > w->count ? l->requests - w->count : 0,
        .tokens_left = l->tokens > w->tokens ? l->tokens - w->tokens : 0,
        .requests_used = w->count,
        .tokens_used = w->tokens,
        .requests_reset_ns = empty_ns,
        .tokens_reset_ns = empty_ns,
    };
    uint64_t keep = l->requests ? l->requests - 1 : UINT64_MAX;
    uint64_t keep_tokens = !l->tokens ? UINT64_MAX : l->tokens > tokens ? l->tokens - tokens : 0;
    out->wait_ns = window_wait_ns(w, now_ns, keep, keep_tokens);
}

void leat_i_mock_window_fini(leat_i_mock_window *w)
{
    leat_i_free(w->entry);
    *w = (leat_i_mock_window){ 0 };
}

static bool peak_grow(leat_i_mock_peak *p)
{
    if (p->room >= RING_ROOM_MAX) return false;
    uint32_t room = p->room ? p->room * 2 : RING_ROOM_MIN;
    uint32_t *time_us = leat_i_alloc(room * sizeof *time_us);
    if (!time_us) return false;
    for (uint32_t i = 0; i < p->count; i++)
        time_us[i] = p->time_us[(p->first + i) & (p->room - 1)];
    leat_i_free(p->time_us);
    p->time_us = time_us;
    p->first = 0;
    p->room = room;
    return true;
}

bool leat_i_mock_peak_add(leat_i_mock_peak *p, int64_t now_ns)
{
    uint32_t now_us = (uint32_t)((uint64_t)now_ns / 1000);
    LEAT_ASSERT(p->count == 0 || now_ns >= p->last_ns);
    /* After a pause of a window nothing is left, however often the 32 bits went round meanwhile. */
    if (now_ns - p->last_ns >= LEAT_I_MOCK_WINDOW_NS) p->count = 0;
    p->last_ns = now_ns;
    while (p->count > 0 && now_us - p->time_us[p->first] >= US_PER_WINDOW) {
        p->first = (p->first + 1) & (p->room - 1);
        p->count--;
    }
    if (p->count == p->room && !peak_grow(p)) return false;
    p->time_us[(p->first + p->count) & (p->room - 1)] = now_us;
    p->count++;
    if (p->count > p->peak) p->peak = p->count;
    return true;
}

void leat_i_mock_peak_fini(leat_i_mock_peak *p)
{
    leat_i_free(p->time_us);
    *p = (leat_i_mock_peak){ 0 };
}
