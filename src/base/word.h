/*
 * word.h: eight bytes of text at a time, in plain C, for the scanners of JSON.
 *
 * Each test gives a word with the top bit of some bytes set. The lowest marked byte is exact: the borrow of the subtractions can
 * only mark a byte above a marked one.
 * Source: the zero-byte test of Mycroft (1987).
 */
#ifndef LEAT_I_WORD_H
#define LEAT_I_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LEAT_I_WORD_ONES UINT64_C(0x0101010101010101)
#define LEAT_I_WORD_TOPS UINT64_C(0x8080808080808080)

static inline uint64_t leat_i_word_load(const void *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Bytes below the lowest mark; 0 is always a safe answer, since what follows looks at one byte. `marks` is not 0. */
static inline size_t leat_i_word_before(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0;
#endif
}

/* Marks what may not be copied into a JSON string as it is: below 0x20, '"', '\\', and what is not ASCII. */
static inline uint64_t leat_i_word_special(uint64_t w)
{
    uint64_t quote = w ^ LEAT_I_WORD_ONES * '"', slash = w ^ LEAT_I_WORD_ONES * '\\';
    return ((w - LEAT_I_WORD_ONES * 0x20) | (quote - LEAT_I_WORD_ONES) | (slash - LEAT_I_WORD_ONES) | w) & LEAT_I_WORD_TOPS;
}

/* Marks '"' and '\\' alone: what matters in a string that was checked before. */
static inline uint64_t leat_i_word_quote(uint64_t w)
{
    uint64_t quote = w ^ LEAT_I_WORD_ONES * '"', slash = w ^ LEAT_I_WORD_ONES * '\\';
    return ((quote - LEAT_I_WORD_ONES) | (slash - LEAT_I_WORD_ONES)) & ~w & LEAT_I_WORD_TOPS;
}

#endif
