/* standard.c: see standard.h. */
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../base/os.h"

void leat_i_standard_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        /* Open for the wrong direction, so that using it fails as before. */
        int null = leat_i_os_open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY, 0);
        if (null < 0) continue;
        (void)dup2(null, fd);
        (void)leat_i_os_close(null);
    }
}

void leat_i_standard_error_never_waits(void)
{
    if (!leat_i_os_is_terminal(STDERR_FILENO)) return;
    /* Opened anew: the flags of the old one are shared with the shell, and with all that it has started. */
    int fd = leat_i_os_open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return;
    (void)dup2(fd, STDERR_FILENO);
    (void)leat_i_os_close(fd);
}
