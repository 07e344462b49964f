/* test_secrets.c: the redaction of what is known as secret, whole, in pieces, and in base64. */
#include "support_base.h"

#include "base/mem.h"
#include "base/os.h"
#include "llm/secrets.h"

#define KEY "sk-Zq81mXw07LtYbN4e"

static leat_i_secrets of(const char *const *values)
{
    leat_i_secrets s = { 0 };
    for (; *values; values++)
        assert_int_equal(leat_i_secrets_add(&s, *values), LEAT_OK);
    return s;
}

static void check(const leat_i_secrets *s, const char *from, const char *to, bool pieces)
{
    struct exact text = exact_copy(from, strlen(from) + 1);
    size_t size = leat_i_secrets_redact(s, text.data, text.size - 1, pieces);
    if (strcmp(text.data, to) != 0) fail_msg("\"%s\" became \"%s\", not \"%s\"", from, text.data, to);
    assert_int_equal(size, strlen(to));
    exact_free(text);
}

static void secrets_are_redacted(void **state)
{
    static const char *const known[] = { KEY, "abcdef", NULL };
    static const struct {
        const char *from, *pieces, *whole; /* NULL = as `pieces` */
    } rows[] = {
        { "", "", NULL },
        { "nothing here", "nothing here", NULL },
        { KEY, "***", NULL },
        { "x" KEY "y", "x***y", NULL },
        { KEY KEY " and " KEY, "****** and ***", NULL },
        { "abcdef ghijkl abcde", "*** ghijkl abcde", NULL },
        /* Cut, abbreviated, or with something in the middle: no eight bytes of it stay together. */
        { "the key sk-Zq81mXw0", "the key ***", "the key sk-Zq81mXw0" },
        { "the key sk-Zq81...LtYbN4e", "the key sk-Zq81...LtYbN4e", NULL },
        { "the key sk-Zq81m...7LtYbN4e", "the key ***...***", "the key sk-Zq81m...7LtYbN4e" },
        { "1mXw07Lt", "***", "1mXw07Lt" },
        { "1mXw07L", "1mXw07L", NULL },
        /* base64 -w0 of "Bearer KEY", "xBearer KEY" and "xxBearer KEY". */
        { "[QmVhcmVyIHNrLVpxODFtWHcwN0x0WWJONGU=]", "[QmVhcmVyIHNr***NGU=]", NULL },
        { "[eEJlYXJlciBzay1acTgxbVh3MDdMdFliTjRl]", "[eEJlYXJlciBz***]", NULL },
        { "[eHhCZWFyZXIgc2stWnE4MW1YdzA3THRZYk40ZQ==]", "[eHhCZWFyZXIg***ZQ==]", NULL },
        /* Escaped, some characters or all. */
        { "a sk\\u002dZq81mXw07LtYbN4e b", "a *** b", NULL },
        { "a sk%2dZq81mXw07LtYbN4e b %2e", "a *** b %2e", NULL },
        { "a sk%2DZq81mXw07LtYbN4% b", "a ***% b", "a sk%2DZq81mXw07LtYbN4% b" },
        { "\\u0073\\u006B\\u002D\\u005a\\u0071\\u0038\\u0031\\u006d\\u0058\\u0077\\u0030\\u0037\\u004c\\u0074\\u0059\\u0062"
          "\\u004e\\u0034\\u0065",
          "***", NULL },
        { "%73%6B%2D%5A%71%38%31%6D%58%77%30%37%4C%74%59%62%4E%34%65%65", "***%65", NULL },
        { "\\\\u0073k\\\\u002dZq81mXw07LtYbN4e", "***", NULL }, /* JSON in a string of JSON */
        { "the key %73k-Zq8", "the key %73k-Zq8", NULL },
        { "the key %73k-Zq81m", "the key ***", "the key %73k-Zq81m" },
        { "abcdef and ab%63def", "*** and ***", NULL },
        { "%", "%", NULL },
        { "100%, 5%2, \\u00", "100%, 5%2, \\u00", NULL },
    };
    (void)state;
    leat_i_secrets s = of(known);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        check(&s, rows[r].from, rows[r].pieces, true);
        check(&s, rows[r].from, rows[r].whole ? rows[r].whole : rows[r].pieces, false);
    }
    leat_i_secrets_fini(&s);
    check(&s, KEY, KEY, true); /* Nothing is known any more. */
}

