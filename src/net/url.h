/*
 * url.h: base URLs: what is accepted, where they point, and how a request's path is joined to them.
 *
 * The parser is curl's own, so that what is judged here is what is connected to later.
 */
#ifndef LEAT_I_URL_H
#define LEAT_I_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "leat/base.h"

typedef struct leat_i_url {
    char *origin;  /* "https://host:port", the port only when it was given */
    char *host;    /* name or address */
    char *path;    /* "" or "/v1"; never ends with a slash */
    char *query;   /* without '?'; NULL = none; goes behind every joined URL that has none */
    bool https;    /* else http */
    bool loopback; /* localhost or an address of this machine's loopback: nothing leaves the machine */
} leat_i_url;

/* LEAT_USAGE with a sentence in `why` for what is not a usable http or https URL, or holds a user name or a fragment. */
leat_err leat_i_url_parse(leat_i_url *url, const char *text, char *why, size_t why_bytes);
void leat_i_url_fini(leat_i_url *url); /* fine for zeroed memory */

/* The password in the URL of a proxy, as it is sent; heap, wipe it; NULL when there is none (or memory is short). */
char *leat_i_url_password(const char *text);

/* The URL of `path` under `url`: "/v1" and "/v1/models" give "/v1/models", since both sides may name the version. Heap; NULL
 * when memory is short. */
char *leat_i_url_join(const leat_i_url *url, const char *path);

/* Whether `path` may go into a request line: starts with '/', and no white space, control or non-ASCII bytes, no '#'. */
bool leat_i_url_path_ok(const char *path);

#endif
