/* idna.c - see idna.h. */
#include "s2s/idna.h"

#include <idn2.h>
#include <string.h>

enum { FLAGS = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL };

/* Takes over what libidn2 gives, if it has room. */
static size_t take(char *text, char *out, size_t most)
{
    size_t len = strlen(text);
    if (len > most) len = 0;
    memcpy(out, text, len);
    out[len] = '\0';
    idn2_free(text);
    return len;
}

s2s_err s2s_idna_to_ascii(s2s_span text, char out[S2S_DOMAIN_MAX + 2])
{
    char given[S2S_DOMAIN_WIRE_MAX + 1];
    uint8_t *ascii = NULL;
    if (text.len == 0 || text.len >= sizeof given || memchr(text.ptr, '\0', text.len) != NULL)
        return S2S_E_DOMAIN_SYNTAX;
    memcpy(given, text.ptr, text.len);
    given[text.len] = '\0';
    int rc = idn2_lookup_u8((const uint8_t *)given, &ascii, FLAGS);
    if (rc == IDN2_MALLOC) return S2S_E_NOMEM;
    if (rc != IDN2_OK) return S2S_E_DOMAIN_IDN;
    return take((char *)ascii, out, S2S_DOMAIN_MAX + 1) > 0 ? S2S_E_OK : S2S_E_DOMAIN_SYNTAX;
}

size_t s2s_idna_to_unicode(const char *ascii, char out[S2S_DOMAIN_WIRE_MAX + 1])
{
    char *unicode = NULL;
    if (idn2_to_unicode_8z8z(ascii, &unicode, 0) != IDN2_OK) return 0;
    return take(unicode, out, S2S_DOMAIN_WIRE_MAX);
}
