/* number.h: numbers as people write them, taken strictly: the whole word is the number, or it is none. */
#ifndef LEAT_I_CLI_NUMBER_H
#define LEAT_I_CLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits, a point and an exponent; no sign but '-', no hex, no "inf" or "nan", no white space. Free of the locale. */
bool leat_i_number_double(const char *word, double *value);
/* Whole and not negative; "1e6" is one too. */
bool leat_i_number_whole(const char *word, uint64_t *value);
/* Whole, with K, M or G behind it (powers of 1024; an "iB" or "B" after it is accepted). */
bool leat_i_number_bytes(const char *word, uint64_t *value);

#endif
