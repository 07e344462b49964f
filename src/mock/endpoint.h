/*
 * endpoint.h: the inside of the endpoint: one thread that owns everything, and the requests on their way.
 *
 * One thread runs libmicrohttpd, the timers and the limits, so nothing here has a lock: the counters that other threads read
 * are relaxed atomics, and a stop flag with an eventfd is the only message to the thread. libmicrohttpd walks all suspended
 * connections of a daemon whenever one is resumed, so that ten thousand delayed answers in one daemon would cost ten thousand
 * steps each; therefore connections are spread over small daemons ("shards"), all driven by the one loop.
 *
 * A request's states, each entered once, in this order:
 *   READING    headers and body come in (request.c)
 *   WAITING    judged and answered in memory; its connection is suspended until the answer's time (skipped without delay)
 *   SENDING    the response is queued; a paced stream suspends and resumes its connection between tokens
 * and then it goes back to the free list, when libmicrohttpd says that the request is completed, however it ended.
 */
#ifndef LEAT_I_MOCK_ENDPOINT_H
#define LEAT_I_MOCK_ENDPOINT_H

#include <microhttpd.h>
#include <pthread.h>

#include "../base/buf.h"
#include "../base/heap.h"
#include "../base/mem.h"
#include "../base/os.h"
#include "../sched/sched.h"
#include "leat/mock.h"
#include "log.h"
#include "script.h"
#include "window.h"

#define LEAT_I_MOCK_SHARD_CONNECTIONS 128
#define LEAT_I_MOCK_KEYS_MAX          1024
#define LEAT_I_MOCK_SPARES_MAX        64
#define LEAT_I_MOCK_MODEL             "leat-extract"
#define LEAT_I_MOCK_EMBED_MODEL       "leat-embed"

typedef enum leat_i_mock_route {
    LEAT_I_MOCK_ROUTE_NONE,
    LEAT_I_MOCK_ROUTE_CHAT,
    LEAT_I_MOCK_ROUTE_CHAT_STREAM, /* its path says that it is a stream */
    LEAT_I_MOCK_ROUTE_EMBED,
    LEAT_I_MOCK_ROUTE_EMBED_MANY, /* of a form that has a path of its own for many */
    LEAT_I_MOCK_ROUTE_MODELS,
    LEAT_I_MOCK_ROUTE_MODEL, /* one of them */
    LEAT_I_MOCK_ROUTE_HEALTH,
    LEAT_I_MOCK_ROUTE_STATS,
} leat_i_mock_route;

typedef enum leat_i_mock_phase {
    LEAT_I_MOCK_READING,
    LEAT_I_MOCK_WAITING,
    LEAT_I_MOCK_SENDING,
} leat_i_mock_phase;

/* How an answer goes out that libmicrohttpd shall not send. */
typedef enum leat_i_mock_wire {
    LEAT_I_MOCK_WIRE_NONE,  /* it sends it */
    LEAT_I_MOCK_WIRE_RAW,   /* r->out is all of it, head and body; then the connection is closed */
    LEAT_I_MOCK_WIRE_CLOSE, /* no answer: the connection is closed */
    LEAT_I_MOCK_WIRE_RESET, /* the same, by a reset */
} leat_i_mock_wire;

typedef struct leat_i_mock_shard {
    struct MHD_Daemon *daemon;
    leat_mock *mock;
    struct leat_i_mock_shard *next_dirty; /* in the list of those that must run */
    uint32_t connections;
    bool dirty;
} leat_i_mock_shard;

typedef struct leat_i_mock_key { /* the windows of one API key */
    uint64_t hash;
    uint32_t in_flight;                       /* accepted requests of it that are open */
    leat_i_mock_window window, input, output; /* of requests and all tokens; of the parts of the tokens */
} leat_i_mock_key;

typedef struct leat_i_mock_dialect leat_i_mock_dialect;

