/* idna.h - internationalised domains between their two forms (IDNA2008, RFC 5891; UTS 46 mapping, non-transitional).
 * For:    domain.c, which alone makes domains.
 * Never:  asks the locale; looks at anything but the text. Behind it is libidn2, by its UTF-8 calls.
 * Owner:  plain functions.  */
#ifndef S2S_IDNA_H
#define S2S_IDNA_H

#include "s2s/domain.h"

/* Any spelling, in UTF-8, to A-labels: case, width, normalization form and the ideographic full stop are mapped. What comes
 * out may still be no domain (labels of other characters than letters, digits, hyphens).
 * S2S_E_DOMAIN_IDN, S2S_E_DOMAIN_SYNTAX (too long, no text), S2S_E_NOMEM */
S2S_MUST_CHECK s2s_err s2s_idna_to_ascii(s2s_span text, char out[S2S_DOMAIN_MAX + 2]);

/* A-labels to U-labels; gives the length. 0: they have none, or memory is short. */
size_t s2s_idna_to_unicode(const char *ascii, char out[S2S_DOMAIN_WIRE_MAX + 1]);

#endif
