/* Many small tasks from outside the pool: each sentence is counted by a task of its own, and one handle waits for all. */
#include <ctype.h>
#include <leat/leat.h>
#include <stdio.h>

struct sentence {
    const char *text;
    int words;
};

static leat_err count_words(leat_task *t, void *arg, const void **result)
{
    struct sentence *s = arg;
    if (!*s->text) return leat_task_fail(t, LEAT_USER, "there is nothing to count");
    for (const char *c = s->text; *c; c++)
        if (isalpha((unsigned char)*c) && !isalpha((unsigned char)c[1])) s->words++;
    return LEAT_OK;
}

int main(void)
{
    struct sentence sentences[] = { { .text = "The mill stands still." },
                                    { .text = "" },
                                    { .text = "Water comes down the sluice, and the wheel turns." },
                                    { .text = "Flour." } };
    size_t count = sizeof sentences / sizeof sentences[0];
    leat_runtime *rt;
    leat_handle *h;
    leat_error error;
    if (leat_runtime_new(&rt, NULL)) return 1;
    leat_err err = leat_task_submit_batch(rt, count_words, sentences, sizeof sentences[0], count, &h);
    if (err == LEAT_OK) {
        err = leat_handle_wait(h, -1, NULL, &error);
        leat_handle_free(h);
        if (err) printf("one failed: %s\n", error.text);
    }
    for (size_t i = 0; i < count; i++)
        printf("%d: %s\n", sentences[i].words, sentences[i].text);
    leat_runtime_free(rt);
    return err == LEAT_USER ? 0 : 1;
}
