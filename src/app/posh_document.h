/* posh_document.h - the documents of RFC 7711, by which a domain says which certificates are its.
 * For:    reading one.
 * Never:  fetches, follows a reference, or keeps anything.
 * Owner:  plain values.                                                     */
#ifndef APP_POSH_DOCUMENT_H
#define APP_POSH_DOCUMENT_H

#include "io/posh.h"

enum {
    APP_POSH_PRINTS = 32,      /* that are kept of one document */
    APP_POSH_DOCUMENT = 65536, /* octets */
    APP_POSH_EXPIRES = 86400   /* s: believed no longer, whatever it says */
};

typedef enum app_posh_kind { APP_POSH_VOID, APP_POSH_LIST, APP_POSH_REFERENCE } app_posh_kind;

typedef struct app_posh_document {
    app_posh_kind kind;
    io_posh_print prints[APP_POSH_PRINTS]; /* LIST: at least one */
    size_t n_prints;
    char url[1024];   /* REFERENCE: https */
    uint32_t expires; /* s, above 0; at most APP_POSH_EXPIRES */
    char detail[64];  /* VOID: why, for logs */
} app_posh_document;

/* VOID: no JSON, or not what RFC 7711 3 allows: a list and a reference in one, neither, `expires` missing or 0, digests that are
 * none. Members that we do not know are passed over, as are digests of other kinds. */
void app_posh_read(s2s_span text, app_posh_document *out);

#endif
