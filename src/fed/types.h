/* types.h - the objects of the federation logic and who points to whom.
 * For:    the .c files of this room; each object's functions stand in a header of its own.
 * Never:  included by other rooms.
 * Owner:  the fed object owns all; what ended is freed at the end of the turn (fed.c), so pointers held by a caller stay
 *         good for the turn.
 *
 *   fed_target  whom we dial: a remote domain, or a local server      links*, waiting pairs*, waiting checks*
 *   fed_link    one way there: a plan, then a connection (a trunk when the target is a local server)
 *               pairs*, stanzas in flight, checks*
 *   fed_conn    one connection and its stream: of a link, or accepted (with bidi both: the way back is a link too)
 *   fed_pair    (from, to): its queue, the link that carries it
 *   fed_check   a dialback key of an accepted connection that is being verified
 *   fed_admit   an address that connects to us                                          */
#ifndef FED_TYPES_H
#define FED_TYPES_H

#include "fed/backoff.h"
#include "fed/chain.h"
#include "fed/ledger.h"
#include "fed/lookup.h"
#include "fed/plan.h"
#include "fed/table.h"
#include "fed/timer.h"

typedef struct fed_target fed_target;
typedef struct fed_link fed_link;
typedef struct fed_pair fed_pair;
typedef struct fed_check fed_check;
typedef struct fed_admit fed_admit;
typedef struct fed_inquiry fed_inquiry;
typedef struct fed_tally fed_tally;
typedef struct fed_session fed_session;

/* ---- pair ---- */

typedef enum fed_pair_state {
    FED_PAIR_IDLE,     /* nothing to send, no link */
    FED_PAIR_WAITING,  /* on target->waiting: wants a link */
    FED_PAIR_ASSIGNED, /* on link->pairs: the link is not ready yet */
    FED_PAIR_ASKED,    /* on link->pairs: the peer is asked to believe us */
    FED_PAIR_OPEN      /* on link->pairs: stanzas flow */
} fed_pair_state;

struct fed_pair {
    fed_node node;
    fed *f;
    s2s_domain from, to;
    const fed_local *from_local, *to_local; /* NULL: not one of ours */
    const fed_policy *policy;               /* of the one that is remote; NULL: both are ours */
    bool loop;                              /* `to` lies under a domain of ours, and is none */
    fed_way way; /* by `to`: local means FED_INBOUND, carried by a trunk */
    fed_pair_state state;
    fed_hook hook;      /* on the list its state names */
    fed_target *target; /* NULL until something is to be sent */
    fed_link *link;     /* from ASSIGNED on */
    fed_queue queue;
    fed_timer timer;     /* age of the queue, the answer, the end of backoff: whichever is first */
    uint64_t answer_by;  /* ASKED: ms */
    fed_backoff backoff; /* after a refusal */
    bool alone;          /* refused on a shared link: wants one of its own, once */
    bool was_alone;
    fed_hook round; /* on link->round while OPEN with something to send */
    bool held;      /* OPEN on a trunk, but its `from` is under question there (hold.c) */
    bool in_turn;   /* of the round: its share was added */
    size_t deficit; /* bytes it may send in this turn */
    fed_link *
        back; /* of a pair that others send us: the link on its connection that carries its reverse (back.h) */
    s2s_proof back_proof; /* how it was proved there */
    fed_chain stalled;    /* accepted connections that are paused until the queue is shorter */
    unsigned sources;     /* streams on which it is proved to us */
    s2s_proof proof;      /* of the outside leg, the last one */
    s2s_err why;          /* last failure */
    uint64_t stanzas;     /* accepted */
    fed_hook loose;       /* on f->loose_pairs: look whether anybody still needs it */
};

/* ---- target ---- */

typedef enum fed_target_state {
    FED_TARGET_IDLE,
    FED_TARGET_RESOLVING,
    FED_TARGET_DIALLING,
    FED_TARGET_UP,
    FED_TARGET_BACKOFF
} fed_target_state;

