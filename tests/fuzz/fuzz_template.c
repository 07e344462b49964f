/*
 * fuzz_template.c: prompt templates. What is accepted makes a body that is one JSON object for every document, with the prompt in
 * it that the template says.
 */
#include "fuzz.h"

#include "base/json.h"
#include "bulk/template.h"

/* How many bytes at `p` are the placeholder of `name`, blanks inside the braces included; 0 = none. */
static size_t placeholder(const char *p, const char *name)
{
    const char *at = p + 2;
    if (strncmp(p, "{{", 2) != 0) return 0;
    at += strspn(at, " \t");
    if (strncmp(at, name, strlen(name)) != 0) return 0;
    at += strlen(name);
    at += strspn(at, " \t");
    return strncmp(at, "}}", 2) == 0 ? (size_t)(at + 2 - p) : 0;
}

/* The prompt as a reader of the documentation would make it. */
static void prompt_expected(leat_i_buf *b, const char *template, const char *text, const char *name)
{
    while (*template) {
        size_t text_bytes = placeholder(template, "text"), name_bytes = placeholder(template, "name");
        if (text_bytes)
            leat_i_buf_puts(b, text);
        else if (name_bytes)
            leat_i_buf_puts(b, name);
        else
            leat_i_buf_append(b, template, 1);
        template += text_bytes + name_bytes ? text_bytes + name_bytes : 1;
    }
}

static void check_body(const leat_i_template *tp, const leat_i_template_opts *opts, const char *text, const char *name)
{
    leat_i_buf body = { 0 }, expected = { 0 };
    leat_i_arena arena = { 0 };
    char why[120] = "";
    leat_err err = leat_i_template_put(tp, &body, text, strlen(text), name, why, sizeof why);
    HOLDS(err == LEAT_OK || (err == LEAT_INPUT && tp->has_fields && why[0]));
    if (err) {
        leat_i_buf_fini(&body);
        return;
    }
    leat_i_json whole = leat_i_json_parse(body.data, body.size, NULL);
    HOLDS(whole.type == LEAT_I_JSON_OBJECT && !memchr(body.data, '\n', body.size));
    if (leat_i_utf8_valid(opts->text, strlen(opts->text)) && !opts->extra_body && !tp->has_fields) {
        size_t size = 0;
        leat_i_json said = leat_i_json_path(whole, opts->system ? "messages.1.content" : "messages.0.content");
        const char *prompt = leat_i_json_text(said, &arena, &size);
        prompt_expected(&expected, opts->text, text, name);
        HOLDS(prompt && size == expected.size && (!size || memcmp(prompt, expected.data, size) == 0));
    }
    leat_i_arena_fini(&arena);
    leat_i_buf_fini(&expected);
    leat_i_buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, size };
    char why[160] = "";
    uint8_t how = fuzz_byte(&in);
    char *template = fuzz_text(&in), *system = fuzz_text(&in), *extra = fuzz_text(&in), *text = fuzz_text(&in);
    leat_i_template tp = { 0 };
    leat_i_template_opts opts = { .text = template,
                                  .url = "/v1/chat/completions",
                                  .model = "m",
                                  .system = how & 1 ? system : NULL,
                                  .extra_body = how & 2 ? extra : NULL };
    leat_err err = leat_i_template_init(&tp, &opts, why, sizeof why);
    HOLDS(err == LEAT_OK || (err == LEAT_USAGE && why[0]));
    if (err == LEAT_OK && leat_i_utf8_valid(text, strlen(text))) check_body(&tp, &opts, text, "name of it");
    leat_i_template_fini(&tp);
    free(text);
    free(extra);
    free(system);
    free(template);
    return 0;
}
