/* nearest.h: the word that was probably meant. */
#ifndef LEAT_I_CLI_NEAREST_H
#define LEAT_I_CLI_NEAREST_H

#include <stddef.h>

/* Changes (insert, delete, replace, swap of neighbours) that turn `a` into `b`; words are cut at 63 bytes. */
size_t leat_i_word_distance(const char *a, const char *b);

/* Keeps the better one of two candidates: start with best = NULL. Gives NULL while none is near enough to be worth a word. */
const char *leat_i_word_nearer(const char *word, const char *best, const char *candidate);

/* The end of a sentence: "; did you mean BEST?" in `text`, which it gives; `otherwise` where `best` is NULL. */
typedef char leat_i_word_hint[96];
const char *leat_i_word_hint_put(leat_i_word_hint text, const char *best, const char *otherwise);

#endif
