/* number.c: strict numbers of the command line. */
#include "number.h"

#include <math.h>
#include <string.h>

#include "../base/json.h"

/* A JSON number is nearly what people write; what it lacks is added: ".5", "5." and "007" are numbers too. */
static bool number_normal(const char *word, char *out, size_t size)
{
    size_t n = 0;
    if (*word == '-') out[n++] = *word++;
    while (*word == '0' && word[1] >= '0' && word[1] <= '9')
        word++;
    if (*word == '.') out[n++] = '0';
    for (; *word; word++) {
        if (n + 3 > size) return false;
        out[n++] = *word;
        if (*word == '.' && (word[1] == 0 || word[1] == 'e' || word[1] == 'E')) out[n++] = '0';
    }
    out[n] = 0;
    return n > 0;
}

bool leat_i_number_double(const char *word, double *value)
{
    char normal[64];
    if (strpbrk(word, " \t\r\n") || strcmp(word, ".") == 0 || strcmp(word, "-.") == 0) return false;
    if (!number_normal(word, normal, sizeof normal)) return false;
    leat_i_json number = leat_i_json_parse(normal, strlen(normal), NULL);
    return number.type == LEAT_I_JSON_NUMBER && leat_i_json_double(number, value) && isfinite(*value);
}

bool leat_i_number_whole(const char *word, uint64_t *value)
{
    double d;
    /* 2^53: above it a double is not exact, and no option needs more. */
    if (!leat_i_number_double(word, &d) || d < 0 || d > 9007199254740992.0) return false;
    *value = (uint64_t)d;
    return (double)*value == d;
}

bool leat_i_number_bytes(const char *word, uint64_t *value)
{
    size_t digits = strspn(word, "0123456789");
    const char *unit = word + digits;
    char number[32];
    if (digits == 0 || digits >= sizeof number) return false;
    memcpy(number, word, digits);
    number[digits] = 0;
    if (!leat_i_number_whole(number, value)) return false;
    unsigned shift = 0;
    if (*unit == 'K' || *unit == 'k')
        shift = 10;
    else if (*unit == 'M' || *unit == 'm')
        shift = 20;
    else if (*unit == 'G' || *unit == 'g')
        shift = 30;
    if (shift) unit++;
    if (strcmp(unit, "") != 0 && strcmp(unit, "B") != 0 && (!shift || strcmp(unit, "iB") != 0)) return false;
    if (*value > UINT64_MAX >> shift) return false;
    *value <<= shift;
    return true;
}
