/* test_template.c: prompt templates and the bodies built from them. */
#include "bulk_support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bulk/template.h"

static char *build(const leat_i_template_opts *opts, const char *text, const char *name)
{
    leat_i_template tp;
    char why[200] = "";
    leat_err err = leat_i_template_init(&tp, opts, why, sizeof why);
    if (err) fail_msg("refused: %s", why);
    leat_i_buf b = { 0 };
    assert_int_equal(leat_i_template_put(&tp, &b, text, strlen(text), name, why, sizeof why), LEAT_OK);
    leat_i_template_fini(&tp);
    char *copy = strdup(b.data);
    leat_i_buf_fini(&b);
    return copy;
}

static void check_refused(const leat_i_template_opts *opts, const char *part)
{
    leat_i_template tp;
    char why[200] = "";
    assert_int_equal(leat_i_template_init(&tp, opts, why, sizeof why), LEAT_USAGE);
    if (!strstr(why, part)) fail_msg("\"%s\" does not say \"%s\"", why, part);
    leat_i_template_fini(&tp);
}

static void body_is_what_was_asked_for(void **state)
{
    (void)state;
    leat_i_template_opts o = { .text = "Sum up {{ name }}:\n\"{{text}}\" {x} {{ }} {{text}}",
                               .model = "m\"1",
                               .system = "Be\tbrief.",
                               .extra_body = " { \"max_tokens\" : 60 , \"n\":[1, 2]} " };
    char *body = build(&o, "One \"two\"\n\x01", "a/b.txt");
    assert_string_equal(body,
                        "{\"model\":\"m\\\"1\",\"messages\":[{\"role\":\"system\",\"content\":\"Be\\tbrief.\"},"
                        "{\"role\":\"user\",\"content\":\"Sum up a/b.txt:\\n\\\"One \\\"two\\\"\\n\\u0001\\\" {x} {{ }} One "
                        "\\\"two\\\"\\n\\u0001\"}],\"max_tokens\":60,\"n\":[1,2]}");
    json_t *j = json_loads(body, 0, NULL);
    assert_non_null(j);
    json_decref(j);
    free(body);
}

static void each_endpoint_has_its_form(void **state)
{
    (void)state;
    char *body = build(&(leat_i_template_opts){ .model = "m" }, "T", "n");
    assert_string_equal(body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"T\"}]}");
    free(body);
    body = build(&(leat_i_template_opts){ .model = "m", .url = "/v1/embeddings" }, "T", "n");
    assert_string_equal(body, "{\"model\":\"m\",\"input\":\"T\"}");
    free(body);
    body = build(&(leat_i_template_opts){ .url = "/v1/completions", .extra_body = "{\"model\":\"x\"}" }, "T", "n");
    assert_string_equal(body, "{\"prompt\":\"T\",\"model\":\"x\"}");
    free(body);
}

static void fields_come_from_documents_in_json(void **state)
{
    (void)state;
    const leat_i_template_opts o = { .model = "m", .text = "{{field.title}}|{{ field.meta.year }}|{{field.tags}}|{{name}}" };
    char *body = build(&o, "{\"title\":\"A \\\"mill\\\"\\n\\u00e4\",\"meta\":{\"year\":1843},\"tags\":[\"a\",\"b\"]}", "n");
    json_t *whole = json_loads(body, 0, NULL);
    assert_non_null(whole);
    const json_t *message = json_array_get(json_object_get(whole, "messages"), 0);
    assert_string_equal(json_string_value(json_object_get(message, "content")), "A \"mill\"\n\u00e4|1843|[\"a\",\"b\"]|n");
    json_decref(whole);
    free(body);
}

/* What stands there as a whole comes before what its parts lead to. */
static void a_name_with_a_dot_may_be_one_name(void **state)
{
    static const char doc[] = "{\"a\":{\"b\":\"inner\",\"c\":\"inner\"},\"a.b\":\"whole\"}";
    (void)state;
    leat_i_json object = leat_i_json_parse(doc, sizeof doc - 1, NULL);
    assert_true(leat_i_json_str_eq(leat_i_template_field(object, "a.b"), "whole"));
    assert_true(leat_i_json_str_eq(leat_i_template_field(object, "a.c"), "inner"));
    assert_int_equal(leat_i_template_field(object, "a.d").type, LEAT_I_JSON_NONE);
    leat_i_template tp;
    char why[120] = "";
    const leat_i_template_opts o = { .model = "m", .text = "{{field.a.b}} {{field.a.d}} {{text}}" };
    assert_int_equal(leat_i_template_init(&tp, &o, why, sizeof why), LEAT_OK);
    assert_string_equal(leat_i_template_lacks(&tp, object), "a.d");
    leat_i_template_fini(&tp);
}

