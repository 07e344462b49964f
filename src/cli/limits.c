/* limits.c: resource limits of this process. */
#include "limits.h"

#include <sys/resource.h>

/* With a limit of 0 Linux still pipes a core to a program that the system may name for it; with 1 it does neither that nor write a
 * file, which would need a page. */
void leat_i_limits_no_core(void)
{
    struct rlimit least = { 1, 1 }, none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &least) != 0) (void)setrlimit(RLIMIT_CORE, &none);
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
