/* gemini_answer.c: answers in Gemini's form: candidates with parts, and embeddings. */
#include <stdio.h>
#include <string.h>

#include "form.h"

enum {
    IN_CANDIDATES,
    IN_FEEDBACK,
    IN_USAGE,
    IN_ERROR,
    IN_CANDIDATE,
    IN_FINISH,
    IN_CONTENT,
    IN_PARTS,
    IN_BLOCK,
    IN_EMBEDDING,
    IN_EMBEDDINGS,
    IN_COUNT
};

static const leat_i_json_pick picks[IN_COUNT] = {
    [IN_CANDIDATES] = { -1, "candidates" },      [IN_FEEDBACK] = { -1, "promptFeedback" },
    [IN_USAGE] = { -1, "usageMetadata" },        [IN_ERROR] = { -1, "error" },
    [IN_CANDIDATE] = { IN_CANDIDATES, "0" },     [IN_FINISH] = { IN_CANDIDATE, "finishReason" },
    [IN_CONTENT] = { IN_CANDIDATE, "content" },  [IN_PARTS] = { IN_CONTENT, "parts" },
    [IN_BLOCK] = { IN_FEEDBACK, "blockReason" }, [IN_EMBEDDING] = { -1, "embedding" },
    [IN_EMBEDDINGS] = { -1, "embeddings" },
};

/* Thoughts are counted apart from the text that follows them, and paid for as it is. */
static void usage_read(leat_i_answer *a, leat_i_json usage)
{
    static const char *const keys[] = { "promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount",
                                        "thoughtsTokenCount", "cachedContentTokenCount" };
    leat_i_json v[5];
    uint64_t tools = 0;
    leat_i_json_get_many(usage, keys, v, 5);
    a->has_usage = leat_i_tokens_read(v[0], &a->tokens_in);
    if (leat_i_tokens_read(v[1], &tools)) a->tokens_in += tools;
    (void)leat_i_tokens_read(v[2], &a->tokens_out);
    (void)leat_i_tokens_read(v[3], &a->tokens_reasoning);
    a->tokens_out += a->tokens_reasoning;
    (void)leat_i_tokens_read(v[4], &a->tokens_cached);
}

static leat_i_case case_of_finish(leat_i_json finish, bool may_lack_finish)
{
    static const char *const filtered[] = { "SAFETY",
                                            "RECITATION",
                                            "BLOCKLIST",
                                            "PROHIBITED_CONTENT",
                                            "SPII",
                                            "LANGUAGE",
                                            "IMAGE_SAFETY",
                                            "IMAGE_PROHIBITED_CONTENT",
                                            "IMAGE_RECITATION",
                                            NULL };
    static const char *const garbled[] = { "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",      "TOO_MANY_TOOL_CALLS",
                                           "MALFORMED_RESPONSE",      "MISSING_THOUGHT_SIGNATURE", NULL };
    if (finish.type != LEAT_I_JSON_STRING || leat_i_json_str_eq(finish, "FINISH_REASON_UNSPECIFIED"))
        return may_lack_finish ? LEAT_I_CASE_OK : LEAT_I_CASE_TRUNCATED;
    if (leat_i_json_str_eq(finish, "STOP")) return LEAT_I_CASE_OK;
    if (leat_i_json_str_eq(finish, "MAX_TOKENS")) return LEAT_I_CASE_LENGTH;
    if (leat_i_json_is_any(finish, filtered)) return LEAT_I_CASE_FILTERED_ANSWER;
    if (leat_i_json_is_any(finish, garbled)) return LEAT_I_CASE_MALFORMED;
    return leat_i_json_str_eq(finish, "OTHER") ? LEAT_I_CASE_SERVER_LATE : LEAT_I_CASE_OK;
}

static void reason_tell(leat_i_answer *a, leat_i_json reason)
{
    if (reason.type != LEAT_I_JSON_STRING) return;
    leat_i_line_copy(a->fault.message, sizeof a->fault.message, reason.at + 1, reason.size - 2);
}

static leat_i_case generate_judge(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *v,
                                  leat_i_arena *scratch)
{
    leat_i_case what;
    usage_read(a, v[IN_USAGE]);
    if (v[IN_CANDIDATE].type != LEAT_I_JSON_OBJECT) {
        if (v[IN_BLOCK].type == LEAT_I_JSON_STRING) {
            reason_tell(a, v[IN_BLOCK]);
            return LEAT_I_CASE_FILTERED_ANSWER;
        }
        if (v[IN_ERROR].type != LEAT_I_JSON_NONE && leat_i_answer_is_fault(a, root, scratch, &what)) return what;
        if (!strstr(to->path, "enerateContent")) return LEAT_I_CASE_OK; /* Counting tokens, and the like. */
        bool known = v[IN_CANDIDATES].type != LEAT_I_JSON_NONE || v[IN_USAGE].type != LEAT_I_JSON_NONE ||
                     v[IN_FEEDBACK].type != LEAT_I_JSON_NONE;
        return known ? LEAT_I_CASE_EMPTY : LEAT_I_CASE_MALFORMED;
    }
    a->text = v[IN_PARTS];
    what = case_of_finish(v[IN_FINISH], to->may_lack_finish);
    if (what != LEAT_I_CASE_OK) {
        if (what != LEAT_I_CASE_LENGTH) reason_tell(a, v[IN_FINISH]);
        return what;
    }
    return leat_i_json_parts_hold(v[IN_PARTS]) ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
}

static leat_i_case embed_judge(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *v,
                               leat_i_arena *scratch)
{
    leat_i_case what;
    usage_read(a, v[IN_USAGE]);
    if (v[IN_EMBEDDINGS].type == LEAT_I_JSON_ARRAY)
        return leat_i_answer_embeddings(a, v[IN_EMBEDDINGS], "values", to->inputs, scratch);
    if (v[IN_EMBEDDING].type == LEAT_I_JSON_OBJECT)
        return leat_i_json_is_filled(leat_i_json_get(v[IN_EMBEDDING], "values")) ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
    return leat_i_answer_is_fault(a, root, scratch, &what) ? what : LEAT_I_CASE_MALFORMED;
}

const leat_i_form leat_i_form_generate = { picks, IN_COUNT, generate_judge, &leat_i_fold_generate };
const leat_i_form leat_i_form_embed = { picks, IN_COUNT, embed_judge, &leat_i_fold_generate };
