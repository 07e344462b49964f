/* key.c: see key.h. */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/os.h"
#include "setup.h"

static bool key_is_printable(const char *key)
{
    for (const unsigned char *at = (const unsigned char *)key; *at; at++)
        if (*at <= ' ' || *at >= 0x7f) return false;
    return true;
}

/* Takes the white space around away, in place: a file ends in a newline, and a variable often too. */
static void key_trim(char *key)
{
    size_t from = strspn(key, " \t\r\n"), size = strlen(key);
    while (size > from && strchr(" \t\r\n", key[size - 1]))
        size--;
    memmove(key, key + from, size - from);
    explicit_bzero(key + size - from, strlen(key + size - from));
}

static leat_err key_file_judge(const struct stat *st, const char *file, leat_error *error)
{
    if (!S_ISREG(st->st_mode)) return leat_i_fail(error, LEAT_DENIED, "the key file %s is not a file", file);
    if (st->st_mode & (S_IRWXG | S_IRWXO))
        return leat_i_fail(error, LEAT_DENIED, "the key file %s is open to others: chmod 600 it", file);
    return LEAT_OK;
}

static leat_err key_file_missing(const char *file, int rc, leat_error *error)
{
    char why[64];
    return leat_i_fail(error, LEAT_DENIED, "the key file %s cannot be read: %s", file,
                       leat_i_errno_text(rc, why, sizeof why));
}

leat_err leat_i_key_file_check(const char *file, leat_error *error)
{
    struct stat st;
    int rc = leat_i_os_stat(file, &st);
    return rc < 0 ? key_file_missing(file, rc, error) : key_file_judge(&st, file, error);
}

static leat_err key_read_open(int fd, const char *file, char **key, leat_error *error)
{
    struct stat st;
    int rc = leat_i_os_fstat(fd, &st);
    if (rc < 0) return key_file_missing(file, rc, error);
    LEAT_TRY(key_file_judge(&st, file, error));
    char *text = leat_i_alloc_zeroed(LEAT_I_KEY_BYTES_MAX + 2);
    if (!text) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    ssize_t size = leat_i_os_read(fd, text, LEAT_I_KEY_BYTES_MAX + 1);
    *key = text;
    if (size >= 0 && size <= LEAT_I_KEY_BYTES_MAX && !memchr(text, 0, (size_t)size)) return LEAT_OK;
    explicit_bzero(text, LEAT_I_KEY_BYTES_MAX + 2); /* All of it, behind a NUL in its middle too. */
    return leat_i_fail(error, LEAT_DENIED, "the key file %s does not hold a key", file);
}

static leat_err key_read_file(const char *file, char **key, leat_error *error)
{
    int fd = leat_i_os_open(file, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return key_file_missing(file, fd, error);
    leat_err err = key_read_open(fd, file, key, error);
    (void)leat_i_os_close(fd);
    return err;
}

leat_err leat_i_key_read(char **key, const char *file, const char *env, leat_error *error)
{
    leat_err err = LEAT_OK;
    *key = NULL;
    if (file) {
        err = key_read_file(file, key, error);
    } else if (getenv(env)) {
        *key = leat_i_strdup(getenv(env));
        if (!*key) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    }
    if (!err && *key) {
        key_trim(*key);
        if (!key_is_printable(*key))
            err = leat_i_fail(error, LEAT_USAGE, "the key holds characters that no key has");
        else if (file && !**key)
            err = leat_i_fail(error, LEAT_DENIED, "the key file %s is empty", file);
    }
    if (err || (*key && !**key)) {
        leat_i_key_free(*key);
        *key = NULL;
    }
    return err;
}

void leat_i_key_free(char *key)
{
    if (key) explicit_bzero(key, strlen(key));
    leat_i_free(key);
}