typedef struct leat_i_mock_request {
    leat_i_timer timer; /* first: the heap gives it back */
    struct leat_i_mock_request *next_free;
    struct MHD_Connection *connection;
    leat_i_mock_shard *shard;
    leat_i_mock_phase phase;
    leat_i_mock_route route;
    const leat_i_mock_dialect *dialect; /* never NULL */
    bool suspended;
    bool names_model;   /* its path does: a model, or a deployment */
    bool needs_version; /* Azure's older form: there is one in its query */
    bool too_large;     /* the body passed the limit: read to its end, kept nowhere */
    bool admitted;      /* counts as in flight */
    bool streaming;     /* the answer is a stream of events */
    bool no_memory;     /* the body could not be kept */
    int64_t dropped;    /* bytes of a body that is not kept */
    uint64_t serial;    /* ordinal of the request, from 1 */
    uint64_t key_hash;
    leat_i_mock_key *key; /* it counts as in flight there; NULL = nowhere */
    int64_t start_ns;
    leat_i_buf body; /* of the request; given back once the answer is made */
    /* The answer. */
    int status;
    leat_i_buf out;
    const char *allow;      /* Allow header of a 405; NULL = none */
    bool limits_known;      /* rate limit headers go with it */
    const char *retry_text; /* Retry-After as a script has it; NULL = from retry_ns */
    int64_t retry_ns;       /* Retry-After; < 0 = none */
    const char *decision;   /* for the log; NULL = told by the status */
    bool was_cut;           /* by us, as ordered */
    bool is_logged;         /* a line is due at its end */
    uint64_t body_hash;
    uint32_t in_flight_then;        /* when it was judged */
    const leat_i_mock_order *order; /* the fault that it plays; NULL = none */
    uint64_t tokens;                /* charged at admission */
    uint64_t tokens_in;             /* of these what was asked: set before it is judged */
    uint64_t tokens_reply;          /* of the answer's text: what it is paced by */
    leat_i_mock_limits limits;      /* that it was judged by */
    leat_i_mock_state limit_state, input_state, output_state;
    leat_i_buf events; /* streaming: uint32_t each, where an event of `out` ends */
    uint32_t event_count, event_next;
    /* How many there are before the first with a token, up to the last with one, and before what only says that it is over. */
    uint32_t events_before, events_tokens, events_final;
    const char *content_type; /* NULL = that of JSON, or of server-sent events */
    double tokens_per_s;      /* its own; 0 = at once */
    int64_t first_token_ns;   /* after its first event */
    int64_t first_event_ns;   /* when the first event went out */
    size_t cut_at;            /* bytes after which the connection is cut; SIZE_MAX = not */
    /* How an ordered fault sends it. */
    leat_i_mock_wire wire;
    bool cut_resets;     /* the cut is a reset */
    bool floods;         /* blanks without end instead */
    size_t hold_at;      /* bytes after which nothing goes out for hold_ns; 0 = no hold */
    int64_t hold_ns;     /* is 0 again when the hold has begun */
    int64_t dribble_ns;  /* between two bytes; 0 = all that there is at once */
    int64_t comments_ns; /* how long there is nothing but comments; is 0 again when they are over */
    int64_t comments_end_ns, next_byte_ns;
    bool comment_is_out;
    uint64_t added;      /* bytes that went out and are not of r->out */
    const char *headers; /* lines that go with the answer; NULL = none */
    char retry_date[40];
} leat_i_mock_request;

/* Counters, written by the thread of the endpoint only. Relaxed: each is a number of its own. */
typedef struct leat_i_mock_counters {
    LEAT_ATOMIC(uint64_t) requests, answered, refused_429, refused_503, errors, cut, window_max, log_lost;
    LEAT_ATOMIC(uint32_t) in_flight_peak, in_flight, connections;
} leat_i_mock_counters;

struct leat_mock {
    leat_mock_opts opts; /* its key and log_path point to copies of our own, its script nowhere */
    char *key, *log_path;
    uint64_t key_hash; /* of opts.key */
    char url[48];
    leat_i_mock_limits limits; /* where the script says nothing */
    leat_i_mock_script script;
    int listen_fd, epoll_fd, wake_fd;
    pthread_t thread;
    uint32_t fork_count; /* at its start; another one: this is a child of fork, and the thread is in the other process */
    LEAT_ATOMIC(bool) stop;
    leat_i_mock_counters counters;
    /* All below belongs to the thread. */
    leat_i_mock_shard **shard; /* room for shard_max of them, made when needed */
    uint32_t shard_count, shard_max, connections;
    leat_i_mock_shard *dirty;
    bool accepting;
    int64_t accept_again_ns; /* when descriptors were short: not before */
    leat_i_heap timers;
    leat_i_mock_request *free_request;
    uint32_t free_count;
    leat_i_arena scratch;                     /* what the answer at hand is made from: answers are made one at a time */
    leat_i_buf spare[LEAT_I_MOCK_SPARES_MAX]; /* bodies' buffers for the next requests */
    uint32_t spare_count;
    leat_i_mock_key *keys; /* open addressing by hash */
    uint32_t key_count;
    leat_i_mock_peak peak;
    leat_i_buf bomb; /* the answer of the fault of that name, once it was made */
    leat_i_mock_log log;
    uint64_t rand, serial;
    int64_t start_ns, start_wall_ns;
};

/* loop.c */
void *leat_i_mock_thread(void *mock);
void leat_i_mock_loop_fini(leat_mock *m); /* frees what the thread left; after it has ended */
void leat_i_mock_shard_wake(leat_i_mock_shard *shard);
/* Suspends the request's connection until `when_ns`; false = memory is short, the connection goes on at once. */
bool leat_i_mock_suspend(leat_i_mock_request *r, int64_t when_ns);

/* request.c */
enum MHD_Result leat_i_mock_handle(void *shard, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *data, size_t *data_size, void **request);
void leat_i_mock_completed(void *shard, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode why);
void leat_i_mock_requests_fini(leat_mock *m);

/* send.c */
enum MHD_Result leat_i_mock_send(leat_i_mock_request *r);

/* admit.c: judges a request; `tokens` is what it would be charged. False = it is refused, and the answer says why. */
bool leat_i_mock_admit(leat_i_mock_request *r, uint64_t tokens, int64_t now_ns);
/* It is no longer in flight. */
void leat_i_mock_count_out(leat_i_mock_request *r);
/* Gives the delay of an accepted request's answer, and perhaps turns the answer into a fault. */
int64_t leat_i_mock_fault(leat_i_mock_request *r);

/* answer.c: makes the answer of a whole request in memory; gives the ns it shall wait. */
int64_t leat_i_mock_answer(leat_i_mock_request *r, const char *method, const char *url);
/* The line of the log of a request that has ended. */
void leat_i_mock_log_end(leat_i_mock_request *r, enum MHD_RequestTerminationCode why);
void leat_i_mock_stats_read(leat_mock *m, leat_mock_stats *stats);

static inline leat_mock *leat_i_mock_of(const leat_i_mock_request *r)
{
    return r->shard->mock;
}

#endif
