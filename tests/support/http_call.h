/* http_call.h: one HTTP request by libcurl, for tests of servers: status, headers and body as they came. */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct http_call {
    int curl; /* CURLcode; 0 = a whole reply */
    long status;
    char *headers, *body; /* NUL-ended */
    size_t headers_size, body_size;
    double seconds;
} http_call;

typedef struct http_client http_client; /* keeps its connection between calls */

http_client *http_client_new(const char *base_url);
void http_client_free(http_client *c);
/* GET when `body` is NULL. `key` may be NULL. The result is freed by http_call_fini. */
http_call http_client_call(http_client *c, const char *path, const char *key, const char *body);
void http_call_fini(http_call *call);
/* Value of a header of the last reply, or NULL; kept until http_call_fini. */
const char *http_call_header(http_call *call, const char *name);

#endif
