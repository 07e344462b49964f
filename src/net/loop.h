/*
 * loop.h: private to net: the loop's thread, and what lives on it. Nobody outside src/net includes this.
 *
 *   loop ──< origin ──< pool (a multi handle) ──< slot (an easy handle) ──? exchange (on the stack of the task that performs it)
 *
 * Contract. Everything here belongs to the loop's thread, except what is said to be of another. Three things cross over:
 *   - an exchange, from worker to loop, through the worker's mailbox; from then on the loop owns it, the reply and the task's
 *     arena, until it completes `future` (exactly once, its last touch of the exchange unless a cancel is under way);
 *   - an op (cancel an exchange, free an origin, stop), from any thread to the loop, through a push / take-all list. Ops are
 *     taken before the mailboxes and run after them: a cancel never overtakes the exchange that it means;
 *   - a wake-up: whoever adds work looks whether the loop is asleep, and writes the eventfd at most once per sleep.
 *
 * An exchange is waiting (for the origin's first look-up of a name) -> on a slot -> done. Its `finish` happens exactly once.
 */
#ifndef LEAT_I_LOOP_H
#define LEAT_I_LOOP_H

#include <pthread.h>

#include <curl/curl.h>

#include "../base/buf.h"
#include "../base/check.h"
#include "http.h"
#include "mailbox.h"
#include "url.h"

/* One multi handle searches the list of all its connections to place a request: cheap up to about a hundred. */
#define LEAT_I_POOL_SLOTS           64
#define LEAT_I_CONNECTION_AGE_S     4 /* idle connections older than this are not used again: many servers close at 5 */
#define LEAT_I_REST_NS              (5 * LEAT_I_NS_PER_S) /* a pool that nobody used for so long is emptied */
#define LEAT_I_DNS_S                300                   /* how long an address is believed */
#define LEAT_I_HEADER_BYTES_MAX     (256u * 1024u)
#define LEAT_I_LIMITS_BYTES         1024                    /* of a reply's headers about rate limits */
#define LEAT_I_DRAIN_NS             (50 * LEAT_I_NS_PER_MS) /* after enough was read, for the reply's end to save the connection */
#define LEAT_I_DRAIN_BYTES_MAX      (64u * 1024u)
#define LEAT_I_WHOLE_NS             (2 * LEAT_I_NS_PER_S) /* after a whole answer, for usage and the end marker */
#define LEAT_I_NS_PER_BYTE_MAX      (LEAT_I_NS_PER_S / 4) /* a body that comes slower for longer than the idle time is no body */
#define LEAT_I_RESET_NS             LEAT_I_NS_PER_S       /* a kept connection that dies this soon was dead before */
#define LEAT_I_SPARE_BUFS           64
#define LEAT_I_SPARE_BUF_BYTES_MAX  (64u * 1024u)
#define LEAT_I_PLACED_BYTES_MAX     (64 * 1024) /* of a reply that comes into the arena at once */
#define LEAT_I_OPENED_MAX           4
#define LEAT_I_KEPT_MAX             (LEAT_I_POOL_SLOTS * 2) /* connections of a pool, as curl is told */
#define LEAT_I_URL_CACHE            16
#define LEAT_I_CURL_TIMER_MARGIN_MS 5000 /* curl's own connect timer, behind the loop's */

typedef struct leat_i_loop leat_i_loop;
typedef struct leat_i_pool leat_i_pool;
typedef struct leat_i_slot leat_i_slot;
typedef struct leat_i_exchange leat_i_exchange;

typedef struct leat_i_op { /* caller's memory, until run */
    struct leat_i_op *next;
    void (*run)(leat_i_loop *loop, struct leat_i_op *op);
} leat_i_op;

/* A timer of the loop's heap, and what it calls. */
typedef struct leat_i_alarm {
    leat_i_timer timer;
    void (*due)(leat_i_loop *loop, struct leat_i_alarm *alarm, int64_t now_ns);
} leat_i_alarm;

typedef struct leat_i_fd { /* one per descriptor number */
    leat_i_pool *pool;
    uint32_t mask;   /* registered with epoll; 0 = not registered */
    bool active;     /* curl wants to hear of it; else it is registered and asleep (a kept connection) */
    bool may_linger; /* an established connection, which curl closes through our callback: see socket.c */
} leat_i_fd;

typedef struct leat_i_kept {
    int fd, local_port;
    bool is_http1; /* it has answered so, where HTTP/2 was asked for */
} leat_i_kept;

