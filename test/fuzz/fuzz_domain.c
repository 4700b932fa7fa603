/* fuzz_domain.c - any text as a domain and as an address.
 * For:    one canonical form: what is made of it, and what is written of that, gives itself again; and nothing is in it that
 *         DNS, a certificate check or a log would stumble over.
 * Never:  checks which domains are good (the unit tests do).                                  */
#include <stdint.h>
#include <string.h>

#include <s2s/domain.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void is_plain(const s2s_domain *d)
{
    static const char ldh[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    S2S_ASSERT(d->len > 0 && d->len <= S2S_DOMAIN_MAX && strlen(d->text) == d->len);
    S2S_ASSERT(strspn(d->text, ldh) == d->len && strstr(d->text, "..") == NULL);
    S2S_ASSERT(d->text[0] != '.' && d->text[d->len - 1] != '.');
}

static void gives_itself(s2s_span text, const s2s_domain *want)
{
    s2s_domain again;
    S2S_ASSERT(s2s_domain_make(text, &again) == S2S_E_OK);
    S2S_ASSERT(memcmp(&again, want, sizeof again) == 0);
}

static void try_domain(s2s_span text)
{
    char wire[S2S_DOMAIN_WIRE_MAX + 1];
    s2s_domain d, dns;
    if (s2s_domain_make(text, &d) != S2S_E_OK) {
        S2S_ASSERT(d.len == 0);
        return;
    }
    is_plain(&d);
    gives_itself(s2s_domain_span(&d), &d);
    gives_itself(s2s_domain_wire(&d, wire), &d);
    S2S_ASSERT(s2s_domain_make_dns(s2s_domain_span(&d), &dns) == S2S_E_OK);
    S2S_ASSERT(s2s_domain_eq(&d, &dns));
}

static bool lies_in(s2s_span part, s2s_span text)
{
    return part.ptr == NULL ||
           (part.len > 0 && part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
}

static void try_address(s2s_span text)
{
    s2s_jid jid;
    s2s_err err = s2s_jid_parse(text, &jid);
    if (err != S2S_E_OK && err != S2S_E_JID_TOO_LONG && err != S2S_E_JID_SYNTAX) return;
    is_plain(&jid.domain);
    S2S_ASSERT(lies_in(jid.local, text) && lies_in(jid.resource, text));
    S2S_ASSERT(jid.local.ptr == NULL || memchr(jid.local.ptr, '/', jid.local.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    s2s_span text = {(const char *)data, len};
    try_domain(text);
    try_address(text);
    return 0;
}
