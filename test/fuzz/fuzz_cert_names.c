/* fuzz_cert_names.c - any certificate, held against a domain.
 * For:    a certificate is a domain's only if that domain's name, or a star above it, stands in it; what it is good for does not
 *         depend on how often it is asked.
 * Never:  checks signatures (there are none worth it).
 *
 * Input: the domain, a new line, the certificate as DER.                     */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include "io/judge.h"
#include "io/pin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool stands_in(s2s_span all, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= all.len; i++)
        if (strncasecmp(all.ptr + i, text, n) == 0) return true;
    return false;
}

/* Among dNSNames alone, for XmppAddr and SRVName may be spelt otherwise. */
static void names(X509 *x, s2s_span der, const s2s_domain *d)
{
    char star[S2S_DOMAIN_MAX + 4];
    bool one = io_cert_names(x, d, true), any = io_cert_names(x, d, false);
    S2S_ASSERT(any || !one);
    const char *dot = strchr(d->text, '.');
    size_t n = dot != NULL ? strlen(dot) : 0;
    star[0] = '*';
    memcpy(star + 1, dot != NULL ? dot : "", n + 1);
    S2S_ASSERT(!one || stands_in(der, d->text) || (n > 0 && stands_in(der, star)));
    S2S_ASSERT(io_cert_names(x, d, true) == one && io_cert_names(x, d, false) == any);
}

static void judge(X509 *x, const s2s_domain *d)
{
    const io_chain chain = {.constrained = false};
    char detail[128] = "?";
    for (int i = 0; i < 2; i++) {
        io_judge_ask ask = {.leaf = x, .peer = i == 0 ? S2S_INITIATING : S2S_RECEIVING, .name = d};
        s2s_err err = io_judge_leaf(&ask, &chain, detail);
        S2S_ASSERT((err == S2S_E_OK) == (detail[0] == '\0'));
        if (err == S2S_E_OK) S2S_ASSERT(io_cert_names(x, d, false));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *line = len > 0 ? memchr(data, '\n', len) : NULL;
    s2s_domain d;
    io_pin pin;
    if (line == NULL) return 0;
    if (s2s_domain_make((s2s_span){(const char *)data, (size_t)(line - data)}, &d) != S2S_E_OK)
        return 0;
    const unsigned char *at = line + 1;
    s2s_span der = {(const char *)at, (size_t)(data + len - at)};
    X509 *x = d2i_X509(NULL, &at, (long)der.len);
    if (x != NULL) {
        names(x, der, &d);
        judge(x, &d);
        (void)io_pin_of(x, &pin);
    }
    X509_free(x);
    ERR_clear_error();
    return 0;
}
