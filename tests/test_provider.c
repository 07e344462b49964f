/* test_provider.c: how providers are recognised, and how requests in OpenAI's form become theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provider_rows.h"

static void hosts_tell_who_it_is(void **state)
{
    static const struct {
        const char *host, *path, *name;
    } table[] = {
        { "api.openai.com", "/v1", "openai" },
        { "eu.api.openai.com", "/v1", "openai" },
        { "notapi.openai.com", "/v1", "openai" }, /* Nobody knows it: OpenAI's form. */
        { "API.GROQ.COM.", "/openai/v1", "groq" },
        { "api.groq.com.evil.example", "", "openai" },
        { "openrouter.ai", "/api/v1", "openrouter" },
        { "api.deepseek.com", "", "deepseek" },
        { "api.anthropic.com", "/v1", "anthropic" },
        { "generativelanguage.googleapis.com", "/v1beta", "gemini" },
        { "generativelanguage.googleapis.com", "/v1beta/openai", "compatible" },
        { "me.openai.azure.com", "", "azure" },
        { "me.services.ai.azure.com", "/openai/v1", "azure" },
        { "me.cognitiveservices.azure.com", "/openai/v1", "azure" },
        { "127.0.0.1", "/v1", "openai" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const leat_i_provider *p = leat_i_provider_of(table[i].host, table[i].path);
        if (strcmp(p->name, table[i].name) != 0) fail_msg("%s%s is taken for %s", table[i].host, table[i].path, p->name);
    }
}

static void names_are_known_once(void **state)
{
    size_t count = 0;
    (void)state;
    for (const char *name; (name = leat_i_provider_name(count)); count++) {
        const leat_i_provider *p = leat_i_provider_named(name);
        assert_non_null(p);
        assert_string_equal(p->name, name);
        assert_true(p->make && strstr(p->key_header, ": ") && strstr(p->key_header, "%s"));
        for (size_t before = 0; before < count; before++)
            assert_string_not_equal(leat_i_provider_name(before), name);
    }
    assert_true(count >= 9);
    assert_null(leat_i_provider_named("nobody"));
    assert_null(leat_i_provider_named(""));
}

static void row_check(const provider_row *row)
{
    leat_i_arena arena = { 0 };
    leat_i_making m = { .arena = &arena };
    leat_i_wire w = { .path = NULL };
    const leat_i_provider *p = leat_i_provider_named(row->provider);
    leat_i_asked asked = { .path = row->path,
                           .body = row->body,
                           .body_bytes = strlen(row->body),
                           .stream = row->stream,
                           .base_path = row->base_path ? row->base_path : "",
                           .has_query = row->has_query };
    leat_err err = p->make(&w, &asked, &m);
    if (row->why) {
        if (err != LEAT_INPUT || !strstr(m.why, row->why)) fail_msg("%s: %s: %s", row->provider, row->body, m.why);
    } else {
        if (err) fail_msg("%s: %s: %s", row->provider, row->body, m.why);
        if (strcmp(w.path, row->wire_path) != 0) fail_msg("%s: path %s", row->provider, w.path);
        const char *body = row->wire_body ? row->wire_body : row->body;
        if (w.body_bytes != strlen(body) || memcmp(w.body, body, w.body_bytes) != 0)
            fail_msg("%s: %s became %.*s", row->provider, row->body, (int)w.body_bytes, w.body);
        assert_true(leat_i_json_parse(w.body, w.body_bytes, NULL).type == LEAT_I_JSON_OBJECT);
        if (w.form != row->form || w.stream != (row->stream && !row->no_stream))
            fail_msg("%s: form of %s", row->provider, w.path);
    }
    leat_i_arena_fini(&arena);
}

static void requests_become_theirs(void **state)
{
    (void)state;
    for (size_t r = 0; r < provider_row_count; r++)
        row_check(&provider_rows[r]);
}

/* Wherever memory ends, it is said, and nothing is lost. */
static void short_memory_is_told(void **state)
{
    (void)state;
    for (size_t r = 0; r < provider_row_count; r++) {
        const provider_row *row = &provider_rows[r];
        leat_i_asked asked = { row->path, row->body, strlen(row->body), row->stream, false, "", row->has_query };
        const leat_i_provider *p = leat_i_provider_named(row->provider);
        leat_err err = LEAT_NOMEM;
        for (uint64_t n = 1; err == LEAT_NOMEM; n++) {
            leat_i_arena arena = { 0 };
            leat_i_making m = { .arena = &arena };
            leat_i_wire w = { .path = NULL };
            int64_t live = leat_i_mem_live_count();
            leat_i_mem_fail_after(n, true);
            err = p->make(&w, &asked, &m);
            leat_i_mem_fail_after(0, false);
            leat_i_arena_fini(&arena);
            assert_int_equal(leat_i_mem_live_count(), live);
            assert_true(n < 400);
        }
        assert_true(err == LEAT_OK || err == LEAT_INPUT);
    }
}

static void keys_in_queries_are_seen(void **state)
{
    (void)state;
    assert_true(leat_i_query_has_key("/v1beta/models/m:generateContent?key=abc"));
    assert_true(leat_i_query_has_key("https://h/p?alt=sse&api_key=abc"));
    assert_true(leat_i_query_has_key("https://h/p?API-KEY=abc"));
    assert_false(leat_i_query_has_key("https://h/key=abc?api-version=2024-10-21&monkey=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_tell_who_it_is),     cmocka_unit_test(names_are_known_once),
        cmocka_unit_test(requests_become_theirs),   cmocka_unit_test(short_memory_is_told),
        cmocka_unit_test(keys_in_queries_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
