/* faults.h: the faults that the endpoint can play when it is told to. */
#ifndef LEAT_I_MOCK_FAULTS_H
#define LEAT_I_MOCK_FAULTS_H

#include <stdbool.h>

/* name as a script has it, and what the client sees */
#define LEAT_I_MOCK_FAULT_MAP(X)                                       \
    X(STATUS, "status", "an error answer with \"status\" (500)")       \
    X(CUT, "cut", "the connection is cut in the middle of the answer") \
    X(SLOW, "slow", "the answer comes \"seconds\" (10) later")

typedef enum leat_i_mock_fault_kind {
    LEAT_I_MOCK_FAULT_NONE,
#define LEAT_I_MOCK_FAULT_ENUM(code, name, sentence) LEAT_I_MOCK_FAULT_##code,
    LEAT_I_MOCK_FAULT_MAP(LEAT_I_MOCK_FAULT_ENUM)
#undef LEAT_I_MOCK_FAULT_ENUM
        LEAT_I_MOCK_FAULT_COUNT,
} leat_i_mock_fault_kind;

/* NULL past the last. */
const char *leat_i_mock_fault_name(leat_i_mock_fault_kind kind);
const char *leat_i_mock_fault_sentence(leat_i_mock_fault_kind kind);
/* LEAT_I_MOCK_FAULT_NONE when there is none of that name. */
leat_i_mock_fault_kind leat_i_mock_fault_of(const char *name);

#endif
