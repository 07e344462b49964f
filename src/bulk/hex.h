/* hex.h: 64-bit numbers as 16 hexadecimal digits: sums and fingerprints. */
#ifndef LEAT_I_BULK_HEX_H
#define LEAT_I_BULK_HEX_H

#include <stdbool.h>
#include <stdint.h>

static inline void leat_i_hex_put(char out[17], uint64_t v)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[(v >> (60 - 4 * i)) & 15];
    out[16] = 0;
}

/* Reads exactly 16 lower-case digits; false when one is something else. */
static inline bool leat_i_hex_get(const char *in, uint64_t *v)
{
    uint64_t n = 0;
    for (int i = 0; i < 16; i++) {
        char c = in[i];
        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *v = n;
    return true;
}

#endif