struct fed_target {
    fed_node node; /* remote domains only */
    fed *f;
    s2s_domain domain;        /* remote domain; len 0 for a local server */
    const fed_server *server; /* NULL: a remote domain */
    fed_target_state state;
    fed_backoff backoff;
    fed_timer timer;    /* end of backoff; then when it may be forgotten */
    fed_chain links;    /* by link->hook */
    fed_chain backs;    /* by link->hook: on connections it made */
    fed_link *dialling; /* the one whose plan runs; one at a time */
    fed_link
        *host; /* another domain's link that serves this one too (XEP-0220 2.6.2); NULL: none */
    fed_hook guest;       /* on host->guests */
    fed_chain waiting;    /* pairs, by pair->hook */
    fed_chain checks;     /* without link, by check->on_target */
    uint64_t ask_at;      /* no dial for checks alone before this */
    unsigned pairs;       /* that name this target */
    bool no_sm;           /* offers stream management and does not answer who asks for it */
    fed_session *session; /* XEP-0198: a stream that broke and may be gone on with; NULL: none */
    s2s_err why;          /* last failure */
    const char *cond;     /* stream condition the peer gave with it; lives for ever */
    fed_addr endpoint;    /* last dialled; family 0: none */
    fed_hook wanted;      /* on f->wanted: has something to do */
    fed_hook loose;
};

/* ---- link ---- */

typedef enum fed_link_state {
    FED_LINK_RESOLVING,
    FED_LINK_DIALLING, /* TCP, TLS, features */
    FED_LINK_ASKING,   /* ready, nothing is proved yet */
    FED_LINK_UP,       /* the peer has believed us, or answered a question: the plan is done */
    FED_LINK_CLOSING,  /* we or the peer close; what is in flight waits for its fate */
    FED_LINK_ENDED
} fed_link_state;

/* One endpoint, and how it is tried. */
typedef struct fed_attempt {
    fed_addr addr;
    size_t endpoint;  /* its number in the plan */
    bool direct;      /* TLS comes first there */
    bool no_external; /* does without */
    bool full;        /* resumes no TLS session */
    fed_dane dane;    /* lent by the plan */
} fed_attempt;

struct fed_link {
    fed *f;
    fed_target *target;
    fed_hook hook; /* on target->links, or target->backs */
    fed_link_state state;
    fed_node at;         /* in f->hosts while UP, outside; by endpoint */
    s2s_domain from, to; /* of the stream header */
    fed_plan *plan;      /* until UP */
    fed_lookup lookup;   /* the plan's */
    fed_addr endpoint;   /* family 0: none yet */
    bool direct;         /* TLS comes first there */
    fed_conn *conn;      /* NULL: none has answered yet */
    fed_timer timer;     /* the plan's deadline */
    fed_chain racing;    /* attempts under way, by conn->race (race.c) */
    fed_timer stagger;   /* the next one may begin */
    uint64_t next_at;    /* ms */
    fed_attempt retry;   /* when `again` */
    bool
        back; /* the way back on a connection which the target made (back.h): no plan, always UP, asks nothing */
    bool exclusive;   /* made for a pair that was refused elsewhere: shares nobody's connection */
    bool in_external; /* EXTERNAL may be under way: a peer that closes now may dislike just that */
    bool again;       /* the same endpoint once more, without EXTERNAL or in full */
    bool trying;      /* inside fed_race_run: failures are seen there */
    bool given_up;    /* no further endpoint */
    bool cert_ok;
    bool held;         /* ready, but its certificate is being inquired about */
    fed_chain pairs;   /* by pair->hook */
    fed_chain round;   /* by pair->round: deficit round robin */
    fed_queue flight;  /* handed to the stream, fate unknown; in order of `end` */
    fed_hook flying;   /* on f->flying while flight is not empty */
    uint64_t asked_at; /* ms: <r/> was written last */
    uint32_t
        uncounted; /* the first of flight, which the peer does not count: sent before it asked for XEP-0198 */
    size_t confirm_at; /* bytes of flight at which the kernel is asked before the sweep does */
    fed_chain checks;  /* by check->on_target */
    fed_chain guests;  /* other targets it serves, by target->guest */
    s2s_err why;       /* last failure of an attempt */
    const char *cond;
    uint64_t up_at;
    unsigned unanswered;    /* keys in a row that were not answered (deaf.c) */
    uint64_t unanswered_at; /* ms: keys asked until then do not count */
    unsigned failures;      /* of the target before this link came up */
    fed_hook loose;
};

/* ---- connection ---- */

typedef enum fed_conn_state {
    FED_CONN_DIALLING, /* TCP */
    FED_CONN_HEAD,     /* the peer's header */
    FED_CONN_OPENING,  /* until a pair is proved, or the stream is ready */
    FED_CONN_OPEN,
    FED_CONN_CLOSING,  /* our close tag is out; read on until the peer's */
    FED_CONN_SHUTTING, /* nothing more is read; what is to be sent goes, then it ends */
    FED_CONN_ENDED
} fed_conn_state;

enum { FED_PING_ID = sizeof "ping-" + 32 };

enum { FED_PAUSE_STALL = 1, FED_PAUSE_RATE = 2, FED_PAUSE_INQUIRY = 4 };

