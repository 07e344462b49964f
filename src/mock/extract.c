/*
 * extract.c: the model leat-extract.
 *
 * Each sentence is worth the mean frequency of its content words in the whole text, more at the start of the text, less when
 * it is very short or very long. The best are taken until the token budget is used, and stand in their original order. All in
 * whole numbers, so that every machine gives the same answer. Source: the idea is Luhn's (1958) frequency method.
 */
#include "extract.h"

#include <string.h>

#include "split.h"
#include "tokens.h"

#define PICKED_MAX         64
#define FREQUENCY_MAX      16 /* a word that stands everywhere says no more than one that stands often */
#define SUMMARY_TOKENS_CAP 1024

typedef struct word_table {
    uint32_t *hash, *count; /* hash 0 = free */
    uint32_t mask, used;
} word_table;

typedef struct pick_list {
    uint32_t index[PICKED_MAX];
    uint32_t count;
    uint64_t tokens;
} pick_list;

static bool table_init(word_table *t, uint32_t words, leat_i_arena *arena)
{
    uint32_t room = 64;
    while (room < words * 2 && room < (1u << 17))
        room *= 2;
    t->hash = leat_i_arena_alloc(arena, room * sizeof *t->hash);
    t->count = leat_i_arena_alloc(arena, room * sizeof *t->count);
    if (!t->hash || !t->count) return false;
    memset(t->hash, 0, room * sizeof *t->hash);
    t->mask = room - 1;
    t->used = 0;
    return true;
}

/* The word's slot. A table that is three quarters full takes no new words: they count as rare. */
static uint32_t *table_slot(word_table *t, uint32_t hash, bool add)
{
    uint32_t at = (hash * 2654435761u) & t->mask;
    while (t->hash[at] && t->hash[at] != hash)
        at = (at + 1) & t->mask;
    if (t->hash[at]) return &t->count[at];
    if (!add || t->used >= t->mask / 4 * 3) return NULL;
    t->used++;
    t->hash[at] = hash;
    t->count[at] = 0;
    return &t->count[at];
}

static uint32_t sentence_score(const leat_i_mock_split *s, const leat_i_mock_sentence *one, uint32_t index, const char *text,
                               word_table *t)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < one->content_count; i++) {
        const uint32_t *count = table_slot(t, s->word[one->word_at + i], false);
        uint32_t n = count ? *count : 1;
        sum += n < FREQUENCY_MAX ? n : FREQUENCY_MAX;
    }
    uint64_t score = sum * 4096 / (one->content_count + 4);
    uint32_t percent = index == 0 ? 140 : index < 3 ? 120 : index < 6 ? 108 : 100;
    if (one->word_count < 5) percent /= 2;
    if (one->word_count > 45) percent = percent * 7 / 10;
    /* What ends in a colon announces (an instruction, a list): it says little alone. */
    if (text[one->end - 1] == ':') percent /= 8;
    score = score * percent / 100;
    return score < UINT32_MAX ? (uint32_t)score : UINT32_MAX;
}

static bool score_all(leat_i_mock_split *s, const char *text, leat_i_arena *arena)
{
    word_table t;
    if (!table_init(&t, s->word_count, arena)) return false;
    for (uint32_t i = 0; i < s->word_count; i++) {
        uint32_t *count = table_slot(&t, s->word[i], true);
        if (count) ++*count;
    }
    for (uint32_t i = 0; i < s->sentence_count; i++)
        s->sentence[i].score = sentence_score(s, &s->sentence[i], i, text, &t);
    return true;
}

/* Whether sentence a goes before b in the heap of candidates: the better score, then the earlier place. */
static bool candidate_before(const leat_i_mock_split *s, uint32_t a, uint32_t b)
{
    uint32_t sa = s->sentence[a].score, sb = s->sentence[b].score;
    return sa != sb ? sa > sb : a < b;
}

static void heap_sift(const leat_i_mock_split *s, uint32_t *heap, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t best = at, left = 2 * at + 1;
        if (left < count && candidate_before(s, heap[left], heap[best])) best = left;
        if (left + 1 < count && candidate_before(s, heap[left + 1], heap[best])) best = left + 1;
        if (best == at) return;
        uint32_t swap = heap[at];
        heap[at] = heap[best];
        heap[best] = swap;
        at = best;
    }
}

/* The same words in the same order were picked already: boilerplate that a document repeats. */
static bool sentence_repeats(const leat_i_mock_split *s, const pick_list *p, uint32_t index)
{
    const leat_i_mock_sentence *one = &s->sentence[index];
    for (uint32_t i = 0; i < p->count; i++) {
        const leat_i_mock_sentence *other = &s->sentence[p->index[i]];
        if (other->content_count == one->content_count && one->content_count > 0 &&
            memcmp(s->word + other->word_at, s->word + one->word_at, one->content_count * sizeof *s->word) == 0)
            return true;
    }
    return false;
}

static void pick_add(pick_list *p, uint32_t index, uint64_t tokens)
{
    uint32_t at = p->count++;
    for (; at > 0 && p->index[at - 1] > index; at--)
        p->index[at] = p->index[at - 1];
    p->index[at] = index;
    p->tokens += tokens;
}

