/* dane.h - does this chain fit TLSA records? (RFC 6698, RFC 7671)
 * For:    usages 2 (DANE-TA) and 3 (DANE-EE), after the handshake like all judging (judge.h), for both roles.
 * Never:  asks DNS, knows whether the records were secure, or looks at other authorities; keeps anything.
 * Owner:  plain functions. The records come out of io_rdata_tlsa.            */
#ifndef IO_DANE_H
#define IO_DANE_H

#include "io/judge.h"
#include "io/resolver.h"

typedef struct io_dane_ask {
    const io_tlsa *tlsa;
    size_t n_tlsa;
    const s2s_domain
        *hosts; /* further names that a chain of DANE-TA may have: whose records they are */
    size_t n_hosts;
} io_dane_ask;

/* One record that fits is enough. DANE-EE: the leaf is all that is looked at, but for the strength of its key. DANE-TA: a
 * certificate above the leaf; then the chain up to it, dates and names (`ask->name`, hosts) as ever; `ask->store` is not used.
 * Of several digests of one usage and selector only the strongest counts (RFC 7671 9).
 * OK, CERT_TLSA (none fits), else as io_judge says of a chain that leads to one of them. */
s2s_err io_dane_judge(const io_judge_ask *ask, const io_dane_ask *dane, char detail[128]);

#endif
