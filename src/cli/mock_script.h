/* mock_script.h: the script of 'leat mock' from its options: --script, --fault and --limit-at. */
#ifndef LEAT_I_CLI_MOCK_SCRIPT_H
#define LEAT_I_CLI_MOCK_SCRIPT_H

#include "../base/buf.h"
#include "option.h"

/* Puts the script into `b`, the file's lines first, so that messages count them as the file does; `path` may be NULL. Gives an exit
 * code; when it is not 0 the sentence was printed. */
int leat_i_mock_script_put(leat_i_buf *b, const char *path, const leat_i_list *faults, const leat_i_list *limits);

/* Prints the faults that can be ordered, and those that cannot be and why; an exit code. */
int leat_i_mock_faults_print(void);

#endif
