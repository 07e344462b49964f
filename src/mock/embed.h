/* embed.h: embeddings, whatever their form: what is asked for, and how the answer stands around the vectors. */
#ifndef LEAT_I_MOCK_EMBED_H
#define LEAT_I_MOCK_EMBED_H

#include "answer.h"

#define LEAT_I_MOCK_EMBED_INPUTS_MAX     2048
#define LEAT_I_MOCK_EMBED_DIMENSIONS     256
#define LEAT_I_MOCK_EMBED_DIMENSIONS_MAX 4096

typedef struct leat_i_mock_embed_input {
    const char *text; /* in the arena; NULL = tokens */
    size_t size;
    leat_i_json tokens; /* an array of numbers */
} leat_i_mock_embed_input;

typedef struct leat_i_mock_embed_ask {
    leat_i_mock_embed_input *input; /* in the arena */
    size_t count;
    uint64_t dimensions, tokens;
    bool base64;
} leat_i_mock_embed_ask;

struct leat_i_mock_embed_form {
    /* Reads the body. False = the answer says what is wrong. */
    bool (*take)(leat_i_mock_request *r, leat_i_json body, leat_i_mock_embed_ask *ask);
    /* Put what stands around the vectors: before the first, before and behind each, behind the last. */
    void (*begin)(leat_i_mock_request *r);
    void (*entry_begin)(leat_i_mock_request *r, size_t index);
    void (*entry_end)(leat_i_mock_request *r);
    void (*end)(leat_i_mock_request *r, const leat_i_mock_embed_ask *ask);
};

/* Room for `count` inputs, which are then added one by one; false = the answer is made. */
bool leat_i_mock_embed_room(leat_i_mock_request *r, leat_i_mock_embed_ask *ask, size_t count);
bool leat_i_mock_embed_add(leat_i_mock_request *r, leat_i_mock_embed_ask *ask, const char *text, size_t size);

#endif
