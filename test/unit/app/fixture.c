#include "fixture.h"

#include <ftw.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s2s/base.h"

enum { DAY = 24 * 3600 };

static char folder[] = "/tmp/causeway-unit-XXXXXX";
static char before[4096];

static void add_names(X509 *x, const char *names)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, names);
    S2S_ASSERT(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *sign(EVP_PKEY *key, const char *names, long days)
{
    X509 *x = X509_new();
    S2S_ASSERT(x != NULL && X509_set_version(x, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -100L * DAY);
    X509_gmtime_adj(X509_getm_notAfter(x), days * DAY);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"unit test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    add_names(x, names);
    S2S_ASSERT(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void save_key(EVP_PKEY *key, const char *name, unsigned mode, char *password)
{
    char file[64];
    snprintf(file, sizeof file, "%s.key", name);
    FILE *out = fopen(file, "w");
    S2S_ASSERT(out != NULL);
    const EVP_CIPHER *cipher = password ? EVP_aes_128_cbc() : NULL;
    S2S_ASSERT(PEM_write_PrivateKey(out, key, cipher, NULL, 0, NULL, password) == 1);
    fclose(out);
    S2S_ASSERT(chmod(file, mode) == 0);
}

/* Gives the key. */
static EVP_PKEY *save_pair(const char *name, const char *names, long days)
{
    char file[64];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = sign(key, names, days);
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *out = fopen(file, "w");
    S2S_ASSERT(out != NULL && PEM_write_X509(out, x) == 1);
    fclose(out);
    S2S_ASSERT(chmod(file, 0644) == 0);
    X509_free(x);
    save_key(key, name, 0600, NULL);
    return key;
}

int fixture_make(void **state)
{
    (void)state;
    char password[] = "secret";
    S2S_ASSERT(getcwd(before, sizeof before) != NULL);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    S2S_ASSERT(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0 && chdir(folder) == 0);
    EVP_PKEY *org = save_pair("org", "DNS:example.org", 3650);
    EVP_PKEY_free(save_pair("net", "DNS:example.net", 3650));
    EVP_PKEY_free(save_pair("conf", "DNS:conference.example.org", 3650));
    EVP_PKEY_free(save_pair("wild", "DNS:wild.example,DNS:*.wild.example", 3650));
    EVP_PKEY_free(save_pair("next", "DNS:example.org", 10));
    EVP_PKEY_free(save_pair("old", "DNS:example.net", -1));
    save_key(org, "open", 0644, NULL);
    save_key(org, "locked", 0, NULL);
    save_key(org, "encrypted", 0600, password);
    EVP_PKEY_free(org);
    fixture_write("short.secret", "short\n", 6, 0600);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

int fixture_remove(void **state)
{
    (void)state;
    S2S_ASSERT(chdir(before) == 0);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

char *fixture_read(const char *file, size_t *len)
{
    FILE *in = fopen(file, "rb");
    S2S_ASSERT(in != NULL);
    S2S_ASSERT(fseek(in, 0, SEEK_END) == 0);
    long size = ftell(in);
    S2S_ASSERT(size >= 0);
    rewind(in);
    char *text = calloc(1, (size_t)size + 1);
    S2S_ASSERT(text != NULL);
    *len = fread(text, 1, (size_t)size, in);
    fclose(in);
    return text;
}

void fixture_write(const char *file, const char *text, size_t len, unsigned mode)
{
    FILE *out = fopen(file, "wb");
    S2S_ASSERT(out != NULL && fwrite(text, 1, len, out) == len);
    fclose(out);
    S2S_ASSERT(chmod(file, mode) == 0);
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    S2S_ASSERT(fd >= 0);
    bool yes = bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
    close(fd);
    return yes;
}

/* Below net.ipv4.ip_local_port_range as it comes; tests at the same time begin far from each other. */
uint16_t fixture_port(void)
{
    enum { FIRST = 10000, PORTS = 22000, APART = 97 };
    static unsigned given;
    uint16_t port = 0;
    unsigned tries = 0;
    do {
        S2S_ASSERT(tries++ < PORTS);
        port = (uint16_t)(FIRST + ((unsigned)getpid() * APART + given++) % PORTS);
    } while (!is_free(port));
    return port;
}
