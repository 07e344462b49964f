/* fault_records.c: what the fault server saw, for the test to ask. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault_internal.h"

#define WAIT_S 20

void fault_i_must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "fault_server: %s failed\n", what);
    abort();
}

uint16_t fault_server_port(const fault_server *s)
{
    return s->port;
}

const char *fault_server_url(const fault_server *s)
{
    return s->url;
}

const char *fault_server_ca_file(const fault_server *s)
{
    return s->tls ? s->files.ca : NULL;
}

const char *fault_server_client_file(const fault_server *s)
{
    return s->files.client[0] ? s->files.client : NULL;
}

fault_counts fault_server_counts(fault_server *s)
{
    pthread_mutex_lock(&s->lock);
    fault_counts counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}

static uint32_t records_with(fault_server *s, const char *text, bool partial_too)
{
    uint32_t count = 0;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->record_count; i++) {
        const fault_record *r = &s->records[i];
        if ((partial_too || r->complete) && memmem(r->text, r->size, text, strlen(text))) count++;
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

uint32_t fault_server_requests_with(fault_server *s, const char *text)
{
    return records_with(s, text, false);
}

bool fault_server_saw(fault_server *s, const char *text)
{
    return records_with(s, text, true) > 0;
}

char *fault_server_request(fault_server *s, uint32_t index, uint32_t *connection, uint32_t *nth_on_connection)
{
    char *copy = NULL;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0, n = 0; i < s->record_count && !copy; i++) {
        const fault_record *r = &s->records[i];
        if (!r->complete || n++ != index) continue;
        copy = malloc(r->size + 1);
        fault_i_must(copy != NULL, "malloc");
        memcpy(copy, r->text, r->size + 1);
        if (connection) *connection = r->connection;
        if (nth_on_connection) *nth_on_connection = r->nth;
    }
    pthread_mutex_unlock(&s->lock);
    return copy;
}

/* Waits for a change until `done` says so; false after WAIT_S. */
static bool wait_until(fault_server *s, bool (*done)(const fault_counts *counts, uint32_t number), uint32_t number)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    pthread_mutex_lock(&s->lock);
    bool ok = done(&s->counts, number);
    while (!ok && pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0)
        ok = done(&s->counts, number);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool requests_came(const fault_counts *counts, uint32_t number)
{
    return counts->requests >= number;
}

static bool requests_went(const fault_counts *counts, uint32_t number)
{
    return counts->served >= number;
}

static bool connections_came(const fault_counts *counts, uint32_t number)
{
    return counts->connections >= number;
}

static bool connections_went(const fault_counts *counts, uint32_t number)
{
    return counts->open <= number;
}

bool fault_server_wait_requests(fault_server *s, uint32_t requests)
{
    return wait_until(s, requests_came, requests);
}

bool fault_server_wait_served(fault_server *s, uint32_t served)
{
    return wait_until(s, requests_went, served);
}

bool fault_server_wait_connections(fault_server *s, uint32_t connections)
{
    return wait_until(s, connections_came, connections);
}

bool fault_server_wait_open(fault_server *s, uint32_t at_most)
{
    return wait_until(s, connections_went, at_most);
}
