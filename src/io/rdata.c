/* rdata.c - see rdata.h. */
#include "io/rdata.h"

#include <string.h>

static uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

s2s_err io_rdata_name(const uint8_t *bytes, size_t len, s2s_domain *out)
{
    char text[S2S_DOMAIN_MAX + 2];
    size_t at = 0, used = 0;
    memset(out, 0, sizeof *out);
    while (at < len && bytes[at] != 0) {
        size_t label = bytes[at++];
        /* Above 63 it would be a compression pointer, which has no place here. */
        if (label > 63 || label >= len - at || used + label + 1 > sizeof text)
            return S2S_E_DOMAIN_SYNTAX;
        /* A dot within a label would read as two labels. */
        if (memchr(bytes + at, '.', label) != NULL) return S2S_E_DOMAIN_SYNTAX;
        if (used > 0) text[used++] = '.';
        memcpy(text + used, bytes + at, label);
        used += label;
        at += label;
    }
    if (at + 1 != len) return S2S_E_DOMAIN_SYNTAX; /* no end, or something behind it */
    if (used == 0) return S2S_E_OK;
    return s2s_domain_make_dns((s2s_span){text, used}, out);
}

s2s_err io_rdata_srv(const uint8_t *bytes, size_t len, io_srv *out)
{
    memset(out, 0, sizeof *out);
    if (len < 7) return S2S_E_DOMAIN_SYNTAX;
    out->priority = read16(bytes);
    out->weight = read16(bytes + 2);
    out->port = read16(bytes + 4);
    return io_rdata_name(bytes + 6, len - 6, &out->target);
}

enum { DER_LEAST = 32, DER_MOST = 8192 }; /* of a certificate or key in full */

static bool data_fits(const io_tlsa *t)
{
    switch (t->matching) {
    case IO_TLSA_FULL: return t->data.len >= DER_LEAST && t->data.len <= DER_MOST;
    case IO_TLSA_SHA256: return t->data.len == 32;
    case IO_TLSA_SHA512: return t->data.len == 64;
    default: return false;
    }
}

bool io_rdata_tlsa(const uint8_t *bytes, size_t len, io_tlsa *out)
{
    memset(out, 0, sizeof *out);
    if (len < 3) return false;
    *out = (io_tlsa){bytes[0], bytes[1], bytes[2], {(const char *)bytes + 3, len - 3}};
    bool known = (out->usage == IO_TLSA_DANE_TA || out->usage == IO_TLSA_DANE_EE) &&
                 (out->selector == IO_TLSA_CERT || out->selector == IO_TLSA_SPKI);
    return known && data_fits(out);
}
