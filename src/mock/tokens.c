/* tokens.c: the approximation of a tokenizer, one token at a time. */
#include "tokens.h"

#include <stdbool.h>

/* A word's token holds this much: an ASCII letter weighs 2, a letter of two bytes 4, a longer one 10. */
#define TOKEN_WEIGHT_MAX 12
#define TOKEN_MARKS_MAX  8

static bool byte_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

static bool byte_is_break(unsigned char c)
{
    return c == '\n' || c == '\r';
}

static bool byte_is_word(unsigned char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10 || c >= 0x80;
}

/* Bytes of the letter at `at`: a lead byte and the continuation bytes after it. */
static size_t letter_size(const char *text, size_t size, size_t at)
{
    size_t n = 1;
    if ((unsigned char)text[at] < 0x80) return 1;
    while (at + n < size && n < 4 && ((unsigned char)text[at + n] & 0xc0) == 0x80)
        n++;
    return n;
}

static size_t word_end(const char *text, size_t size, size_t at)
{
    unsigned weight = 0;
    /* Most words are ASCII: their letters need no look at the next byte. */
    while (at < size && (unsigned char)text[at] < 0x80 && weight < TOKEN_WEIGHT_MAX &&
           byte_is_word((unsigned char)text[at])) {
        weight += 2;
        at++;
    }
    while (at < size && byte_is_word((unsigned char)text[at]) && weight < TOKEN_WEIGHT_MAX) {
        size_t n = letter_size(text, size, at);
        weight += n == 1 ? 2 : n == 2 ? 4 : 10;
        at += n;
    }
    return at;
}

size_t leat_i_mock_token_end(const char *text, size_t size, size_t at)
{
    while (at < size && byte_is_blank((unsigned char)text[at]))
        at++;
    if (at == size) return at;
    unsigned char first = (unsigned char)text[at];
    if (byte_is_word(first)) return word_end(text, size, at);
    size_t end = at + 1;
    if (byte_is_break(first)) {
        while (end < size && byte_is_break((unsigned char)text[end]))
            end++;
        return end;
    }
    while (end < size && end - at < TOKEN_MARKS_MAX && (unsigned char)text[end] == first)
        end++;
    return end;
}

uint64_t leat_i_mock_token_count(const char *text, size_t size)
{
    uint64_t count = 0;
    for (size_t at = 0; at < size; at = leat_i_mock_token_end(text, size, at))
        count++;
    return count;
}
