/* cmd.h: the commands of the program. */
#ifndef LEAT_I_CLI_CMD_H
#define LEAT_I_CLI_CMD_H

#include "option.h"

extern const leat_i_command leat_i_cmd_run, leat_i_cmd_check, leat_i_cmd_mock;

extern const leat_i_command *const leat_i_commands[]; /* NULL-ended */

#endif
