/* domain.h - XMPP domains and addresses (RFC 7622, RFC 6120 8.1).
 * For:    one canonical form of a domain, made in one function; splitting a JID.
 * Never:  asks the locale.
 * Rule:   nothing else in Causeway compares domains.                        */
#ifndef S2S_DOMAIN_H
#define S2S_DOMAIN_H

#include "s2s/base.h"

#define S2S_DOMAIN_MAX      253  /* octets of a DNS name without trailing dot (RFC 1035 2.3.4) */
#define S2S_DOMAIN_WIRE_MAX 1023 /* octets of a domainpart (RFC 7622 3.2) */
#define S2S_JID_PART_MAX    1023 /* octets (RFC 7622 3.1) */

/* A value, freely copied. len 0 is "no domain". text is NUL-terminated ASCII lower case, with A-labels: the form of DNS,
 * SNI, certificates and logs. */
typedef struct s2s_domain {
    uint8_t len;
    char text[S2S_DOMAIN_MAX + 1];
} s2s_domain;

/* Makes the canonical form: ASCII lower case, one trailing dot off, LDH labels of 1-63 octets (the underscore is
 * refused), 1-253 octets in all, no all-numeric last label, no IP literal. U-labels in UTF-8, in any case, width and
 * normalization form, become A-labels, and each A-label must be one of IDNA2008's (RFC 5890 2.3.2.1; RFC 7622 3.2.1).
 * S2S_E_DOMAIN_SYNTAX, S2S_E_DOMAIN_IDN (not IDNA2008's), S2S_E_NOMEM. On error *out is "no domain". */
S2S_MUST_CHECK s2s_err s2s_domain_make(s2s_span text, s2s_domain *out);

/* The same of a name as DNS, SNI or SRV records have it: ASCII only, and A-labels are not looked into.
 * S2S_E_DOMAIN_SYNTAX */
S2S_MUST_CHECK s2s_err s2s_domain_make_dns(s2s_span text, s2s_domain *out);

/* How d is written in XML and in an authorization identity: with U-labels (RFC 7622 3.2.1). Borrows d, or `out` where it has
 * any. */
s2s_span s2s_domain_wire(const s2s_domain *d, char out[S2S_DOMAIN_WIRE_MAX + 1]);

bool s2s_domain_eq(const s2s_domain *a, const s2s_domain *b);
int s2s_domain_order(const s2s_domain *a, const s2s_domain *b); /* <0, 0, >0: for sorting */
bool s2s_domain_under(const s2s_domain *child,
                      const s2s_domain *parent); /* strictly below: a.b under b */
/* What d lies directly below: b.c for a.b.c. False, and *out is left alone: it has one label. out may be d. */
bool s2s_domain_parent(const s2s_domain *d, s2s_domain *out);
uint32_t s2s_domain_hash(const s2s_domain *d, uint32_t seed);
s2s_span s2s_domain_span(const s2s_domain *d); /* borrows d */

/* A JID cut at the first '/', then the first '@'. Spans borrow the text; local and resource may be absent. */
typedef struct s2s_jid {
    s2s_span local;
    s2s_span resource;
    s2s_domain domain;
} s2s_jid;

/* S2S_E_IMPROPER_ADDRESS (empty, empty part), S2S_E_DOMAIN_*; and with the parts set all the same, so that it can be answered:
 * S2S_E_JID_TOO_LONG, S2S_E_JID_SYNTAX (a local part with white space, control characters or one of "&':<> of RFC 7622
 * 3.3.1, a resource with control characters). */
S2S_MUST_CHECK s2s_err s2s_jid_parse(s2s_span text, s2s_jid *out);

#endif
