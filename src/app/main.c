/* main.c - `causeway COMMAND`: reads the words of the command line. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/options.h"

static const char USAGE[] =
    "causeway run            carries stanzas until SIGTERM; logs to stderr\n"
    "causeway check          says everything that is wrong with the settings\n"
    "causeway status         links, pairs, remotes and the ledger of the running daemon\n"
    "         --json         the same for programs\n"
    "causeway flush DOMAIN   tries a remote domain again at once\n"
    "causeway pin FILE       prints the pin of a certificate's key, for peers.*.pins\n"
    "causeway options        prints an annotated sample of the settings (--man: the man page)\n"
    "causeway version\n"
    "\n"
    "  -c FILE   the settings (default " APP_SETTINGS_FILE ")\n"
    "\n"
    "Exit code: 0 all is well, 1 refused, not running or out of balance, 2 wrong command line.\n";

typedef struct words {
    const char *command, *argument, *file;
    bool json, man;
} words;

static int usage(const char *wrong)
{
    if (wrong) fprintf(stderr, "causeway: what is %s?\n\n", wrong);
    fputs(USAGE, stderr);
    return APP_EXIT_USAGE;
}

/* NULL, or the word that does not belong. */
static const char *read_words(int argc, char **argv, words *w)
{
    w->file = APP_SETTINGS_FILE;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "-c") && i + 1 < argc)
            w->file = argv[++i];
        else if (!strcmp(word, "--json"))
            w->json = true;
        else if (!strcmp(word, "--man"))
            w->man = true;
        else if (word[0] == '-' && strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0 &&
                 strcmp(word, "--version") != 0)
            return word;
        else if (!w->command)
            w->command = word;
        else if (!w->argument && (!strcmp(w->command, "flush") || !strcmp(w->command, "pin")))
            w->argument = word;
        else
            return word;
    }
    return NULL;
}

static bool is(const words *w, const char *command)
{
    return !strcmp(w->command, command);
}

int main(int argc, char **argv)
{
    words w = {0};
    const char *wrong = read_words(argc, argv, &w);
    if (wrong) return usage(wrong);
    if (!w.command) return usage(NULL);
    if (w.json && !is(&w, "status")) return usage("--json");
    if (w.man && !is(&w, "options")) return usage("--man");
    if (is(&w, "run")) return app_command_run(w.file);
    if (is(&w, "check")) return app_command_check(w.file);
    if (is(&w, "status")) return app_command_status(w.file, w.json);
    if (is(&w, "flush")) return w.argument ? app_command_flush(w.file, w.argument) : usage(NULL);
    if (is(&w, "pin")) return w.argument ? app_command_pin(w.argument) : usage(NULL);
    if (is(&w, "options")) {
        if (w.man)
            app_options_print_man(stdout);
        else
            app_options_print_sample(stdout);
        return APP_EXIT_OK;
    }
    if (is(&w, "version") || is(&w, "--version")) {
        puts("causeway " CAUSEWAY_VERSION);
        return APP_EXIT_OK;
    }
    if (is(&w, "help") || is(&w, "--help") || is(&w, "-h")) {
        fputs(USAGE, stdout);
        return APP_EXIT_OK;
    }
    return usage(w.command);
}
