/* limits.c: resource limits of this process. */
#include "limits.h"

#include <sys/resource.h>

void leat_i_limits_no_core(void)
{
    struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
}

uint64_t leat_i_limits_descriptors(uint64_t needed)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0) return needed;
    if (now.rlim_cur >= needed) return now.rlim_cur;
    struct rlimit more = now;
    more.rlim_cur = needed;
    if (more.rlim_max < needed) more.rlim_max = needed; /* Root may raise the hard limit too. */
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) return needed;
    more = (struct rlimit){ now.rlim_max, now.rlim_max };
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? now.rlim_max : now.rlim_cur;
}
