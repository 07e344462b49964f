/* fault_internal.h: what the files of the fault server share. */
#ifndef FAULT_INTERNAL_H
#define FAULT_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/types.h>

#include "fault_server.h"

void fault_i_must(bool ok, const char *what); /* aborts the test when something cannot be had */

void fault_i_kept_use(int change); /* a server more or less; the last one frees what the builders gave out */

/* fault_tls.c: a context with a certificate of the ordered kind; the authority's PEM, and with TLS_MUTUAL a client's, in new
 * temporary files. */
typedef struct fault_files {
    char ca[256], client[256];
} fault_files;
SSL_CTX *fault_i_tls_new(fault_tls kind, bool http2, fault_files *files);

/* fault_conn.c: bytes of one connection, plain or TLS, blocking, but never past the server's end. */
typedef struct fault_conn {
    int fd;
    SSL *ssl;    /* NULL = plain */
    int stop_fd; /* readable once the server is to end */
} fault_conn;
bool fault_i_handshake(fault_conn *c, SSL_CTX *tls);
ssize_t fault_i_recv(fault_conn *c, void *data, size_t size); /* 0 = closed, < 0 = reset or stopped */
bool fault_i_send(fault_conn *c, const void *data, size_t size);
bool fault_i_pause(fault_conn *c, uint32_t ms); /* false = the server is to end */
void fault_i_close(fault_conn *c, bool reset);

typedef struct fault_record {
    char *text; /* head and body as sent, NUL-ended */
    size_t size;
    uint32_t connection, nth;
    bool complete;
} fault_record;

struct fault_server {
    fault_opts opts;
    SSL_CTX *tls;
    int listen_fd, stop_fd;
    uint16_t port;
    char url[48];
    fault_files files;
    uint32_t handshake_cuts; /* still to come */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fault_counts counts;
    fault_record *records;
    uint32_t record_count, record_room;
    uint32_t threads; /* of connections, not gone yet */
};

/* One request on its way in. */
typedef struct fault_inbox {
    char *data;
    size_t size, room;
    size_t head_size, body_size; /* body_size is known once the body is whole */
} fault_inbox;

typedef struct fault_connection {
    fault_server *server;
    fault_conn conn;
    uint32_t serial, nth;
    fault_inbox in;
    uint32_t record_index; /* of the request at hand; UINT32_MAX = none yet */
} fault_connection;

/* fault_server.c: a request that has come so far is kept, its script chosen (and its use counted), the reply that echoes. */
void fault_i_record(fault_connection *c, size_t size, bool complete);
const fault_step *fault_i_script(fault_connection *c, bool early);
int fault_i_mark_body(const fault_inbox *in, char *body, size_t room);
bool fault_i_step(fault_connection *c, const fault_step *step,
                  bool *reset); /* one that both protocols share; false = over */
void fault_i_hang(fault_connection *c);

/* fault_h2.c: serves a connection in HTTP/2 until it is over. */
void fault_i_h2_serve(fault_connection *c, bool *reset);

#endif
