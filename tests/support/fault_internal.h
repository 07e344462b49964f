/* fault_internal.h: what the files of the fault server share. */
#ifndef FAULT_INTERNAL_H
#define FAULT_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/types.h>

#include "fault_server.h"

void fault_i_must(bool ok, const char *what); /* aborts the test when something cannot be had */

void fault_i_kept_use(int change); /* a server more or less; the last one frees what the builders gave out */

/* fault_tls.c: a context with a certificate of the ordered kind, and the authority's PEM in a new temporary file. */
SSL_CTX *fault_i_tls_new(fault_tls kind, char *ca_file, size_t ca_file_room);

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
    char url[48], ca_file[256];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fault_counts counts;
    fault_record *records;
    uint32_t record_count, record_room;
    uint32_t threads; /* of connections, not gone yet */
};

#endif
