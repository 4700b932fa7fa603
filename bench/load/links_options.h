/* links_options.h - options of the commands that set up links, as tables.
 * For:    files and addresses, yes-or-no words and numbers, each told once.
 * Never:  prints a usage; knows what the values are good for.               */
#ifndef LOAD_LINKS_OPTIONS_H
#define LOAD_LINKS_OPTIONS_H

#include "links.h"

typedef struct links_option {
    const char *name;
    const char **text;       /* a file or address, or */
    usage_pids *pids;        /* processes, or */
    const char *yes, *no;    /* one of two words, or */
    bool *flag;              /*   yes sets it */
    double *number, at_most; /* a number */
} links_option;

enum { LINKS_COMMON = 16 };

/* What all of them have: addresses, files, how a link is proved. `shows`: --peer-cert. */
void links_common_options(links_plan *p, bool *shows, links_option into[LINKS_COMMON]);
/* argv[0] is the command. False: what is wrong was said on stderr. */
bool links_read(const links_option *options, size_t n, int argc, char **argv);
bool links_whole(const links_plan *p); /* nothing is missing, and it fits together */

#endif
