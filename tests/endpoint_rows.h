/*
 * endpoint_rows.h: what endpoints do wrong, row by row of the table in docs/endpoints.md, and what must come of each.
 *
 * Each row is played twice, on the virtual clock, by a server that writes raw bytes:
 *   1. It answers `times` requests as ordered, and is good from then on: class, status, attempts, throttles, possibly billed,
 *      refunded reservations, the time that was waited at least and at most, the sentence, and the row of output.
 *   2. It answers one request so, and then 500 for ever: the attempts tell what the first one was charged to, since only failures
 *      are counted; and whether its connection carried the next request.
 */
#ifndef ENDPOINT_ROWS_H
#define ENDPOINT_ROWS_H

#include "leat/llm.h"
#include "support/fault_server.h"

#define ROW_EVER     1000
#define ROW_ATTEMPTS 5
#define ROW_KEY      "sk-test-Zq81mXw07LtYbN4e"
#define ROW_BODY     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"[[fine]]\"}]}"

typedef enum row_charge {
    ROW_NOTHING,  /* no further attempt */
    ROW_FREE,     /* a further attempt that is charged to nothing */
    ROW_FAILURE,  /* to the failures, which are counted */
    ROW_THROTTLE, /* to the throttles, which are bounded in time */
} row_charge;

typedef enum row_conn { ROW_CONN_KEPT, ROW_CONN_GONE, ROW_CONN_EITHER } row_conn;

typedef struct row {
    int number;
    const char *name;
    /* What the server does: a whole reply that keeps the connection, or, where `status` is 0, these steps. */
    int reply;
    const char *headers, *body;
    uint32_t nesting;       /* the body is an array in so many others */
    bool gzip, gzip_broken; /* the body (NULL = 100 MiB of zeros) is packed; and then damaged */
    size_t gzip_tail;       /* so many bytes of it stand behind it again */
    fault_step step[5];
    uint32_t times; /* 0 = once; ROW_EVER = it never becomes good */
    bool early;     /* before the request's body is read */
    /* The client. */
    bool stream, hasty, http2;
    fault_tls tls;
    bool distrust; /* the authority of the server's certificate is not told */
    const char *path, *request;
    size_t request_bytes; /* the request is filled up to this size */
    uint32_t handshake_cuts;
    /* What comes of it. */
    leat_class cls;
    int status;
    uint32_t attempts, throttles, billed, refunded;
    int64_t least_ms, most_ms; /* of the call; 0 = not looked at */
    bool fatal, estimated;
    const char *text, *message; /* the reply's text; a part of the sentence; NULL = not looked at */
    row_charge charge;
    row_conn conn;
    /* Rows that no single server can play: NULL, or what went wrong. */
    const char *(*special)(leat_runtime *rt);
} row;

extern const row endpoint_rows[];
extern const size_t endpoint_row_count;

/* endpoint_calls.c: one call from a thread outside the pool, and what came of it. */
typedef struct one_call {
    leat_llm *llm;
    const char *path, *body;
    size_t body_bytes;                     /* 0 = up to the NUL */
    leat_llm_reply reply;                  /* its pointers are dead, but for those copied here */
    char *json, *text, *request_id, *line; /* `line` is the row of output; free with call_free */
    leat_err err;
} one_call;

void call_run(leat_runtime *rt, one_call *c);
leat_err call_task(leat_task *t, void *one_call, const void **result); /* the same, inside a task */
void call_free(one_call *c);

/* Rows with a program of their own. */
const char *row_dead_connection(leat_runtime *rt);
const char *row_closed_while_idle(leat_runtime *rt);
const char *row_stray_reply(leat_runtime *rt);
const char *row_names(leat_runtime *rt);
const char *row_addresses(leat_runtime *rt);
const char *row_nobody_listens(leat_runtime *rt);
const char *row_descriptors(leat_runtime *rt);
const char *row_stampede(leat_runtime *rt);
const char *row_old_address(leat_runtime *rt);
const char *row_zombie(leat_runtime *rt);

#endif
