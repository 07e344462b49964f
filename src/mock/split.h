/* split.h: cuts a text into sentences and their content words, for extract.c. */
#ifndef LEAT_I_MOCK_SPLIT_H
#define LEAT_I_MOCK_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/mem.h"

typedef struct leat_i_mock_sentence {
    uint32_t start, end;    /* bytes of the text, blanks around it left out */
    uint32_t word_at;       /* index of its first content word */
    uint32_t content_count; /* content words: not too short, not a stop word */
    uint32_t word_count;    /* all words */
    uint32_t score;
} leat_i_mock_sentence;

typedef struct leat_i_mock_split {
    leat_i_mock_sentence *sentence;
    uint32_t sentence_count, sentence_room;
    uint32_t *word; /* hash of each content word, in order */
    uint32_t word_count, word_room;
} leat_i_mock_split;

/* Splits `size` (< 2^31) bytes; everything lives in the arena. False when memory is short. */
bool leat_i_mock_split_text(leat_i_mock_split *s, const char *text, size_t size, leat_i_arena *arena);

#endif
