/* judge.c - see judge.h. */
#include "io/judge.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    LEVEL = 2,         /* 112 bits: RSA from 2048, no SHA-1 */
    DEPTH = 8,         /* issuers between leaf and root */
    SAN_ENTRIES = 1000 /* looked at; a certificate with more of them is up to something */
};

/* ---- names ---- */

static const char SRV_PREFIX[] = "_xmpp-server.";

/* Text of a name in a certificate against the reference, which is canonical. A trailing dot is not a way to write it
 * there (RFC 5280 4.2.1.6). */
static bool text_is(const char *text, size_t len, const s2s_domain *name)
{
    return len == name->len && strncasecmp(text, name->text, len) == 0;
}

/* An XmppAddr is UTF-8 and may have U-labels (RFC 6120 13.7.1.4). */
static bool address_is(const char *text, size_t len, const s2s_domain *name)
{
    s2s_domain d;
    return text[len - 1] != '.' && s2s_domain_make((s2s_span){text, len}, &d) == S2S_E_OK &&
           s2s_domain_eq(&d, name);
}

/* ASN.1 strings carry their length: a NUL inside is a character which no reference has. */
static bool other_name_is(const OTHERNAME *other, const s2s_domain *name)
{
    const size_t prefix = sizeof SRV_PREFIX - 1;
    int kind = OBJ_obj2nid(other->type_id), type = other->value->type;
    if (type != V_ASN1_IA5STRING && type != V_ASN1_UTF8STRING) return false;
    const char *text = (const char *)ASN1_STRING_get0_data(other->value->value.asn1_string);
    int signed_len = ASN1_STRING_length(other->value->value.asn1_string);
    if (!text || signed_len <= 0) return false;
    size_t len = (size_t)signed_len;
    if (kind == NID_XmppAddr) return type == V_ASN1_UTF8STRING && address_is(text, len, name);
    return kind == NID_SRVName && type == V_ASN1_IA5STRING && len > prefix &&
           strncasecmp(text, SRV_PREFIX, prefix) == 0 && text_is(text + prefix, len - prefix, name);
}

static bool other_names(X509 *leaf, const s2s_domain *name)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(all) && i < SAN_ENTRIES; i++) {
        const GENERAL_NAME *entry = sk_GENERAL_NAME_value(all, i);
        found = entry->type == GEN_OTHERNAME && other_name_is(entry->d.otherName, name);
    }
    GENERAL_NAMES_free(all);
    return found;
}

bool io_cert_names(X509 *leaf, const s2s_domain *name, bool constrained)
{
    /* Without the first flag a certificate without dNSName would be taken by its common name; with a leading dot (which no
     * s2s_domain has) any subdomain would match. "*" stands for one whole label below at least two. */
    const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                           X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS;
    if (name->len == 0) return false;
    bool found = X509_check_host(leaf, name->text, name->len, flags, NULL) == 1 ||
                 (!constrained && other_names(leaf, name));
    ERR_clear_error();
    return found;
}

/* ---- the chain ---- */

static s2s_err err_of(int verdict)
{
    switch (verdict) {
    case X509_V_OK: return S2S_E_OK;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return S2S_E_CERT_EXPIRED;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK: return S2S_E_CERT_WEAK;
    case X509_V_ERR_OUT_OF_MEM: return S2S_E_NOMEM;
    default: return S2S_E_CERT_UNTRUSTED;
    }
}

/* Who dialled us may hold a certificate for clients or for servers: public authorities no longer issue both. Whom we dialled
 * must hold one for servers. */
static bool usage_fits(X509 *leaf, s2s_role peer)
{
    uint32_t usage = X509_get_extended_key_usage(leaf); /* all bits set: no such extension */
    uint32_t fits = XKU_SSL_SERVER | XKU_ANYEKU;
    if (peer == S2S_INITIATING) fits |= XKU_SSL_CLIENT;
    return (usage & fits) != 0;
}

