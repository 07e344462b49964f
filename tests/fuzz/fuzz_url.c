/*
 * fuzz_url.c: base URLs and the paths that are joined to them. What is accepted has a scheme and a host, nothing in it could start
 * a header, and a join stays at the same origin.
 */
#include "fuzz.h"

#include "net/url.h"

static bool is_clean(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, size };
    char *text = fuzz_text(&in), *path = fuzz_text(&in);
    char why[96] = "", again_why[96] = "";
    leat_i_url url = { 0 }, again = { 0 };
    leat_err err = leat_i_url_parse(&url, text, why, sizeof why);
    HOLDS(err == LEAT_OK || (err == LEAT_USAGE && why[0]));
    if (err == LEAT_OK) {
        HOLDS(url.origin && url.host && url.host[0] && url.path && (url.path[0] == 0 || url.path[0] == '/'));
        HOLDS(is_clean(url.origin) && is_clean(url.host) && is_clean(url.path) && (!url.query || is_clean(url.query)));
        HOLDS(strncmp(url.origin, url.https ? "https://" : "http://", url.https ? 8 : 7) == 0);
    }
    if (err == LEAT_OK && leat_i_url_path_ok(path)) {
        char *joined = leat_i_url_join(&url, path);
        HOLDS(joined && is_clean(joined) && strncmp(joined, url.origin, strlen(url.origin)) == 0);
        HOLDS(leat_i_url_parse(&again, joined, again_why, sizeof again_why) == LEAT_OK);
        HOLDS(strcmp(again.origin, url.origin) == 0 && strcmp(again.host, url.host) == 0);
        leat_i_url_fini(&again);
        free(joined);
    }
    leat_i_url_fini(&url);
    free(path);
    free(text);
    return 0;
}
