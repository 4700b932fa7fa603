/* settings.h - one settings file, read and checked.
 * For:    the values of every option with their places, so that whatever is found wrong later can still say where.
 * Never:  changes after loading; opens the network.
 * Owner:  whoever loaded it; all texts and lists live as long as the object. Readers may share it. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "app/document.h"
#include "app/problems.h"
#include "fed/config.h"
#include "io/addr.h"
#include "io/pin.h"

typedef struct app_texts {
    const char **item;
    size_t n;
} app_texts;

typedef struct app_endpoint {
    io_addr addr; /* family 0 when any is set */
    bool any;     /* "*" */
    app_mark at;
} app_endpoint;

typedef struct app_endpoints {
    app_endpoint *item;
    size_t n;
} app_endpoints;

typedef struct app_addresses {
    app_endpoints list;
    s2s_domain host; /* or: one name with SRV records; len 0: the list */
} app_addresses;

typedef struct app_blocks {
    io_cidr *item;
    size_t n;
} app_blocks;

typedef struct app_trust {
    app_blocks blocks;
    unsigned words; /* a bit per word; bit 0: certificate */
} app_trust;

typedef struct app_pins {
    io_pin *item;
    size_t n;
} app_pins;

/* The words of peers.*.tls, in their order. */
typedef enum app_tls {
    APP_TLS_NONE,
    APP_TLS_MAY,
    APP_TLS_ENCRYPT,
    APP_TLS_VERIFY,
    APP_TLS_DANE,
    APP_TLS_PIN
} app_tls;

typedef enum app_recursion {
    APP_RECURSION_AUTO,
    APP_RECURSION_YES,
    APP_RECURSION_NO
} app_recursion;

#define APP_NO_DOMAIN SIZE_MAX

typedef struct app_domain {
    s2s_domain name;
    const app_node *key, *node; /* where it stands */
    const char *server, *certificate, *key_file;
    size_t server_index;
    size_t shown; /* the domain whose certificate it shows (itself or a parent), or APP_NO_DOMAIN */
} app_domain;

typedef struct app_server {
    const char *name;
    const app_node *key, *node;
    int attach;
    app_addresses address;
    app_trust trust;
    int tls; /* s2s_tls_level */
    size_t max_stanza;
    bool sm;
    bool bidi;
} app_server;

typedef struct app_peer {
    fed_match match;
    s2s_domain domain;
    const app_node *key, *node; /* NULL: made up from the defaults */
    bool allow;
    int tls;         /* app_tls */
    unsigned proofs; /* FED_PROOF_*, as written */
    app_pins pins;
    uint64_t rate;
    size_t max_stanza;
    bool sm;
    bool ping;
    int bidi; /* fed_bidi */
} app_peer;

typedef struct app_settings {
    app_arena *arena;
    const char *file;
    const char *folder; /* relative paths start here */
    const app_node *root;

    app_endpoints outside, direct_tls, inside, inside_dns;
    const char *admin;
    unsigned admin_mode;
    app_domain *domains;
    size_t n_domains;
    app_server *servers;
    size_t n_servers;
    app_peer *peers; /* the one for all first, then from wide to narrow */
    size_t n_peers;
    const char *ca, *inside_certificate, *inside_key, *inside_ca;
    unsigned tls_sessions;
    app_endpoints forward;
    app_texts zone;       /* records, and */
    app_texts zone_names; /* the names they are for, each once */
    int recursion;        /* app_recursion */
    const char *anchor;
    app_blocks allow_private;
    const char *inside_target; /* a domain, or an IPv4 address */
    app_endpoints inside_address, inside_forward;
    bool inside_catch_all;
    fed_limits limits;
    uint32_t drain_ms;
    const char *secret, *secret_file;
    const char *user, *group;
    int log_level; /* fed_level */
    int doubt;     /* fed_doubt */
} app_settings;

/* What tls demands of the connection itself, and which of its proofs it lets count (FED_PROOF_*; dane and pin count unwritten). */
s2s_tls_level app_peer_tls(const app_peer *p);
unsigned app_peer_proofs(const app_peer *p);

/* Reads the file and checks all that can be checked in it alone. NULL when anything was refused; `problems`
 * then says all of it. Warnings alone do not refuse. */
app_settings *app_settings_load(const char *file, app_problems *problems);
void app_settings_free(app_settings *s); /* NULL is fine */

/* Checks what the file names: certificates, keys, authorities, users. Adds to `problems`. */
void app_settings_check_files(app_settings *s, app_problems *problems);
/* Checks the caps against the descriptor limit. A cap that was not written in the file is lowered instead. */
void app_settings_check_caps(app_settings *s, app_problems *problems, uint64_t descriptors);
uint64_t app_settings_descriptors(const app_settings *s); /* how many the caps allow for */

/* Where an option stands ("limits", "stanza"); the section, or the file as a whole, when it was left out. */
app_mark app_settings_mark(const app_settings *s, const char *section, const char *name);
bool app_settings_has(const app_settings *s, const char *section, const char *name);

#endif
