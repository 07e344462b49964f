/*
 * json.c: the two JSON jobs of a request, by the library's scanner and writer and by jansson on the same text: parse an answer
 * of some 1.2 KB and take its text out; write a 4 KB document as a string.
 *
 *   bench_json [--rounds N] [--repeats N]
 */
#include <jansson.h>

#include "base/json.h"

#include "bench_util.h"

enum { REPEATS_MAX = 64 };

static char answer[8192], document[8192];
static size_t answer_bytes, document_bytes;
static volatile size_t sink; /* what comes out is used, so that nothing is left out */

static void texts_make(void)
{
    static const char *const text = "The mill takes what the leat lets through.\\nIt is \\\"enough\\\", the miller said; "
                                    "caf\xc3\xa9 au lait, and more. ";
    size_t n =
        (size_t)snprintf(answer, 512,
                         "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\","
                         "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    while (n < 1000) {
        memcpy(answer + n, text, strlen(text));
        n += strlen(text);
    }
    n += (size_t)snprintf(answer + n, 256,
                          "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":250,"
                          "\"total_tokens\":1250}}");
    answer_bytes = n;
    static const char *const line =
        "He said: \"a document of many lines\", caf\xc3\xa9s and all;\nnobody had read it since.\n";
    while (document_bytes + strlen(line) <= 4096) {
        memcpy(document + document_bytes, line, strlen(line));
        document_bytes += strlen(line);
    }
}

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

static void parse_leat(void)
{
    static leat_i_arena arena;
    size_t size;
    leat_i_arena_mark mark = leat_i_arena_save(&arena);
    /* As the client does it: what is wanted is picked out in the pass that checks. */
    static const leat_i_json_pick pick[] = { { -1, "choices" }, { 0, "0" },      { 1, "message" },
                                             { 2, "content" },  { -1, "usage" }, { 4, "completion_tokens" } };
    leat_i_json value[6];
    leat_i_json_parse_pick(answer, answer_bytes, pick, 6, value, NULL);
    const char *text = leat_i_json_text(value[3], &arena, &size);
    uint64_t tokens = 0;
    if (!text || !leat_i_json_u64(value[5], &tokens)) die("leat does not parse it");
    sink += size + tokens;
    leat_i_arena_rewind(&arena, mark);
}

static void parse_jansson(void)
{
    json_t *value = json_loadb(answer, answer_bytes, 0, NULL);
    json_t *message = json_object_get(json_array_get(json_object_get(value, "choices"), 0), "message");
    json_t *tokens = json_object_get(json_object_get(value, "usage"), "completion_tokens");
    if (!message || !tokens) die("jansson does not parse it");
    sink += json_string_length(json_object_get(message, "content")) + (size_t)json_integer_value(tokens);
    json_decref(value);
}

static void write_leat(void)
{
    static leat_i_buf buf;
    leat_i_buf_clear(&buf);
    if (!leat_i_json_put_string(&buf, document, document_bytes)) die("leat does not write it");
    sink += buf.size;
}

static void write_jansson(void)
{
    json_t *value = json_stringn(document, document_bytes);
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (!text) die("jansson does not write it");
    sink += strlen(text);
    free(text);
    json_decref(value);
}

static double time_of(void (*fn)(void), int64_t rounds)
{
    double start_s = bench_cpu_s();
    for (int64_t i = 0; i < rounds; i++)
        fn();
    return (bench_cpu_s() - start_s) * 1e6 / (double)rounds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ours and theirs in turn; medians. */
static void compare(void (*ours)(void), void (*theirs)(void), int64_t rounds, int repeats, double *ours_us,
                    double *theirs_us)
{
    double a[REPEATS_MAX], b[REPEATS_MAX];
    for (int i = 0; i < repeats; i++) {
        a[i] = time_of(ours, rounds);
        b[i] = time_of(theirs, rounds / 4 + 1);
    }
    qsort(a, (size_t)repeats, sizeof *a, by_value);
    qsort(b, (size_t)repeats, sizeof *b, by_value);
    *ours_us = a[repeats / 2];
    *theirs_us = b[repeats / 2];
}

int main(int argc, char **argv)
{
    int64_t rounds = bench_arg_i64(argc, argv, "--rounds", 200000);
    int repeats = (int)bench_arg_i64(argc, argv, "--repeats", 5);
    double parse[2], write[2];
    if (repeats < 1 || repeats > REPEATS_MAX) die("--repeats is between 1 and 64");
    texts_make();
    compare(parse_leat, parse_jansson, rounds, repeats, &parse[0], &parse[1]);
    compare(write_leat, write_jansson, rounds, repeats, &write[0], &write[1]);
    printf("{\"parse_bytes\":%zu,\"parse_us\":%.3f,\"parse_jansson_us\":%.3f,\"write_bytes\":%zu,\"write_us\":%.3f,"
           "\"write_jansson_us\":%.3f}\n",
           answer_bytes, parse[0], parse[1], document_bytes, write[0], write[1]);
    return 0;
}
