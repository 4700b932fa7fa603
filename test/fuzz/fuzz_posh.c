/* fuzz_posh.c - any octets as a document of POSH (RFC 7711).
 * For:    what comes out is a list, a reference or nothing, each of its own shape; the same octets always mean the same.
 * Never:  checks digests against certificates (test_posh does).              */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "app/posh_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const app_posh_document *doc)
{
    switch (doc->kind) {
    case APP_POSH_VOID: S2S_ASSERT(doc->detail[0] != '\0'); return;
    case APP_POSH_LIST: S2S_ASSERT(doc->n_prints > 0 && doc->n_prints <= APP_POSH_PRINTS); break;
    case APP_POSH_REFERENCE:
        S2S_ASSERT(strncasecmp(doc->url, "https://", 8) == 0);
        S2S_ASSERT(strnlen(doc->url, sizeof doc->url) < sizeof doc->url);
        break;
    }
    S2S_ASSERT(doc->expires > 0 && doc->expires <= APP_POSH_EXPIRES);
    for (size_t i = 0; i < doc->n_prints; i++)
        S2S_ASSERT(doc->prints[i].len == 32 || doc->prints[i].len == 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    app_posh_document one, two;
    s2s_span text = {(const char *)data, len};
    app_posh_read(text, &one);
    app_posh_read(text, &two);
    check(&one);
    S2S_ASSERT(one.kind == two.kind && one.n_prints == two.n_prints);
    S2S_ASSERT(memcmp(one.prints, two.prints, sizeof one.prints) == 0);
    return 0;
}