struct leat_i_loop {
    leat_runtime *rt;
    uint64_t id; /* of all loops of this process; a thread's mailbox remembers whose it is */
    pthread_t thread;
    int epoll_fd, wake_fd;
    LEAT_ATOMIC(uint32_t) asleep;          /* 1 while the loop is in, or about to be in, epoll_wait; any thread clears it */
    LEAT_ATOMIC(leat_i_mailbox *) mailbox; /* list of all; any worker adds, nobody removes */
    LEAT_ATOMIC(leat_i_op *) op;           /* newest first; any thread pushes */
    pthread_mutex_t known_mutex;           /* guards `known`, and is held by no two threads for long */
    leat_i_http_origin *known;             /* all origins that are not freed; any thread adds and takes out */
    bool stop;
    bool starved; /* memory was short for a pool's timer: try again soon */
    leat_i_heap heap;
    leat_i_fd *fd;
    size_t fd_room;
    leat_i_pool *runnable;          /* pools with something to do now */
    leat_i_http_origin *releasable; /* origins whose look-up has ended */
    leat_i_http_origin *origin;     /* all with pools */
    CURLSH *share;                  /* names and TLS sessions, within this thread only */
    leat_i_buf spare[LEAT_I_SPARE_BUFS];
    size_t spare_count;
};

struct leat_i_pool {
    leat_i_http_origin *origin;
    leat_i_loop *loop;
    CURLM *multi;                      /* NULL before the first use and after a rest */
    leat_i_slot *idle;                 /* newest first, so that warm connections are used */
    uint32_t busy_count;               /* slots in use */
    uint32_t open_count;               /* established connections, kept ones too */
    leat_i_kept kept[LEAT_I_KEPT_MAX]; /* the first of them: which descriptor has which port */
    uint32_t kept_count;
    uint32_t index;                        /* in the origin's list */
    int64_t last_end_ns;                   /* when a slot last became idle */
    leat_i_pool *runnable;                 /* next in the loop's list */
    uint32_t gone_connection, gone_stream; /* HTTP/2: of the last GOAWAY: whose, and the last stream that was looked at */
    bool has_gone, gone_calm;
    bool is_runnable;
    bool is_due;        /* curl asked to be called, or its timer has run out */
    int64_t curl_at_ns; /* when curl wants to be called; LEAT_I_NEVER_NS = not */
    leat_i_alarm alarm; /* for curl_at_ns; may be set earlier than needed */
    leat_i_alarm rest;  /* when to look whether nobody has used the pool for a while */
};

struct leat_i_slot {
    CURL *easy;
    leat_i_pool *pool;
    leat_i_slot *next;  /* in the pool's idle list */
    leat_i_exchange *x; /* NULL while idle */
    uint64_t url_serial;
    bool has_method, is_get, accepts_stream, is_fresh; /* as the easy handle is set now */
    char error[CURL_ERROR_SIZE];
};

struct leat_i_http_origin {
    leat_runtime *rt;
    leat_i_loop *loop; /* NULL = its runtime has ended before it was freed */
    leat_i_http_origin *known_next, *known_prev;
    leat_i_url url;
    struct curl_slist *headers, *stream_headers;
    char *cacert, *cert, *cert_key;
    bool http2;
    int64_t address_ns, connect_ns, first_byte_ns, idle_ns, total_ns;
    size_t body_bytes_max, buffer_bytes;
    /* The loop's, from here on. */
    leat_i_pool **pool;
    uint32_t pool_count, pool_room, pool_hint; /* all pools below the hint are full */
    struct leat_i_url_entry {
        char *path, *url;
        uint64_t serial;
    } url_cache[LEAT_I_URL_CACHE];
    uint64_t url_serial;
    leat_i_exchange *waiting, *waiting_last; /* for the look-up of the name that is under way */
    leat_i_exchange *looking_up;             /* whose; NULL = none is */
    int64_t dns_until_ns;
    bool is_releasable, is_listed;
    leat_i_http_origin *releasable, *next, *prev;
};

struct leat_i_exchange {
    leat_future future; /* completed once, by the loop */
    leat_future let_go; /* completed once a cancel has been run */
    leat_i_op cancel;
    leat_i_alarm alarm;
    const leat_i_http_request *request;
    leat_i_http_reply *reply;
    leat_i_http_origin *origin;
    leat_i_arena *arena;          /* of the task */
    leat_i_slot *slot;            /* NULL while waiting and when done */
    leat_i_exchange *next, *prev; /* in origin->waiting */
    leat_i_buf body;              /* a spare of the loop while a reply of unknown length arrives */
    char *placed_body;            /* a reply that told its length arrives in the task's arena at once; NULL = not this one */
    size_t placed_room, placed_bytes;
    int64_t start_ns;
    int64_t sent_ns;    /* the connection stood and the request went out; 0 = not yet */
    int64_t first_ns;   /* first line of the final reply; 0 = not yet */
    int64_t content_ns; /* last piece of content; or earlier, when it came too slowly: see content_came in receive.c */
    int64_t whole_ns;   /* the answer was whole; 0 = not yet */
    int64_t lost_ns;    /* the connection was seen to be lost; 0 = not */
    int64_t drain_ns;   /* enough was read; until when the rest is waited for; 0 = reading */
    size_t header_bytes, body_bytes;
    size_t counted_bytes; /* of the body, when the last content came */
    uint64_t length;      /* Content-Length + 1; 0 = none */
    int local_errno, local_port;
    int opened[LEAT_I_OPENED_MAX]; /* the last sockets that were opened for it */
    uint32_t opened_count;
    uint8_t stop;     /* leat_i_http_end + 1 of a stop by our own callbacks; 0 = none */
    bool is_waiting;  /* it is there */
    bool is_new;      /* a socket was opened for it, before the request went out */
    bool has_headers; /* all of the final reply's */
    bool has_body;
    bool has_coding; /* Transfer-Encoding */
    bool has_content;
    bool is_stale; /* curl chose a connection on which something came that nobody asked for: nothing was sent */
    bool is_done;
    bool is_refused;                /* HTTP/2: curl says that the stream was refused */
    bool is_calm;                   /* HTTP/2: curl speaks of ENHANCE_YOUR_CALM */
    uint32_t stream_id, connection; /* HTTP/2: as curl counts them */
    bool is_unresolved;             /* it asked for the name itself, and curl got no answer */
};