static void what_is_no_secret_is_left_alone(void **state)
{
    leat_i_secrets s = { 0 };
    (void)state;
    assert_int_equal(leat_i_secrets_add(&s, "none"), LEAT_OK); /* Too short to be one. */
    assert_int_equal(leat_i_secrets_add_header(&s, "X-Auth-Token: tok_12345"), LEAT_OK);
    assert_int_equal(leat_i_secrets_add_header(&s, "Authorization: Bearer abcdefgh"), LEAT_OK);
    assert_int_equal(leat_i_secrets_add_header(&s, "X-Region: monkey-island"), LEAT_OK);
    check(&s, "none tok_12345, Bearer abcdefgh monkey-island", "none ***, Bearer *** monkey-island", false);
    leat_i_secrets_fini(&s);
}

/* A thousand endpoints may have a key each. */
static void however_many_there_are(void **state)
{
    enum { MANY = 1000, HEX = 32 };
    leat_i_secrets s = { 0 };
    uint64_t random = 7;
    char known[MANY][HEX + 1], text[HEX + 16];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        for (size_t at = 0; at < HEX; at += 16)
            snprintf(known[i] + at, 17, "%016llx", (unsigned long long)leat_i_rand_next(&random));
        assert_int_equal(leat_i_secrets_add(&s, known[i]), LEAT_OK);
        assert_int_equal(leat_i_secrets_add(&s, known[i]), LEAT_OK); /* it is known */
    }
    for (size_t i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "[%.32s]", known[i]);
        check(&s, text, "[***]", false);
        snprintf(text, sizeof text, "%%%02x%.31s", known[i][0], known[i] + 1);
        check(&s, text, "***", false);
    }
    check(&s, "and nothing else: deadbeef", "and nothing else: deadbeef", false);
    leat_i_secrets_fini(&s);
}

/* At any place, of any length, in any text: no eight bytes of a secret are left, and what was around it is. */
static void no_piece_is_overlooked(void **state)
{
    static const char *const known[] = { KEY, "other-secret", "sixsix", NULL };
    leat_i_secrets s = of(known);
    uint64_t random = 42;
    char text[400], before[400], piece[9];
    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t size = 0;
        for (int part = 0; part < 6; part++) {
            const char *from = leat_i_rand_next(&random) % 2 ? known[leat_i_rand_next(&random) % 3] : "QRS .!?\nQRS .!?\n";
            size_t at = leat_i_rand_next(&random) % strlen(from), n = 1 + leat_i_rand_next(&random) % (strlen(from) - at);
            memcpy(text + size, from + at, n);
            size += n;
        }
        text[size] = '\0';
        memcpy(before, text, size + 1);
        size = leat_i_secrets_redact(&s, text, size, true);
        assert_int_equal(size, strlen(text));
        for (const char *const *k = known; *k; k++) {
            for (size_t at = 0; at + LEAT_I_SECRET_PIECE_BYTES <= strlen(*k); at++) {
                snprintf(piece, sizeof piece, "%.8s", *k + at);
                if (strstr(text, piece)) fail_msg("\"%s\" became \"%s\"", before, text);
            }
        }
        assert_null(strstr(text, "sixsix"));
    }
    leat_i_secrets_fini(&s);
}

static void short_memory_is_told(void **state)
{
    int64_t live = leat_i_mem_live_count();
    leat_err err = LEAT_NOMEM;
    (void)state;
    for (uint64_t n = 1; err; n++) {
        leat_i_secrets s = { 0 };
        leat_i_mem_fail_after(n, false);
        err = leat_i_secrets_add(&s, "a key with ~~~ and ??? in it");
        leat_i_mem_fail_after(0, false);
        leat_i_secrets_fini(&s);
        assert_int_equal(leat_i_mem_live_count(), live);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_redacted),   cmocka_unit_test(what_is_no_secret_is_left_alone),
        cmocka_unit_test(however_many_there_are), cmocka_unit_test(no_piece_is_overlooked),
        cmocka_unit_test(short_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
