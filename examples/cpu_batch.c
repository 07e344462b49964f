/*
 * cpu_batch.c: C code that computes, over many items, on all cores. No pool, no threads, no locks of your own: a batch node, and
 * one number that says how many items may be under way.
 *
 * Each item is a text that is made, split into words and hashed; `each` adds up what came of it, and never overlaps with itself.
 */
#include <leat/leat.h>

#include <inttypes.h>
#include <stdio.h>

#define ITEM_COUNT 20000

struct totals {
    size_t items;
    uint64_t words, hash;
};

/* The next number of a sequence that looks random. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A source: items come one at a time, so a hundred million of them need no array. */
static leat_err source_next(leat_task *t, void *state, const void **item)
{
    uint64_t *count = state, *number = leat_task_alloc(t, sizeof *number);
    if (!number) return LEAT_NOMEM;
    *number = *count;
    if ((*count)++ < ITEM_COUNT) *item = number; /* else NULL: the end */
    return LEAT_OK;
}

static leat_err texts_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    uint64_t *count = leat_task_alloc(t, sizeof *count);
    if (!items || !count) return LEAT_NOMEM;
    *items = (leat_items){ .next = source_next, .state = count };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err texts_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct totals *one = leat_task_alloc(t, sizeof *one);
    uint64_t state = *(const uint64_t *)prep_res;
    if (!one) return LEAT_NOMEM;
    bool in_word = false;
    one->hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < 4096; i++) {
        char letter = (char)("etaoin shrdlu cmf"[next(&state) % 17]);
        one->words += letter == ' ' ? 0 : !in_word;
        in_word = letter != ' ';
        one->hash = (one->hash ^ (uint64_t)letter) * UINT64_C(0x100000001b3);
    }
    *exec_res = one;
    return LEAT_OK;
}

/* Called once per item; the item's memory ends when it returns. */
static leat_err texts_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                           const leat_error *error)
{
    struct totals *totals = shared;
    const struct totals *one = value;
    totals->items++;
    totals->words += one->words;
    totals->hash ^= one->hash; /* items end in any order; this does not mind */
    return LEAT_OK;
}

static const leat_node_class texts = { .name = "Texts", .prep = texts_prep, .exec = texts_exec };

int main(void)
{
    struct totals totals = { 0 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *flow = leat_flow_new(NULL);
    leat_node_opts opts = { .batch = true, .in_flight_max = 4 * leat_runtime_worker_count(rt), .each = texts_each };
    leat_flow_add(flow, &texts, &opts);
    leat_err err = leat_flow_run(rt, flow, &totals, &(leat_run_opts){ .error = &error });
    if (err == LEAT_OK)
        printf("%zu texts, %" PRIu64 " words, hash %016" PRIx64 "\n", totals.items, totals.words, totals.hash);
    else
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
