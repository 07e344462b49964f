/*
 * crowd_server.h: a tiny server for thousands of connections at once: one thread, one epoll. It answers each complete POST with
 * the same chat completion after a fixed delay, and counts.
 */
#ifndef CROWD_SERVER_H
#define CROWD_SERVER_H

#include <stdint.h>

typedef struct crowd_server crowd_server;

typedef struct crowd_counts {
    uint64_t requests, answers, connections;
    uint32_t waiting_peak; /* most requests at once that had come and were not answered */
} crowd_counts;

/* With `hold` > 0 nothing is answered until that many requests wait at once, once; `delay_ms` counts from then on. Aborts the
 * test when it cannot start. */
crowd_server *crowd_server_new(uint32_t delay_ms, uint32_t hold);
const char *crowd_server_url(const crowd_server *s);
crowd_counts crowd_server_counts(crowd_server *s);
void crowd_server_free(crowd_server *s);

#endif
