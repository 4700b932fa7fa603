/* commands.h - what `causeway WORD` does; main.c picks one.
 * For:    one function a command, its printing included.
 * Never:  reads the command line.
 * Owner:  the process. Each gives the exit code.                            */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include <stdbool.h>

#ifndef CAUSEWAY_VERSION
#define CAUSEWAY_VERSION "0.1.0"
#endif

#define APP_SETTINGS_FILE "/etc/causeway/causeway.yaml"

/* Exit codes of all commands. */
enum { APP_EXIT_OK = 0, APP_EXIT_NO = 1, APP_EXIT_USAGE = 2 };

int app_command_run(const char *file);   /* until a signal */
int app_command_check(const char *file); /* NO: refused */
int app_command_status(const char *file,
                       bool as_json);         /* NO: not running, or a ledger out of balance */
int app_command_pin(const char *certificate); /* of a PEM file, as peers.*.pins wants it */
int app_command_flush(const char *file, const char *domain);

#endif
