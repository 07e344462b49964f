/* commands.c: the list of the program's commands. */
#include "cmd.h"

const leat_i_command *const leat_i_commands[] = {
    &leat_i_cmd_run,
    &leat_i_cmd_check,
    &leat_i_cmd_mock,
    NULL,
};