/* As columns of tables have them. */
static void names_of_fields_may_have_blanks(void **state)
{
    (void)state;
    const leat_i_template_opts o = { .model = "m",
                                     .text = "{{ field.Product name }}|{{field.gr\xc3\xb6\xc3\x9f"
                                             "e (cm)}}|{{field.a\n}}|{{field.b" };
    char *body = build(&o,
                       "{\"Product name\":\"Mill\",\"gr\xc3\xb6\xc3\x9f"
                       "e (cm)\":7}",
                       "n");
    json_t *whole = json_loads(body, 0, NULL);
    assert_non_null(whole);
    const json_t *message = json_array_get(json_object_get(whole, "messages"), 0);
    assert_string_equal(json_string_value(json_object_get(message, "content")), "Mill|7|{{field.a\n}}|{{field.b");
    json_decref(whole);
    free(body);
}

static void a_field_that_is_not_there_is_told(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "{\"text\":1}", "has no field \"title\"" },
        { "{\"title\":null}", "has no field \"title\"" },
        { "plain", "not valid JSON (byte 1)" },
        { "[1]", "not a JSON object" },
        { "{\"title\":\"\\ud800\"}", "half of a surrogate pair" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        leat_i_template tp;
        leat_i_buf b = { 0 };
        char why[120] = "";
        assert_int_equal(
            leat_i_template_init(&tp, &(leat_i_template_opts){ .model = "m", .text = "{{field.title}}" }, why, sizeof why),
            LEAT_OK);
        assert_int_equal(leat_i_template_put(&tp, &b, bad[i][0], strlen(bad[i][0]), "n", why, sizeof why), LEAT_INPUT);
        if (!strstr(why, bad[i][1])) fail_msg("\"%s\" does not say \"%s\"", why, bad[i][1]);
        leat_i_buf_fini(&b);
        leat_i_template_fini(&tp);
    }
}

static void mistakes_are_refused_with_a_reason(void **state)
{
    (void)state;
    check_refused(&(leat_i_template_opts){ .model = "m", .text = "{{field.}}" }, "{{field.}}, which is not known");
    check_refused(&(leat_i_template_opts){ .model = "m", .text = "{{txt}}" }, "{{txt}}, which is not known");
    check_refused(&(leat_i_template_opts){ .model = "m", .text = "no place" }, "has no {{text}}");
    check_refused(&(leat_i_template_opts){ .model = "m", .text = "{{text" }, "is not closed");
    check_refused(&(leat_i_template_opts){ .text = "{{text}}" }, "need a model");
    check_refused(&(leat_i_template_opts){ .model = "m", .extra_body = "[1]" }, "not a JSON object");
    check_refused(&(leat_i_template_opts){ .model = "m", .extra_body = "{\"messages\":[]}" }, "\"messages\"");
    check_refused(&(leat_i_template_opts){ .model = "m", .extra_body = "{\"stream\":true}" }, "\"stream\"");
    check_refused(&(leat_i_template_opts){ .model = "m", .extra_body = "{\"model\":\"y\"}" }, "\"model\"");
    check_refused(&(leat_i_template_opts){ .model = "m", .url = "/v1/moderations" }, "/v1/moderations");
    check_refused(&(leat_i_template_opts){ .model = "m", .url = "/v1/embeddings", .system = "s" }, "system message");
}

static void number_of_placeholders_has_a_limit(void **state)
{
    (void)state;
    for (int count = 126; count <= 128; count++) {
        leat_i_buf text = { 0 };
        for (int i = 0; i < count; i++)
            leat_i_buf_puts(&text, "x{{text}}");
        leat_i_template tp;
        char why[200] = "";
        leat_err err =
            leat_i_template_init(&tp, &(leat_i_template_opts){ .text = text.data, .model = "m" }, why, sizeof why);
        assert_int_equal(err, count <= 127 ? LEAT_OK : LEAT_USAGE);
        leat_i_template_fini(&tp);
        leat_i_buf_fini(&text);
    }
}

static void memory_may_be_short_at_any_allocation(void **state)
{
    (void)state;
    leat_i_template_opts o = { .text = "a{{text}}b", .model = "m", .system = "s", .extra_body = "{\"a\":1}" };
    leat_err err = LEAT_NOMEM;
    for (uint64_t n = 1; err == LEAT_NOMEM; n++) {
        leat_i_template tp;
        char why[200] = "";
        int64_t live = leat_i_mem_live_count();
        leat_i_mem_fail_after(n, false);
        err = leat_i_template_init(&tp, &o, why, sizeof why);
        leat_i_mem_fail_after(0, false);
        leat_i_template_fini(&tp);
        assert_int_equal(leat_i_mem_live_count(), live);
        assert_true(n < 100);
    }
    assert_int_equal(err, LEAT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_what_was_asked_for),
        cmocka_unit_test(each_endpoint_has_its_form),
        cmocka_unit_test(fields_come_from_documents_in_json),
        cmocka_unit_test(a_name_with_a_dot_may_be_one_name),
        cmocka_unit_test(names_of_fields_may_have_blanks),
        cmocka_unit_test(a_field_that_is_not_there_is_told),
        cmocka_unit_test(mistakes_are_refused_with_a_reason),
        cmocka_unit_test(number_of_placeholders_has_a_limit),
        cmocka_unit_test(memory_may_be_short_at_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
