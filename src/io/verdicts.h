/* verdicts.h - chains that were found good, so that the same chain under the same store is not verified at every link.
 * For:    peers that come again, resumed or not; a verdict holds while all of its chain is valid, and is of one store alone.
 * Never:  remembers a bad chain; remembers a name: which domain it names is looked at each time, as is all else of judge.h.
 * Owner:  one thread, one store; of fixed size, the oldest of those that share a slot gives way. */
#ifndef IO_VERDICTS_H
#define IO_VERDICTS_H

#include "io/judge.h"

typedef struct io_verdicts io_verdicts;

/* Takes a reference of its own of the store. `slots`: how many chains, at least 1. NULL: no memory. */
io_verdicts *io_verdicts_new(X509_STORE *store, size_t slots);
void io_verdicts_free(io_verdicts *v); /* NULL is fine */

/* As io_judge; ask->store must be that of v. */
s2s_err io_verdicts_judge(io_verdicts *v, const io_judge_ask *ask, char detail[128]);
/* As io_judge_ssl. */
s2s_err io_verdicts_judge_ssl(io_verdicts *v, const SSL *ssl, const s2s_domain *name,
                              char detail[128]);

typedef struct io_verdicts_count {
    uint64_t known, verified; /* chains judged: by an earlier verdict; anew */
} io_verdicts_count;
io_verdicts_count io_verdicts_counted(const io_verdicts *v);

#endif
