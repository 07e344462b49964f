/*
 * extract.h: the model leat-extract: an extractive summary. Deterministic, UTF-8 safe, O(n log n), no floating point.
 */
#ifndef LEAT_I_MOCK_EXTRACT_H
#define LEAT_I_MOCK_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/mem.h"

/* What is longer is summarised by its first part: it bounds the time of one answer (about 20 ms) and its memory. */
#define LEAT_I_MOCK_TEXT_MAX (1u << 20)

/* Tokens of a summary when the request does not say: about 60 words. */
#define LEAT_I_MOCK_SUMMARY_TOKENS 84

typedef struct leat_i_mock_summary {
    const char *text; /* in the arena, NUL-ended; never empty */
    size_t size;
    uint64_t tokens;
    bool cut; /* not even one sentence fitted into tokens_max: the text ends at a token's end */
} leat_i_mock_summary;

/* Summarises `size` bytes of valid UTF-8 in at most `tokens_max` tokens (0 = LEAT_I_MOCK_SUMMARY_TOKENS, but a third of a long
 * text at most). False when memory is short. */
bool leat_i_mock_extract(const char *text, size_t size, uint64_t tokens_max, leat_i_arena *arena, leat_i_mock_summary *out);

#endif
