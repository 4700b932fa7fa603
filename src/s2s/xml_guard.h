/* xml_guard.h - a look at one unfinished XML token.
 * For:    knowing when a token that is still arriving ends, so that a long one is not given to the
 *         parser byte by byte (quadratic there); refusing comments, processing instructions and
 *         DTDs at their first bytes.
 * Never:  looks at a finished token; judges well-formedness (the parser does).
 * Owner:  a plain value inside the parser.                                                      */
#ifndef S2S_XML_GUARD_H
#define S2S_XML_GUARD_H

#include "s2s/base.h"

/* Named after what the scan waits for. */
typedef enum s2s_guard_state {
    S2S_GUARD_IDLE,      /* no token is open, or one that ends by itself within 3 bytes */
    S2S_GUARD_FIRST,     /* the token's first byte */
    S2S_GUARD_SECOND,    /* what follows '<' */
    S2S_GUARD_CDATA,     /* the rest of "<![CDATA[" */
    S2S_GUARD_DECL_NAME, /* the rest of "<?xml" and one byte more */
    S2S_GUARD_DECL,      /* '?' of "?>" */
    S2S_GUARD_DECL_END,  /* '>' of "?>" */
    S2S_GUARD_TAG,       /* '>' or a quote */
    S2S_GUARD_QUOTE,     /* the quote that ends the value */
    S2S_GUARD_REFERENCE  /* ';' */
} s2s_guard_state;

typedef enum s2s_guard_verdict {
    S2S_GUARD_OPEN,       /* all was scanned, no end yet */
    S2S_GUARD_ENDED,      /* the last byte scanned ends the token */
    S2S_GUARD_RESTRICTED, /* a comment, processing instruction or DTD begins */
    S2S_GUARD_MALFORMED   /* an XML declaration that is not at the start of the document */
} s2s_guard_verdict;

typedef struct s2s_guard {
    s2s_guard_state state;
    char quote;            /* QUOTE: which one */
    bool document_start;   /* an XML declaration may stand here */
    unsigned char matched; /* bytes of the name or of "[CDATA[" seen */
} s2s_guard;

void s2s_guard_start(s2s_guard *g, bool document_start);
void s2s_guard_stop(s2s_guard *g);

/* Goes on with the token's next bytes and says in *n how many it took: all, or up to the byte that
 * decided. After ENDED, or when the token needs no guard, the guard is idle. */
s2s_guard_verdict s2s_guard_scan(s2s_guard *g, s2s_span bytes, size_t *n);

bool s2s_guard_is_open(const s2s_guard *g);

/* Whether it is legal markup is not known yet: the bytes must not reach the parser. */
bool s2s_guard_undecided(const s2s_guard *g);

#endif