/* Takes the best sentences that fit; *best is the very best one, for when none fits. */
static bool pick_best(const leat_i_mock_split *s, const char *text, uint64_t budget, leat_i_arena *arena, pick_list *p,
                      uint32_t *best)
{
    uint32_t count = s->sentence_count;
    uint32_t *heap = leat_i_arena_alloc(arena, (count + 1) * sizeof *heap);
    if (!heap) return false;
    for (uint32_t i = 0; i < count; i++)
        heap[i] = i;
    for (uint32_t i = count / 2; i-- > 0;)
        heap_sift(s, heap, count, i);
    *best = heap[0];
    uint32_t misses = 0;
    while (count > 0 && p->count < PICKED_MAX && misses < 16) {
        uint32_t index = heap[0];
        heap[0] = heap[--count];
        heap_sift(s, heap, count, 0);
        if (sentence_repeats(s, p, index)) continue;
        const leat_i_mock_sentence *one = &s->sentence[index];
        uint64_t tokens = leat_i_mock_token_count(text + one->start, one->end - one->start);
        if (p->tokens + tokens <= budget)
            pick_add(p, index, tokens);
        else
            misses++;
    }
    return true;
}

/* Copies bytes with every run of white space and control characters as one blank. */
static size_t text_flatten(char *to, const char *from, size_t size)
{
    size_t n = 0;
    bool blank = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c <= ' ' || c == 0x7f) {
            blank = n > 0;
            continue;
        }
        if (blank) to[n++] = ' ';
        blank = false;
        to[n++] = (char)c;
    }
    return n;
}

static bool summary_compose(const leat_i_mock_split *s, const pick_list *p, const char *text, leat_i_arena *arena,
                            leat_i_mock_summary *out)
{
    size_t room = 1, n = 0;
    for (uint32_t i = 0; i < p->count; i++)
        room += s->sentence[p->index[i]].end - s->sentence[p->index[i]].start + 1;
    char *to = leat_i_arena_alloc(arena, room);
    if (!to) return false;
    for (uint32_t i = 0; i < p->count; i++) {
        const leat_i_mock_sentence *one = &s->sentence[p->index[i]];
        if (n > 0) to[n++] = ' ';
        n += text_flatten(to + n, text + one->start, one->end - one->start);
    }
    to[n] = '\0';
    *out = (leat_i_mock_summary){ .text = to, .size = n, .tokens = leat_i_mock_token_count(to, n) };
    return true;
}

/* The head of `size` bytes in at most `budget` tokens: at least one, so that the answer is never empty. */
static void summary_cut(leat_i_mock_summary *out, uint64_t budget)
{
    size_t end = 0;
    uint64_t tokens = 0;
    while (end < out->size && (tokens < budget || tokens == 0)) {
        end = leat_i_mock_token_end(out->text, out->size, end);
        tokens++;
    }
    out->cut = end < out->size;
    out->size = end;
    out->tokens = tokens;
}

static bool summary_of_nothing(leat_i_arena *arena, uint64_t tokens_max, leat_i_mock_summary *out)
{
    static const char words[] = "(leat-extract found no words to summarise.)";
    char *copy = leat_i_arena_strndup(arena, words, sizeof words - 1);
    if (!copy) return false;
    *out = (leat_i_mock_summary){ .text = copy, .size = sizeof words - 1 };
    summary_cut(out, tokens_max ? tokens_max : UINT64_MAX);
    copy[out->size] = '\0';
    return true;
}

static uint64_t summary_budget(size_t size, uint64_t tokens_max)
{
    uint64_t third = size / 12; /* about four bytes a token */
    uint64_t wanted = tokens_max ? tokens_max : LEAT_I_MOCK_SUMMARY_TOKENS;
    /* A summary of a long text is at most a third of it; a short text may be quoted whole. */
    uint64_t cap = third > LEAT_I_MOCK_SUMMARY_TOKENS ? third : LEAT_I_MOCK_SUMMARY_TOKENS;
    if (cap > SUMMARY_TOKENS_CAP) cap = SUMMARY_TOKENS_CAP;
    return wanted < cap ? wanted : cap;
}

bool leat_i_mock_extract(const char *text, size_t size, uint64_t tokens_max, leat_i_arena *arena, leat_i_mock_summary *out)
{
    leat_i_mock_split s;
    pick_list picked = { .count = 0 };
    uint32_t best = 0;
    if (size > LEAT_I_MOCK_TEXT_MAX) {
        size = LEAT_I_MOCK_TEXT_MAX;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--;
    }
    if (!leat_i_mock_split_text(&s, text, size, arena)) return false;
    if (s.sentence_count == 0) return summary_of_nothing(arena, tokens_max, out);
    if (!score_all(&s, text, arena)) return false;
    uint64_t budget = summary_budget(size, tokens_max);
    if (!pick_best(&s, text, budget, arena, &picked, &best)) return false;
    if (picked.count > 0) return summary_compose(&s, &picked, text, arena, out);
    pick_add(&picked, best, 0);
    if (!summary_compose(&s, &picked, text, arena, out)) return false;
    summary_cut(out, budget);
    ((char *)(uintptr_t)out->text)[out->size] = '\0';
    /* Only a limit that the request set makes it "cut": the default length is our own choice. */
    out->cut = out->cut && tokens_max != 0 && tokens_max <= budget;
    return true;
}
