/* fixture.h - a throw-away folder with certificates and keys for the settings tests.
 * For:    files with permissions of every kind, which cannot stand in the tree.
 * Owner:  one at a time; made and removed by the group's set-up and tear-down.  */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stddef.h>
#include <stdint.h>

/* Makes the folder and goes there:
 *   org.pem/.key   example.org            net.pem/.key  example.net       conf.pem/.key  conference.example.org
 *   wild.pem/.key  wild.example, *.wild.example         old.pem/.key   example.net, expired
 *   next.pem/.key  example.org, ten days left
 *   open.key       org.key, readable by all             locked.key     org.key, readable by nobody
 *   encrypted.key  org.key with a password              short.secret   five characters */
int fixture_make(void **state);
int fixture_remove(void **state); /* and goes back */

char *fixture_read(const char *file, size_t *len); /* for free(); asserts that it could */
void fixture_write(const char *file, const char *text, size_t len, unsigned mode);

/* A port nobody has on any address. Not one of those the kernel hands out: another test, run at the same time, would be
 * given it before we listen. */
uint16_t fixture_port(void);

#endif
