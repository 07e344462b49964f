/* limits.h: what the system must grant a run before it starts. */
#ifndef LEAT_I_CLI_LIMITS_H
#define LEAT_I_CLI_LIMITS_H

#include <stdint.h>

/* A core file would hold the key and documents: none is written from here on. */
void leat_i_limits_no_core(void);

/* Makes room for `needed` open descriptors, as far as the system allows. Gives what there is room for. */
uint64_t leat_i_limits_descriptors(uint64_t needed);

#endif
