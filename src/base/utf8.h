/* utf8.h: one step of strict UTF-8 decoding: no surrogates, no overlong forms, nothing over U+10FFFF. */
#ifndef LEAT_I_UTF8_H
#define LEAT_I_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the valid sequence that starts at `s` (1..4), or 0 when none does. `s` < `end`. */
static inline size_t leat_i_utf8_step(const unsigned char *s, const unsigned char *end)
{
    size_t left = (size_t)(end - s);
    unsigned char c = s[0];
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0; /* a continuation byte, or an overlong form of ASCII */
    if (c < 0xe0) return left >= 2 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if (c < 0xf0) {
        if (left < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80) return 0;
        if (c == 0xe0 && s[1] < 0xa0) return 0;  /* overlong */
        if (c == 0xed && s[1] >= 0xa0) return 0; /* surrogate */
        return 3;
    }
    if (c > 0xf4 || left < 4) return 0;
    if ((s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80) return 0;
    if (c == 0xf0 && s[1] < 0x90) return 0;  /* overlong */
    if (c == 0xf4 && s[1] >= 0x90) return 0; /* over U+10FFFF */
    return 4;
}

/* Over the valid sequences beyond ASCII that start at `s`: gives the first byte that belongs to none. */
static inline const unsigned char *leat_i_utf8_run(const unsigned char *s, const unsigned char *end)
{
    while (s < end && *s >= 0x80) {
        size_t n = leat_i_utf8_step(s, end);
        if (n == 0) break;
        s += n;
    }
    return s;
}

/* Writes the code point as UTF-8 and gives its bytes. */
static inline size_t leat_i_utf8_put(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

#endif