/* An issuer bound to certain names says nothing about SRV-ID and XmppAddr: those bounds are on dNSName (RFC 9525 7.4). */
static bool has_constraints(STACK_OF(X509) * chain)
{
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (X509_get_ext_by_NID(sk_X509_value(chain, i), NID_name_constraints, -1) >= 0)
            return true;
    return false;
}

static s2s_err say(char detail[128], s2s_err err, const char *text)
{
    if (detail) (void)snprintf(detail, 128, "%s", text);
    return err;
}

s2s_err io_judge_leaf(const io_judge_ask *ask, const io_chain *chain, char detail[128])
{
    if (X509_get_extension_flags(ask->leaf) & EXFLAG_CA)
        return say(detail, S2S_E_CERT_UNTRUSTED, "it is an authority's own certificate");
    if (!usage_fits(ask->leaf, ask->peer))
        return say(detail, S2S_E_CERT_USAGE, "its extended key usage is for something else");
    if (ask->name && !io_cert_names(ask->leaf, ask->name, chain->constrained))
        return say(detail, S2S_E_CERT_NAME, "no name in it is that domain");
    return say(detail, S2S_E_OK, "");
}

static int64_t seconds_of(const ASN1_TIME *at, int64_t otherwise)
{
    struct tm tm;
    return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : otherwise;
}

/* A date that cannot be read makes a time in which it is never good. */
static void describe(STACK_OF(X509) * chain, io_chain *out)
{
    *out = (io_chain){.constrained = has_constraints(chain), .from = INT64_MIN, .until = INT64_MAX};
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t from = seconds_of(X509_get0_notBefore(sk_X509_value(chain, i)), INT64_MAX);
        int64_t until = seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)), INT64_MIN);
        if (from > out->from) out->from = from;
        if (until < out->until) out->until = until;
    }
}

static s2s_err verify(X509_STORE_CTX *ctx, const io_judge_ask *ask, char detail[128])
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
    X509_VERIFY_PARAM_set_depth(param, DEPTH);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
    if (ask->at != 0) X509_VERIFY_PARAM_set_time(param, ask->at);
    if (X509_verify_cert(ctx) == 1) return S2S_E_OK;
    int verdict = X509_STORE_CTX_get_error(ctx);
    if (detail)
        (void)snprintf(detail, 128, "%s (depth %d)", X509_verify_cert_error_string(verdict),
                       X509_STORE_CTX_get_error_depth(ctx));
    return verdict == X509_V_OK ? S2S_E_CERT_UNTRUSTED : err_of(verdict);
}

s2s_err io_judge_chain(const io_judge_ask *ask, io_chain *out, char detail[128])
{
    if (!ask->leaf) return say(detail, S2S_E_CERT_MISSING, "it showed none");
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    s2s_err err = S2S_E_NOMEM;
    if (ctx && X509_STORE_CTX_init(ctx, ask->store, ask->leaf, ask->untrusted) == 1)
        err = verify(ctx, ask, detail);
    else
        say(detail, err, "out of memory");
    if (err == S2S_E_OK) describe(X509_STORE_CTX_get0_chain(ctx), out);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return err;
}

s2s_err io_judge(const io_judge_ask *ask, char detail[128])
{
    io_chain chain;
    s2s_err err = io_judge_chain(ask, &chain, detail);
    return err == S2S_E_OK ? io_judge_leaf(ask, &chain, detail) : err;
}

io_judge_ask io_judge_ask_of(const SSL *ssl, X509_STORE *store, const s2s_domain *name)
{
    return (io_judge_ask){.leaf = SSL_get0_peer_certificate(ssl),
                          .untrusted = SSL_get_peer_cert_chain(ssl),
                          .store = store,
                          .peer = SSL_is_server(ssl) ? S2S_INITIATING : S2S_RECEIVING,
                          .name = name};
}

s2s_err io_judge_ssl(const SSL *ssl, X509_STORE *store, const s2s_domain *name, char detail[128])
{
    const io_judge_ask ask = io_judge_ask_of(ssl, store, name);
    return io_judge(&ask, detail);
}
