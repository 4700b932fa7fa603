/* certs.c - see certs.h. */
#include "certs.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static EVP_PKEY *key_make(int rsa)
{
    EVP_PKEY *key = rsa > 0 ? EVP_RSA_gen((unsigned)rsa) : EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

static ASN1_STRING *string_of(int type, const cert_name *name)
{
    ASN1_STRING *s = ASN1_STRING_type_new(type);
    assert_non_null(s);
    assert_int_equal(
        ASN1_STRING_set(s, name->text, name->len > 0 ? name->len : (int)strlen(name->text)), 1);
    return s;
}

static void set_other(GENERAL_NAME *entry, int nid, int type, const cert_name *name)
{
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_TYPE_set(value, type, string_of(type, name));
    assert_int_equal(GENERAL_NAME_set0_othername(entry, OBJ_nid2obj(nid), value), 1);
}

static GENERAL_NAME *entry_of(const cert_name *name)
{
    GENERAL_NAME *entry = GENERAL_NAME_new();
    switch (name->kind) {
    case CERT_NAME_NONE: break;
    case CERT_DNS:
        GENERAL_NAME_set0_value(entry, GEN_DNS, string_of(V_ASN1_IA5STRING, name));
        break;
    case CERT_EMAIL:
        GENERAL_NAME_set0_value(entry, GEN_EMAIL, string_of(V_ASN1_IA5STRING, name));
        break;
    case CERT_SRV: set_other(entry, NID_SRVName, V_ASN1_IA5STRING, name); break;
    case CERT_SRV_UTF8: set_other(entry, NID_SRVName, V_ASN1_UTF8STRING, name); break;
    case CERT_XMPP: set_other(entry, NID_XmppAddr, V_ASN1_UTF8STRING, name); break;
    case CERT_XMPP_IA5: set_other(entry, NID_XmppAddr, V_ASN1_IA5STRING, name); break;
    }
    return entry;
}

static void add_names(X509 *x, const cert_name *names)
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    for (; names->kind != CERT_NAME_NONE; names++)
        sk_GENERAL_NAME_push(all, entry_of(names));
    if (sk_GENERAL_NAME_num(all) > 0)
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_APPEND), 1);
    GENERAL_NAMES_free(all);
}

static void add_text(X509 *x, int nid, const char *value)
{
    if (!value) return;
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

cert cert_make(const cert_ask *ask, const cert *issuer)
{
    cert c = {X509_new(), key_make(ask->rsa)};
    bool given = ask->from != 0 || ask->until != 0;
    X509_set_version(c.x, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(c.x), (uint64_t)(uintptr_t)c.x);
    X509_gmtime_adj(X509_getm_notBefore(c.x), given ? ask->from : -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x), given ? ask->until : 3600);
    X509_set_pubkey(c.x, c.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)ask->cn, -1, -1, 0);
    X509_set_issuer_name(c.x, X509_get_subject_name(issuer ? issuer->x : c.x));
    add_names(c.x, ask->names);
    add_text(c.x, NID_basic_constraints, ask->ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_text(c.x, NID_ext_key_usage, ask->usage);
    add_text(c.x, NID_name_constraints, ask->permitted);
    assert_true(
        X509_sign(c.x, issuer ? issuer->key : c.key, ask->digest ? ask->digest : EVP_sha256()) > 0);
    return c;
}

void cert_free(cert *c)
{
    X509_free(c->x);
    EVP_PKEY_free(c->key);
    c->x = NULL;
    c->key = NULL;
}

static char *text_of(BIO *bio)
{
    char *data, *text;
    long n = BIO_get_mem_data(bio, &data);
    text = calloc(1, (size_t)n + 1);
    assert_non_null(text);
    memcpy(text, data, (size_t)n);
    BIO_free(bio);
    return text;
}

char *cert_pem(const cert *c)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, c->x), 1);
    return text_of(bio);
}

char *cert_key_pem(const cert *c)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL), 1);
    return text_of(bio);
}

io_identity *cert_identity(const cert *c, const cert *issuer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, c->x);
    if (issuer) PEM_write_bio_X509(bio, issuer->x);
    PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
    char *text = text_of(bio);
    io_cert_fault fault;
    io_identity *id = io_identity_of_pem(s2s_span_of(text), (s2s_span){NULL, 0}, &fault);
    assert_int_equal(fault, IO_CERT_OK);
    assert_non_null(id);
    free(text);
    return id;
}

X509_STORE *cert_store(const cert *root)
{
    X509_STORE *store = X509_STORE_new();
    assert_non_null(store);
    assert_int_equal(X509_STORE_add_cert(store, root->x), 1);
    return store;
}

s2s_domain cert_domain(const char *text)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(text), &d), S2S_E_OK);
    return d;
}
