/* os_number.c: numbers from text, the same under every locale of the program around us. */
#include "os.h"

#include <locale.h>
#include <stdlib.h>

static locale_t number_locale;
static pthread_once_t number_once = PTHREAD_ONCE_INIT;

/* Made once and kept: the locale belongs to the process, not to a runtime. */
static void number_locale_make(void)
{
    number_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool leat_i_os_strtod(const char *text, double *value)
{
    char *end;
    if (pthread_once(&number_once, number_locale_make) != 0 || !number_locale) return false;
    *value = strtod_l(text, &end, number_locale);
    return end != text && *end == '\0';
}
