/* report.h - a load's figures: on the terminal while it runs, at its end, and as JSON.
 * For:    people and bench/run.py.
 * Never:  measures.                                                          */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "load.h"

void report_progress(const load *l); /* one line on stderr, when that is a terminal */
void report_print(const load *l, bool ok);
bool report_write(const load *l, bool ok, const char *file); /* JSON; "-" is stdout */

#endif
