/* fault_reply.c: builds the replies that fault scripts send. */
#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fault_internal.h"

/* What the builders gave out, freed with the last server. */
typedef struct kept {
    struct kept *next;
    max_align_t data[];
} kept;

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static kept *kept_first;
static int kept_servers;

void *fault_memory(size_t size)
{
    kept *k = malloc(sizeof *k + size);
    if (!k) abort();
    pthread_mutex_lock(&kept_lock);
    k->next = kept_first;
    kept_first = k;
    pthread_mutex_unlock(&kept_lock);
    return k->data;
}

void fault_i_kept_use(int change)
{
    pthread_mutex_lock(&kept_lock);
    kept_servers += change;
    while (kept_servers == 0 && kept_first) {
        kept *next = kept_first->next;
        free(kept_first);
        kept_first = next;
    }
    pthread_mutex_unlock(&kept_lock);
}

__attribute__((format(printf, 1, 2))) static char *keep_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = fault_memory((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

const char fault_ok[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 236\r\nx-request-id: req_fault\r\n\r\n"
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"fault\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"fine\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
    "\"completion_tokens\":1,\"total_tokens\":4}}";

const char *fault_chat_body(const char *content, const char *finish)
{
    return keep_printf(
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"fault\",\"choices\":["
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"%s\"}],"
        "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}",
        content, finish);
}

const char *fault_reply_bytes(int status, const char *headers, const void *body, size_t size, size_t *reply_size)
{
    char *head = keep_printf("HTTP/1.1 %d Ordered\r\n%sContent-Length: %zu\r\n\r\n", status, headers, size);
    size_t head_size = strlen(head);
    char *reply = fault_memory(head_size + size + 1);
    memcpy(reply, head, head_size);
    memcpy(reply + head_size, body, size);
    reply[head_size + size] = '\0';
    if (reply_size) *reply_size = head_size + size;
    return reply;
}

const char *fault_reply(int status, const char *headers, const char *body)
{
    return fault_reply_bytes(status, headers, body, strlen(body), NULL);
}

const char *fault_reply_chunked(int status, const char *headers, const char *body, uint32_t pieces, bool whole)
{
    size_t size = strlen(body), room = size + 256 + strlen(headers) + pieces * 24u, n = 0, at = 0;
    char *reply = fault_memory(room);
    n += (size_t)snprintf(reply, room, "HTTP/1.1 %d Ordered\r\n%sTransfer-Encoding: chunked\r\n\r\n", status, headers);
    for (uint32_t i = 0; i < pieces; i++) {
        size_t end = size * (i + 1) / pieces;
        if (end == at) continue;
        n += (size_t)snprintf(reply + n, room - n, "%zx\r\n%.*s\r\n", end - at, (int)(end - at), body + at);
        at = end;
    }
    if (whole) snprintf(reply + n, room - n, "0\r\n\r\n");
    return reply;
}

static char *chunk_append(char *all, const char *delta, int delta_size, const char *finish)
{
    return keep_printf(
        "%sdata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"fault\","
        "\"choices\":[{\"index\":0,\"delta\":{%.*s},\"finish_reason\":%s}]}\n\n",
        all, delta_size, delta, finish);
}

const char *fault_stream_body(const char *content, const char *finish, bool usage, bool done)
{
    char *all = keep_printf("%s", "");
    all = chunk_append(all, "\"role\":\"assistant\",\"content\":\"\"", 31, "null");
    for (const char *word = content; *word;) {
        size_t n = strcspn(word + 1, " ") + 1;
        char *delta = keep_printf("\"content\":\"%.*s\"", (int)n, word);
        all = chunk_append(all, delta, (int)strlen(delta), "null");
        word += n;
    }
    if (finish) all = chunk_append(all, "", 0, keep_printf("\"%s\"", finish));
    if (usage)
        all = keep_printf(
            "%sdata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"fault\","
            "\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n\n",
            all);
    return done ? keep_printf("%sdata: [DONE]\n\n", all) : all;
}

/* Deflates `size` bytes of `data`, or of zeros when it is NULL, in the gzip form. */
static void *gzip_make(const void *data, size_t size, size_t *gzip_size)
{
    static unsigned char zeros[1 << 16];
    z_stream z = { 0 };
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    size_t room = size / 500 + size / (data ? 1 : 1000) + 1024;
    unsigned char *out = fault_memory(room);
    z.next_out = out;
    z.avail_out = (uInt)room;
    for (size_t at = 0; at < size;) {
        size_t n = data ? size : size - at < sizeof zeros ? size - at : sizeof zeros;
        z.next_in = data ? (Bytef *)(uintptr_t)data : zeros;
        z.avail_in = (uInt)n;
        if (deflate(&z, Z_NO_FLUSH) != Z_OK || z.avail_in != 0) abort();
        at += n;
    }
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
    *gzip_size = z.total_out;
    deflateEnd(&z);
    return out;
}

void *fault_gzip(const void *data, size_t size, size_t *gzip_size)
{
    return gzip_make(data, size, gzip_size);
}

void *fault_gzip_zeros(size_t size, size_t *gzip_size)
{
    return gzip_make(NULL, size, gzip_size);
}
