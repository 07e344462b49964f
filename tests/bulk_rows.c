/* bulk_rows.c: rows for tests of what reads them. */
#include "bulk_support.h"

#include <stdio.h>
#include <string.h>

#include "bulk/row.h"

void test_row_append(const char *path, uint64_t line, const char *key, leat_class cls, bool extras)
{
    bool good = cls == LEAT_CLASS_OK || cls == LEAT_CLASS_LENGTH;
    char body[128];
    snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\"answer %s\"}}]}", key);
    leat_doc doc = { .line = line, .key = key };
    doc.reply =
        (leat_llm_reply){ .cls = cls, .http_status = good ? 200 : 0, .request_id = "req", .attempts = 1, .ttft_ms = -1 };
    if (good) {
        doc.reply.body = body;
        doc.reply.body_bytes = strlen(body);
    } else {
        snprintf(doc.reply.message, sizeof doc.reply.message, "it failed");
    }
    leat_i_buf b = { 0 };
    assert_true(leat_i_row_put(&b, &doc, 0, extras));
    test_append(path, b.data);
    leat_i_buf_fini(&b);
}
