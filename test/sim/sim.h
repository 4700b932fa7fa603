/* sim.h - the federation logic among servers of play, on a network and a clock of play.
 * For:    tests of fed: whole scenes in one process, without sockets, threads or sleeping.
 * Never:  looks inside fed: it is fed's world, and the peers of its connections.
 * Owner:  the test: sim_new, settings, sim_start, scenes, sim_end (which checks the ledger once more).
 *
 * A host is a server: remote ones are found by zone data, the local ones by the settings. Both are built on the core's
 * own streams, in both roles. Each connection has two kernels: what fed hands over stands in the send buffer, crosses
 * into the host's receive buffer (then it is acknowledged) and is read by the host when it does read.       */
#ifndef SIM_H
#define SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fed/fed.h"
#include "names.h"

typedef struct sim sim;
typedef struct sim_host sim_host;
typedef struct sim_pipe sim_pipe;
typedef struct sim_end sim_end;

enum { SIM_MAX = 256, SIM_KERNEL = 32768 /* bytes of one kernel buffer */, SIM_DIRECT_PORT = 5270 };

/* ---- servers of play ---- */

/* How a host answers a db:result of ours. */
typedef enum sim_prove {
    SIM_PROVE_VERIFY, /* asks us, over a connection of its own */
    SIM_PROVE_VALID,
    SIM_PROVE_INVALID,
    SIM_PROVE_ERROR, /* with host->prove_cond */
    SIM_PROVE_ASKS,  /* asks us, and keeps to itself what we said */
    SIM_PROVE_MUTE
} sim_prove;

/* What a host does when fed resumes a TLS session with it. */
typedef enum sim_resume {
    SIM_RESUME_NEVER,    /* it gives none */
    SIM_RESUME_WELL,     /* as if the handshake had been in full */
    SIM_RESUME_BREAKS,   /* the handshake ends */
    SIM_RESUME_FORGETS,  /* offers no EXTERNAL: it does not know the certificate any more */
    SIM_RESUME_REFUSES,  /* EXTERNAL */
    SIM_RESUME_SLAMS,    /* closes the connection when EXTERNAL is tried */
    SIM_RESUME_DISPROVES /* has no proof to offer at all */
} sim_resume;

/* A stanza that a host has read. */
typedef struct sim_stanza {
    uint64_t at; /* ms */
    unsigned conn;
    s2s_kind kind;
    char *from, *to, *id, *type, *bytes;
} sim_stanza;

struct sim_host {
    sim *s;
    fed_side side;
    s2s_domain domain; /* the first it serves */
    s2s_domain domains[SIM_MAX];
    size_t n_domains;
    fed_addr addr;
    /* as a server that is connected to */
    bool refuses;   /* TCP */
    bool blackhole; /* TCP: no answer at all */
    uint64_t slow;  /* ms until TCP answers */
    bool silent;    /* accepts and says nothing */
    s2s_tls_level tls;
    bool offers_external;
    bool offers_dialback; /* features with <errors/> */
    bool accepts_external;
    bool slams_external; /* closes the connection when EXTERNAL is tried */
    bool closes_when_proved;
    bool direct; /* its port 5270 is there, for direct TLS */
    sim_resume resume;
    s2s_err trust_resumed; /* in the chain shown when the session began */
    bool gave_session;
    bool barred;            /* fed said: in full */
    unsigned resumed, full; /* handshakes */
    sim_prove prove;
    const char *prove_cond;
    unsigned proves;      /* db:results it was asked to believe */
    const char *features; /* XML: what it offers besides; NULL: nothing */
    /* stream management (XEP-0198), in both roles; only with a peer that has it too */
    bool sm;
    bool never_acks;       /* says it has it, and takes nothing */
    uint32_t max_bytes;    /* XEP-0478 */
    uint32_t idle_seconds; /* XEP-0478 */
    uint64_t acked;        /* stanzas of its own that fed has acknowledged */
    uint64_t heard;        /* bytes it has read, of all connections */
    /* as one that connects */
    bool uses_external;
    bool keyless;         /* sends no keys */
    s2s_proof proved_by;  /* what was believed last */
    s2s_err told;         /* the first no it heard */
    char told_cond[48];   /* ... and its condition */
    bool connects_direct; /* TLS comes first, on our common port */
    bool at_direct_door;  /* ... or where only that is spoken */
    bool one_conn;        /* all pairs over one connection */
    bool lies;            /* gives keys which are not its own */
    bool denies;          /* says invalid to every question about its keys */
    bool hides;           /* does not answer questions about its keys */
    bool
        bidi; /* both roles: stanzas go both ways (XEP-0288); it sends where the reverse is proved, before it connects */
    /* its certificate; it shows one when n_names > 0 */
    s2s_err trust;
    uint32_t cert_ends_in; /* seconds from a handshake on; 0: not known */
    bool pinned;           /* its key is among the pins that policy knows */
    s2s_domain names[SIM_MAX];
    size_t n_names;
    const char *key, *signer; /* their names, for TLSA records; NULL: some that nobody knows */
    /* its program and its machine */
    bool stalled;   /* does not read */
    bool unplugged; /* nothing arrives, nothing is acknowledged */
    /* what it has read */
    sim_stanza *got;
    size_t n_got;
    unsigned accepted; /* connections, ever */
    uint32_t secret;
    unsigned ids;
};

typedef struct sim_dial {
    uint64_t at; /* ms */
    char endpoint[FED_ADDR_TEXT];
} sim_dial;

