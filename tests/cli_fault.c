/*
 * cli_fault.c: a server that misbehaves, as a program: what the tests of the command line cannot get from 'leat mock'.
 *
 *   cli_fault KIND     prints its URL and the file of its certificate authority (or "-"), serves until standard input ends, then
 *                      prints how many complete requests arrived
 */
#include <stdio.h>
#include <string.h>

#include "support/fault_server.h"

static const fault_step ECHO_KEY[] = {
    { FAULT_SEND,
      "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
      "{\"error\":{\"message\":\"Incorrect API key provided: ",
      0, 0, 0 },
    { FAULT_ECHO_KEY, NULL, 0, 0, 0 },
    { FAULT_SEND, "\",\"code\":\"invalid_api_key\"}}", 0, 0, 0 },
    { FAULT_CLOSE, NULL, 0, 0, 0 },
};
static const fault_step ECHO_KEY_400[] = {
    { FAULT_SEND,
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
      "{\"error\":{\"message\":\"I was sent ",
      0, 0, 0 },
    { FAULT_ECHO_KEY, NULL, 0, 0, 0 },
    { FAULT_SEND, "\",\"code\":\"strange\"}}", 0, 0, 0 },
    { FAULT_CLOSE, NULL, 0, 0, 0 },
};
static const fault_step QUOTA[] = {
    { FAULT_SEND,
      "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 75\r\n\r\n"
      "{\"error\":{\"message\":\"You exceeded your quota\",\"code\":\"insufficient_quota\"}}",
      0, 0, 0 },
    { FAULT_KEEP, NULL, 0, 0, 0 },
};
static const fault_step HANG[] = { { FAULT_HANG, NULL, 0, 0, 0 } };

static const fault_step GOAWAY[] = {
    { FAULT_ECHO_MARK, NULL, 0, 0, 0 },
    { FAULT_GOAWAY, NULL, 0, 1, 0 },
    { FAULT_PAUSE, NULL, 0, 0, 50 },
    { FAULT_CLOSE, NULL, 0, 0, 0 },
};

static const struct kind {
    const char *name;
    const fault_step *step;
    fault_tls tls;
    bool http2;
} KINDS[] = {
    { "echo-key", ECHO_KEY, FAULT_TLS_NONE, false },
    { "echo-key-400", ECHO_KEY_400, FAULT_TLS_NONE, false },
    { "quota", QUOTA, FAULT_TLS_NONE, false },
    { "hang", HANG, FAULT_TLS_NONE, false },
    { "tls-good", NULL, FAULT_TLS_GOOD, false },
    { "tls-self-signed", NULL, FAULT_TLS_SELF_SIGNED, false },
    { "tls-wrong-name", NULL, FAULT_TLS_WRONG_NAME, false },
    { "tls-expired", NULL, FAULT_TLS_EXPIRED, false },
    { "tls-old", NULL, FAULT_TLS_OLD, false },
    { "http2", NULL, FAULT_TLS_GOOD, true },
    { "http2-goaway", GOAWAY, FAULT_TLS_GOOD, true },
};

int main(int argc, char **argv)
{
    const struct kind *kind = NULL;
    for (size_t i = 0; argc == 2 && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(KINDS[i].name, argv[1]) == 0) kind = &KINDS[i];
    if (!kind) {
        fprintf(stderr, "usage: cli_fault KIND\n");
        return 2;
    }
    fault_script script = { .step = kind->step };
    fault_opts opts = { .script = &script, .script_count = kind->step ? 1 : 0, .tls = kind->tls, .http2 = kind->http2 };
    fault_server *server = fault_server_new(&opts);
    const char *ca = fault_server_ca_file(server);
    printf("%s\n%s\n", fault_server_url(server), ca ? ca : "-");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    printf("%u\n", fault_server_counts(server).requests);
    fault_server_free(server);
    return 0;
}
