/* provider_errors.h: what providers answer when something is wrong, and what comes of it. */
#ifndef PROVIDER_ERRORS_H
#define PROVIDER_ERRORS_H

#include "leat/llm.h"

typedef struct provider_error {
    const char *provider;
    int status;
    const char *headers, *body;
    leat_class cls; /* of the call, whose next answers are good */
    uint32_t attempts, throttles;
    int64_t least_ms;
    bool fatal;
    const char *message;
} provider_error;

extern const provider_error provider_errors[];
extern const size_t provider_error_count;

#endif
