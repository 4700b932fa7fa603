/* posh_document.c - see posh_document.h. */
#include "app/posh_document.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MOST = 8 };

static void void_of(app_posh_document *out, const char *why)
{
    out->kind = APP_POSH_VOID;
    (void)snprintf(out->detail, sizeof out->detail, "%s", why);
}

/* ---- reading ---- */

/* Base64 of exactly `len` octets, as RFC 4648 4 writes it. */
static bool digest_of(const json_t *value, size_t len, io_posh_print *out)
{
    unsigned char octets[68];
    const char *text = json_string_value(value);
    size_t letters = text ? json_string_length(value) : 0, pad = 3 - len % 3;
    if (letters != (len + 2) / 3 * 4 || strlen(text) != letters) return false;
    if (strcspn(text, "=") != letters - pad) return false;
    if (EVP_DecodeBlock(octets, (const unsigned char *)text, (int)letters) != (int)(len + pad))
        return false;
    out->len = (uint8_t)len;
    memcpy(out->digest, octets, len);
    return true;
}

static void add(app_posh_document *out, const json_t *fingerprint, const char *name, size_t len)
{
    if (out->n_prints == APP_POSH_PRINTS) return;
    if (digest_of(json_object_get(fingerprint, name), len, &out->prints[out->n_prints]))
        out->n_prints++;
}

static void read_list(const json_t *list, app_posh_document *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        add(out, one, "sha-256", 32);
        add(out, one, "sha-512", 64);
    }
    if (out->n_prints == 0)
        void_of(out, "no fingerprint of use");
    else
        out->kind = APP_POSH_LIST;
}

static void read_reference(const json_t *value, app_posh_document *out)
{
    const char *url = json_string_value(value);
    size_t len = url ? json_string_length(value) : 0;
    if (!url || strlen(url) != len || len >= sizeof out->url ||
        strncasecmp(url, "https://", 8) != 0) {
        void_of(out, "its url is none of https");
        return;
    }
    memcpy(out->url, url, len + 1);
    out->kind = APP_POSH_REFERENCE;
}

static bool read_expires(const json_t *value, app_posh_document *out)
{
    if (!json_is_number(value)) return false;
    double seconds = json_number_value(value);
    if (!isfinite(seconds) || seconds < 1) return false;
    out->expires = seconds < APP_POSH_EXPIRES ? (uint32_t)seconds : APP_POSH_EXPIRES;
    return true;
}

/* jansson bounds its own recursion at 2,048; what we read is three deep. */
static bool is_flat(s2s_span text)
{
    unsigned depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '[' || text.ptr[i] == '{') depth++;
        if ((text.ptr[i] == ']' || text.ptr[i] == '}') && depth > 0) depth--;
        if (depth > DEPTH_MOST) return false;
    }
    return true;
}

static void read_object(const json_t *root, app_posh_document *out)
{
    const json_t *list = json_object_get(root, "fingerprints"), *url = json_object_get(root, "url");
    if (!json_is_object(root))
        void_of(out, "not a JSON object");
    else if ((list != NULL) == (url != NULL))
        void_of(out, list ? "both fingerprints and url" : "neither fingerprints nor url");
    else if (!read_expires(json_object_get(root, "expires"), out))
        void_of(out, "expires is missing, or 0");
    else if (list)
        read_list(list, out);
    else
        read_reference(url, out);
}

void app_posh_read(s2s_span text, app_posh_document *out)
{
    json_error_t error;
    memset(out, 0, sizeof *out);
    json_t *root = NULL;
    if (text.len <= APP_POSH_DOCUMENT && is_flat(text))
        root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (root)
        read_object(root, out);
    else
        void_of(out, "not JSON");
    json_decref(root);
}