struct fed_conn {
    fed *f;
    uint64_t id;
    fed_hook hook;     /* on f->conns, then on f->dead */
    fed_hook restless; /* on f->restless: its stream may have events or output */
    fed_side side;
    s2s_role role;
    void *io; /* NULL: gone */
    s2s_stream *s;
    fed_addr peer;
    fed_conn_state state;
    s2s_err why;      /* set when its end has begun */
    const char *cond; /* stream condition the peer gave; lives for ever */
    char detail[128]; /* what the peer said with it, cut off */
    bool lost;        /* the world has ended it: nothing to close */
    s2s_domain ours, theirs;
    fed_tls_info tls;
    s2s_proof proof;      /* what its certificate was found good by, for `theirs` */
    s2s_proof auth_proof; /* ... and for the domain that EXTERNAL was just granted to */
    fed_inquiry *inquiry; /* NULL: none */
    bool direct;          /* TLS comes first */
    bool in_tls;
    uint64_t cert_ends; /* ms: a certificate the peer showed expires; UINT64_MAX: not known */
    uint64_t sent;      /* plaintext bytes the world took */
    /* time, all ms */
    fed_timer timer;
    uint64_t since;
    uint64_t opened_at;  /* TCP was there */
    uint64_t entered_at; /* the state */
    uint64_t active_at;  /* something came or went that was worth it */
    uint64_t stirred_at; /* any byte */
    uint64_t answer_by; /* the peer must have shown that it lives, 0: nothing was asked (alive.c) */
    uint64_t answer_end; /* ... its kernel by acknowledging so much; 0: itself by a word */
    uint64_t
        enabled_by; /* stream management was asked for and is to be granted or not, 0: it was not */
    char ping[FED_PING_ID]; /* id of the last of ours (XEP-0199); "": answered, or there was none */
    size_t quiet_out;       /* bytes still to be sent that are no activity */
    bool resting;           /* since then nothing came or went, and it holds no more than it must */
    uint64_t half_since;    /* 0: nothing half read */
    uint64_t unsent_since;  /* 0: nothing to send */
    /* accepted connections, and with bidi those we made */
    fed_admit *admit;
    const fed_server *server; /* inside: whose; NULL: not known yet */
    fed_tally *tally;         /* XEP-0198: what is not taken yet; NULL: nothing came under it */
    fed_pair **feeds;         /* pairs proved on it */
    size_t n_feeds, size_feeds;
    fed_chain checks;     /* by check->on_conn */
    fed_pair *stalled_on; /* NULL: reads */
    fed_hook stall;       /* on stalled_on->stalled */
    unsigned paused;      /* FED_PAUSE_* */
    uint64_t rate;        /* bytes per second, 0: any */
    uint64_t rate_at;     /* ms by which what was read is paid for */
    /* connections we made */
    fed_link *link; /* NULL: the link is through with it. Accepted: the way back, NULL: none */
    fed_hook race;  /* on link->racing until it has answered */
    fed_attempt attempt;
    uint64_t stanzas_in, stanzas_out;
};

/* ---- check ---- */

struct fed_check {
    fed *f;
    fed_conn *conn; /* that brought the key */
    fed_hook on_conn;
    fed_target *target;
    fed_link *link; /* NULL: waits on target->checks */
    fed_hook on_target;
    bool asked;
    s2s_domain from, to; /* of the db:result */
    fed_timer timer;
    s2s_span id, key; /* kept behind the struct */
};

/* ---- the whole ---- */

struct fed {
    const fed_config *config;
    const fed_world *world;
    void *w;
    uint64_t now; /* of this turn */
    unsigned depth;
    uint32_t seed;
    fed_ledger ledger;
    fed_queue_total total;
    fed_timers timers;
    uint64_t wake; /* last told to the world */
    fed_table pairs, targets, admits, hosts;
    fed_target **servers; /* by index of config->servers */
    fed_chain conns, dead, restless, wanted, flying, untold;
    fed_chain loose_pairs, loose_targets, loose_links;
    fed_chain lookups, lookups_waiting;
    fed_chain posh;  /* inquiries that wait for a document */
    unsigned asked;  /* lookups the resolver works on */
    unsigned racing; /* attempts of all links that have not answered yet */
    uint64_t last_id, last_ticket;
    uint32_t last_session;
    fed_timer sweep;
    unsigned accepted_outside;
    uint64_t refused_since; /* one second's refusals for want of room in all */
    unsigned refused;
    bool draining;   /* nothing new is let in */
    bool drain_last; /* the time is over: what is left has been answered */
    bool drain_over; /* all streams are being closed; nothing is sent or dialled any more */
    fed_timer drain;
};

#endif
