/* standard.h: the three descriptors that a program is given: each of them is there, and standard error holds nobody up. */
#ifndef LEAT_I_CLI_STANDARD_H
#define LEAT_I_CLI_STANDARD_H

/* First thing in the program, before anything is opened. A descriptor of the three that is closed becomes one that cannot be used: else
 * the next file that is opened takes its number, and messages are written among the rows, or to the endpoint. */
void leat_i_standard_open(void);

/* Makes writing to a standard error that is a terminal not wait for it (where Ctrl-S was typed, or the connection behind it stands
 * still). Other programs on that terminal see nothing of it. Where this cannot be had, it stays as it is. */
void leat_i_standard_error_never_waits(void);

#endif