/* ---- the whole ---- */

struct sim {
    fed *fed;
    fed_config config;
    fed_local locals[SIM_MAX];
    fed_server servers[8];
    fed_addr server_addr[8];
    fed_cidr trust[8];
    fed_policy policies[16];
    fed_cidr allowed[2];
    void *names; /* the index of the settings */
    sim_host *hosts[SIM_MAX];
    size_t n_hosts;
    uint64_t now;
    uint64_t wake;
    uint64_t wakes; /* how often it was woken */
    uint64_t seed;
    size_t chunk; /* bytes of one read by fed, 0: as they come */
    sim_zone zone;
    unsigned asked; /* lookups, ever; and of TLSA records */
    unsigned asked_tlsa, asked_posh;
    sim_pipe **pipes;
    size_t n_pipes;
    unsigned last_pipe;
    unsigned dials;    /* by fed, ever */
    sim_dial *dialled; /* outside ones */
    size_t n_dialled;
    unsigned dialling_most; /* outside ones not answered yet, at a time */
    unsigned pauses;
    char **logs;
    size_t n_logs;
    bool no_dns;  /* the resolver is busy */
    bool no_posh; /* no document comes */
};

/* Local domains loc.example and loc2.example on "hq" at 10.0.0.10 (a host too: s->hosts[0]); one policy for all: TLS
 * required, certificate or dialback. Settings may be changed until sim_start. */
sim *sim_new(void);
void sim_start(sim *s);
void sim_end_all(sim *s); /* asserts a balanced ledger */

sim_host *sim_hq(sim *s);
sim_host *sim_server(sim *s, const char *name, const char *addr,
                     const char *local);                            /* another local server */
sim_host *sim_remote(sim *s, const char *domain, const char *addr); /* with SRV and address */
void sim_serve(sim_host *h, const char *domain); /* one more; remotes: with SRV too */
void sim_local(sim *s, const char *domain, size_t server, bool certificate);
void sim_zone_fails(sim *s, const char *name);
void sim_zone_fails_of(sim *s, const char *name, fed_query kind,
                       unsigned port); /* port: TLSA, else 0 */
/* What is said of that name and kind is signed (DNSSEC); from the first on the resolver validates. */
void sim_zone_signs(sim *s, const char *name, fed_query kind, unsigned port);
void sim_add_tlsa(sim *s, const char *name, unsigned port, unsigned usage, const char *key);
void sim_publish(sim *s, const char *domain, const char *key); /* in its document of POSH */
void sim_add_srv(sim *s, const char *name, unsigned priority, unsigned port, const char *target);
void sim_add_srv_direct(sim *s, const char *name, unsigned priority, unsigned port,
                        const char *target); /* _xmpps-server */
void sim_weigh(sim *s, unsigned weight);     /* the SRV record added last; they have 0 */
void sim_add_addr(sim *s, const char *name, const char *addr);

/* ---- time ---- */
void sim_settle(sim *s);             /* until nothing moves; no time passes */
void sim_settle_without_dns(sim *s); /* ... but no lookup is answered */
void sim_run(sim *s, uint64_t ms);   /* time passes, deadline by deadline */

/* ---- what hosts do ---- */
/* Sends <message id='ID'> with a body of `body` bytes; connects and proves the pair when needed. Not settled. */
void sim_send(sim_host *h, const char *from, const char *to, const char *id, size_t body);
void sim_send_xml(sim_host *h, const char *from, const char *to, const char *xml);
void sim_open(sim_host *h, const char *from,
              const char *to); /* the connection alone, no pair wanted yet */
void sim_ask(sim_host *h, const char *from, const char *to, const char *id,
             const char *key); /* db:verify to us */
void sim_kill(sim_host *h);    /* -9: connections reset, what the program had not read is gone */
void sim_revive(sim_host *h);
void sim_shut(sim_host *h); /* closes its streams properly */
void sim_deafen(
    sim_host *h); /* what comes over its connections of now is read and not listened to */
void sim_cut(
    sim_host *h); /* fed learns that all connections with it broke; its machine got nothing more */

/* ---- what a test looks at ---- */
size_t sim_count(const sim_host *h, const char *id, const char *type); /* stanzas read; NULL: any */
const sim_stanza *sim_last(const sim_host *h);
const sim_stanza *sim_find(const sim_host *h, const char *id);
size_t sim_conns(const sim_host *h, s2s_role of_host); /* open now */
bool sim_logged(const sim *s, const char *event,
                const char *with); /* a line of that event that has `with` in it */
size_t sim_count_logged(const sim *s, const char *event, const char *with); /* how many */
fed_ledger_view sim_ledger(sim *s, fed_way way);
void sim_check(sim *s);                                  /* both ledgers are balanced */
unsigned sim_verdicts(const sim_host *h, s2s_verdict v); /* answers to sim_ask */
fed_pair_view sim_pair(sim *s, const char *from,
                       const char *to); /* from.len 0: fed does not know it */
fed_remote_view sim_target(sim *s, const char *domain);
fed_server_view sim_server_view(sim *s, const char *name); /* fails when there is none */
size_t sim_bidi_conns(sim *s); /* of fed, on which stanzas may go both ways */
s2s_domain sim_domain(const char *text);
void sim_key(sim *s, fed_side side, const s2s_domain *receiving, const s2s_domain *originating,
             const char *id, char out[65]); /* as fed makes it */
size_t sim_open_conns(sim *s);              /* connection objects of fed */

#endif