/* loop.c */
leat_i_loop *leat_i_loop_of(leat_runtime *rt);         /* started on first use; NULL when it could not be */
void leat_i_loop_op(leat_i_loop *loop, leat_i_op *op); /* any thread */
void leat_i_loop_know(leat_i_http_origin *o);          /* any thread: it is the loop's from now on */
void leat_i_loop_forget(leat_i_http_origin *o);        /* any thread: and no more */
bool leat_i_loop_submit(leat_i_loop *loop, leat_i_exchange *x, bool *full); /* a worker; false = full, or memory is short */
void leat_i_loop_run_soon(leat_i_loop *loop, leat_i_pool *pool);
bool leat_i_loop_alarm(leat_i_loop *loop, leat_i_alarm *alarm, int64_t when_ns); /* sets or moves it */

/* socket.c: the descriptors and epoll. */
int leat_i_socket_want(CURL *easy, curl_socket_t fd, int what, void *pool, void *unused);
curl_socket_t leat_i_socket_open(void *slot, curlsocktype purpose, struct curl_sockaddr *address);
void leat_i_socket_established(leat_i_exchange *x, int local_port);
bool leat_i_socket_is_stale(const leat_i_pool *pool, int local_port);
void leat_i_socket_speaks_http1(leat_i_pool *pool, int local_port);
int leat_i_socket_close(void *pool, curl_socket_t fd);
void leat_i_socket_event(leat_i_loop *loop, int fd, uint32_t events);

/* pool.c: multi and easy handles. */
leat_i_slot *leat_i_pool_take_slot(leat_i_http_origin *o); /* NULL when memory is short */
void leat_i_pool_give_slot(leat_i_slot *slot, int64_t now_ns);
void leat_i_pool_run(leat_i_pool *pool);
void leat_i_pool_alarm(leat_i_pool *pool); /* for curl's timer; sets loop->starved when memory is short */
bool leat_i_pool_may_reuse(const leat_i_http_origin *o, int64_t now_ns);
void leat_i_pools_free(leat_i_http_origin *o); /* no exchange is on them */

/* exchange.c: one exchange on the loop. */
void leat_i_exchange_begin(leat_i_loop *loop, leat_i_exchange *x);
void leat_i_exchange_cancel(leat_i_loop *loop, leat_i_op *op);
void leat_i_exchange_finish(leat_i_exchange *x, leat_i_http_end end, const char *message);
void leat_i_exchange_done(leat_i_exchange *x, CURLcode rc);
void leat_i_origin_release(leat_i_loop *loop, leat_i_http_origin *o);
void leat_i_origin_resolved(leat_i_http_origin *o, leat_i_exchange *x);
void leat_i_exchange_arm(leat_i_exchange *x);

/* words.c: sentences for failures. */
bool leat_i_words_no_tls(const char *curl_words);  /* a handshake failed since the other side does not speak TLS */
bool leat_i_words_unknown(const char *curl_words); /* the other side does not like our certificate, or misses one */
void leat_i_words_put(char *out, size_t size, const leat_i_exchange *x, leat_i_http_end end, const char *curl_words,
                      long os_errno);

/* receive.c: curl's callbacks of a slot. */
size_t leat_i_receive_header(char *line, size_t one, size_t size, void *slot);
size_t leat_i_receive_body(char *data, size_t one, size_t size, void *slot);
int leat_i_receive_prereq(void *slot, char *remote_ip, char *local_ip, int remote_port, int local_port);

/* http2.c: what curl tells in words only. */
int leat_i_http2_hear(CURL *easy, curl_infotype type, char *text, size_t size, void *slot);
bool leat_i_http2_refused(const leat_i_exchange *x, bool *calm); /* by the endpoint, unseen; or with a call for calm */

/* end.c: what a code of curl means. */
leat_i_http_end leat_i_end_of(const leat_i_exchange *x, CURLcode rc, long os_errno);

#endif
