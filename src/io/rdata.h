/* rdata.h - records as libunbound gives them (uncompressed wire form) into our values.
 * For:    resolver.c, and tests with hostile bytes.
 * Never:  trusts a length.
 * Owner:  plain functions. */
#ifndef IO_RDATA_H
#define IO_RDATA_H

#include "io/resolver.h"

/* RFC 1035 3.1 name of exactly these bytes, to the canonical domain; the root gives len 0 and OK.
 * S2S_E_DOMAIN_SYNTAX */
S2S_MUST_CHECK s2s_err io_rdata_name(const uint8_t *bytes, size_t len, s2s_domain *out);

/* RFC 2782. S2S_E_DOMAIN_*: to be left out. */
S2S_MUST_CHECK s2s_err io_rdata_srv(const uint8_t *bytes, size_t len, io_srv *out);

/* RFC 6698 2.1: `out->data` borrows from bytes. False: one that says nothing to us (RFC 7671 4, RFC 7673 7: only usages 2 and 3;
 * known selectors and matching types; data that fits them). */
S2S_MUST_CHECK bool io_rdata_tlsa(const uint8_t *bytes, size_t len, io_tlsa *out);

#endif
