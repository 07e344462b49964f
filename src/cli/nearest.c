/* nearest.c: the edit distance of Damerau and Levenshtein (neighbours may swap once), and what counts as near. */
#include "nearest.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES_MAX = 63 };

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t leat_i_word_distance(const char *a, const char *b)
{
    size_t row[3][WORD_BYTES_MAX + 1];
    size_t a_bytes = strnlen(a, WORD_BYTES_MAX), b_bytes = strnlen(b, WORD_BYTES_MAX);
    for (size_t j = 0; j <= b_bytes; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = min_of(min_of(up[j], now[j - 1]) + 1, up[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = min_of(now[j], up2[j - 2] + 1);
        }
    }
    return row[a_bytes % 3][b_bytes];
}

/* A word that continues what was typed is near whatever is missing: --template for --temp; and so is one of which it is a whole part:
 * --request-timeout for --timeout. */
static size_t distance_rank(const char *word, const char *candidate)
{
    size_t n = strlen(word);
    if (n >= 3 && strncmp(word, candidate, n) == 0) return 1;
    const char *part = n >= 4 ? strstr(candidate, word) : NULL;
    if (part && part > candidate && part[-1] == '-' && (part[n] == '-' || part[n] == 0)) return 2;
    return leat_i_word_distance(word, candidate);
}

const char *leat_i_word_nearer(const char *word, const char *best, const char *candidate)
{
    size_t rank = distance_rank(word, candidate);
    size_t limit = strlen(word) < 4 ? 1 : strlen(word) < 8 ? 2 : 3;
    if (rank > limit) return best;
    return best && distance_rank(word, best) <= rank ? best : candidate;
}

const char *leat_i_word_hint_put(leat_i_word_hint text, const char *best, const char *otherwise)
{
    if (!best) return otherwise;
    snprintf(text, sizeof(leat_i_word_hint), "; did you mean %s?", best);
    return text;
}
