/* fuzz_records.c - any octets as the data of an SRV or TLSA record, or as a name.
 * For:    what comes out is within what went in, canonical, and of the shape that the rest counts on.
 * Never:  asks libunbound: its own parser has seen the packet before.
 *
 * Input: one octet that says which, then the record's data.                  */
#include <stdint.h>
#include <string.h>

#include "io/dane.h"
#include "io/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void is_canonical(const s2s_domain *d)
{
    s2s_domain again;
    S2S_ASSERT(d->len <= S2S_DOMAIN_MAX && strlen(d->text) == d->len);
    if (d->len == 0) return; /* the root */
    S2S_ASSERT(s2s_domain_make_dns(s2s_domain_span(d), &again) == S2S_E_OK);
    S2S_ASSERT(s2s_domain_eq(d, &again));
}

static void try_name(const uint8_t *data, size_t len)
{
    s2s_domain d;
    if (io_rdata_name(data, len, &d) == S2S_E_OK) is_canonical(&d);
}

static void try_srv(const uint8_t *data, size_t len)
{
    io_srv srv;
    if (io_rdata_srv(data, len, &srv) != S2S_E_OK) return;
    S2S_ASSERT(len >= 7);
    S2S_ASSERT(srv.port == (data[4] << 8 | data[5]));
    is_canonical(&srv.target);
}

static void try_tlsa(const uint8_t *data, size_t len)
{
    io_tlsa tlsa;
    if (!io_rdata_tlsa(data, len, &tlsa)) return;
    S2S_ASSERT(tlsa.usage == IO_TLSA_DANE_TA || tlsa.usage == IO_TLSA_DANE_EE);
    S2S_ASSERT(tlsa.selector <= IO_TLSA_SPKI && tlsa.matching <= IO_TLSA_SHA512);
    S2S_ASSERT(tlsa.data.ptr == (const char *)data + 3 && tlsa.data.len == len - 3);
    if (tlsa.matching != IO_TLSA_FULL) S2S_ASSERT(tlsa.data.len == 32u * tlsa.matching);
    /* A record in full may be a certificate: it is parsed when somebody is judged by it. */
    X509 *leaf = X509_new();
    S2S_ASSERT(leaf != NULL);
    const io_judge_ask ask = {.leaf = leaf, .peer = S2S_RECEIVING};
    const io_dane_ask dane = {.tlsa = &tlsa, .n_tlsa = 1};
    S2S_ASSERT(io_dane_judge(&ask, &dane, NULL) !=
               S2S_E_OK); /* an empty certificate fits nothing */
    X509_free(leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) return 0;
    switch (data[0] % 3) {
    case 0: try_name(data + 1, len - 1); break;
    case 1: try_srv(data + 1, len - 1); break;
    default: try_tlsa(data + 1, len - 1); break;
    }
    return 0;
}
