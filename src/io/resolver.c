/* resolver.c - see resolver.h. resolver_ctx.c makes the libunbound context. */
#include "io/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "io/rdata.h"
#include "io/resolver_ctx.h"

enum { TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33, TYPE_TLSA = 52, CLASS_IN = 1 };
enum { RCODE_NXDOMAIN = 3 };
enum { REBUILD_MS = 1000 }; /* between two tries to get a working context */
enum { ORPHANS = 64 };
enum { ASKS_PER_TURN = 2, TELL_US = 50 };

typedef struct question question;

enum { PARTS = 2 };

/* One query to libunbound. */
typedef struct part {
    question *q;
    int type;
    char prefix[24]; /* of the name */
    bool direct;     /* SRV: of direct TLS */
    int id;          /* libunbound's */
    bool open;       /* it may still call back */
    bool done;       /* it has a result */
    bool bogus;
    bool secure;
    s2s_err err;
    uint32_t ttl;
} part;

struct question {
    question *next;
    uint64_t ticket;
    io_question what;
    s2s_domain name;
    uint64_t attempt_ends; /* loop time, ms */
    uint64_t ends;
    uint64_t enough_at; /* one part is all it takes from then on; UINT64_MAX: not yet */
    unsigned attempts;
    part parts[PARTS];
    io_srv *srv; /* malloc */
    size_t n_srv;
    io_addr *addr; /* malloc */
    size_t n_addr;
    io_tlsa *tlsa; /* malloc, and */
    char *bytes;   /* what its items point to */
    size_t n_tlsa;
    char detail[96];
};

typedef struct list {
    question *head;
    question *tail;
    unsigned n;
} list;

/* A context and the handle that watches it: they are replaced together, and the handle dies later than we drop it. */
typedef struct engine {
    uv_poll_t poll;
    struct ub_ctx *ub;
    io_resolver *owner;
} engine;

struct io_resolver {
    uv_loop_t *loop;
    const io_resolver_settings *settings;
    io_resolver_done done;
    void *ctx;
    engine *engine;      /* NULL: to be built again, at rebuild_at */
    bool broken;         /* libunbound's thread does not answer: the engine is to be replaced */
    uint64_t rebuild_at; /* ms */
    uv_timer_t timer;    /* the nearest deadline */
    uv_idle_t busy;      /* there is something to do at once: the loop does not sleep */
    unsigned closing;    /* handles that are not closed yet */
    list waiting;
    list flying;
    list ready;                /* answered, or given up: to be told */
    uint64_t orphans[ORPHANS]; /* tickets there was no memory for: to be told that they failed */
    unsigned n_orphans;
    bool freed;
    io_resolver_counts counts;
};

void io_resolver_settings_init(io_resolver_settings *s)
{
    *s = (io_resolver_settings){
        .timeout_ms = 5000,
        .attempts = 2,
        .family_ms = 50,
        .service_ms = 1000,
        .in_flight = 200,
        .waiting = 10000,
    };
}

/* ---- lists and questions ---- */

static void list_put(list *l, question *q)
{
    q->next = NULL;
    if (l->tail != NULL)
        l->tail->next = q;
    else
        l->head = q;
    l->tail = q;
    l->n++;
}

static question *list_take(list *l)
{
    question *q = l->head;
    if (q == NULL) return NULL;
    l->head = q->next;
    if (l->head == NULL) l->tail = NULL;
    l->n--;
    return q;
}

static void list_remove(list *l, question *q)
{
    question *before = NULL;
    for (question *at = l->head; at != q; at = at->next)
        before = at;
    if (before != NULL)
        before->next = q->next;
    else
        l->head = q->next;
    if (l->tail == q) l->tail = before;
    l->n--;
}

static void question_free(question *q)
{
    free(q->srv);
    free(q->addr);
    free(q->tlsa);
    free(q->bytes);
    free(q);
}

static void list_free(list *l)
{
    for (question *q = list_take(l); q != NULL; q = list_take(l))
        question_free(q);
}

static void say(question *q, const char *detail)
{
    snprintf(q->detail, sizeof q->detail, "%s", detail);
}

static void put_parts(question *q, const io_query *query)
{
    part *first = &q->parts[0], *second = &q->parts[1];
    *first = *second = (part){.q = q, .err = S2S_E_DNS_FAILED};
    switch (query->what) {
    case IO_ASK_SRV:
        first->type = second->type = TYPE_SRV;
        second->direct = true;
        snprintf(first->prefix, sizeof first->prefix, "_xmpp-server._tcp.");
        snprintf(second->prefix, sizeof second->prefix, "_xmpps-server._tcp.");
        return;
    case IO_ASK_ADDR:
        first->type = TYPE_A;
        second->type = TYPE_AAAA;
        return;
    case IO_ASK_TLSA: break;
    }
    first->type = TYPE_TLSA;
    snprintf(first->prefix, sizeof first->prefix, "_%u._tcp.", (unsigned)query->port);
    /* One record set is all: the second half says nothing, and spoils nothing. */
    second->done = second->secure = true;
    second->err = S2S_E_DNS_NOT_FOUND;
    second->ttl = IO_DNS_TTL_MAX;
}

static question *question_new(uint64_t ticket, const io_query *query)
{
    question *q = calloc(1, sizeof *q);
    if (q == NULL) return NULL;
    q->ticket = ticket;
    q->what = query->what;
    q->name = query->name;
    q->enough_at = UINT64_MAX;
    put_parts(q, query);
    return q;
}

/* ---- what libunbound says ---- */

static s2s_err keep_srv(question *q, const struct ub_result *res, bool direct)
{
    size_t n = 0;
    while (n < IO_DNS_SRV_MAX && res->data[n] != NULL)
        n++;
    io_srv *grown = realloc(q->srv, (q->n_srv + n + 1) * sizeof *grown);
    if (grown == NULL) return S2S_E_DNS_FAILED;
    q->srv = grown;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *bytes = (const uint8_t *)res->data[i];
        io_srv *srv = &q->srv[q->n_srv];
        if (io_rdata_srv(bytes, (size_t)res->len[i], srv) != S2S_E_OK) continue;
        srv->direct = direct;
        q->n_srv++;
    }
    return S2S_E_OK;
}

static s2s_err keep_addrs(question *q, const struct ub_result *res)
{
    size_t n = 0;
    while (n < IO_DNS_ADDR_MAX && res->data[n] != NULL)
        n++;
    io_addr *grown = realloc(q->addr, (q->n_addr + n + 1) * sizeof *grown);
    if (grown == NULL) return S2S_E_DNS_FAILED;
    q->addr = grown;
    for (size_t i = 0; i < n; i++)
        if (io_addr_of_bytes(res->data[i], (size_t)res->len[i], 0, &q->addr[q->n_addr]) == S2S_E_OK)
            q->n_addr++;
    return S2S_E_OK;
}

/* Their data is copied behind each other. */
static s2s_err keep_tlsa(question *q, const struct ub_result *res)
{
    size_t n = 0, bytes = 0;
    for (; n < IO_DNS_TLSA_MAX && res->data[n] != NULL; n++)
        bytes += (size_t)res->len[n];
    q->tlsa = calloc(n + 1, sizeof *q->tlsa);
    q->bytes = malloc(bytes + 1);
    if (q->tlsa == NULL || q->bytes == NULL) return S2S_E_DNS_FAILED;
    char *at = q->bytes;
    for (size_t i = 0; i < n; i++) {
        io_tlsa *tlsa = &q->tlsa[q->n_tlsa];
        size_t len = (size_t)res->len[i];
        memcpy(at, res->data[i], len);
        if (io_rdata_tlsa((const uint8_t *)at, len, tlsa)) q->n_tlsa++;
        at += len;
    }
    return S2S_E_OK;
}

static s2s_err keep(part *p, const struct ub_result *res)
{
    if (p->type == TYPE_SRV) return keep_srv(p->q, res, p->direct);
    return p->type == TYPE_TLSA ? keep_tlsa(p->q, res) : keep_addrs(p->q, res);
}

static void note_result(part *p, const struct ub_result *res)
{
    question *q = p->q;
    p->secure = res->secure != 0;
    p->bogus = res->bogus != 0;
    p->ttl = res->ttl > 0 ? (uint32_t)res->ttl : 0;
    if (p->bogus) {
        say(q, res->why_bogus != NULL ? res->why_bogus : "bogus");
    } else if (res->havedata) {
        p->err = keep(p, res);
    } else if (res->nxdomain || res->rcode == RCODE_NXDOMAIN || res->rcode == 0) {
        p->err = S2S_E_DNS_NOT_FOUND;
    } else {
        snprintf(q->detail, sizeof q->detail, "rcode %d", res->rcode);
    }
}

static bool question_done(const question *q)
{
    return q->parts[0].done && q->parts[1].done;
}

static bool has_records(const question *q)
{
    return q->n_srv + q->n_addr > 0;
}

static void on_result(void *mydata, int err, struct ub_result *res)
{
    part *p = mydata;
    p->open = false;
    p->done = true;
    if (err != 0)
        say(p->q, ub_strerror(err));
    else
        note_result(p, res);
    ub_resolve_free(res); /* accepts NULL */
}

/* ---- telling ---- */

/* Either half will do, but a forged one spoils both. */
static void put_answer(const question *q, io_dns_answer *a)
{
    bool failed = false, bogus = false;
    a->err = S2S_E_DNS_NOT_FOUND;
    a->secure = true;
    a->ttl = IO_DNS_TTL_MAX;
    for (unsigned i = 0; i < PARTS; i++) {
        const part *p = &q->parts[i];
        bogus = bogus || p->bogus;
        failed = failed || p->err == S2S_E_DNS_FAILED;
        if (p->err == S2S_E_OK) a->err = S2S_E_OK;
        a->secure = a->secure && (p->secure || p->err == S2S_E_DNS_FAILED);
        if (p->err != S2S_E_DNS_FAILED && p->ttl < a->ttl) a->ttl = p->ttl;
    }
    if (bogus || (failed && a->err != S2S_E_OK)) a->err = S2S_E_DNS_FAILED;
}

static void tell_orphans(io_resolver *r)
{
    static const io_dns_answer failed = {.err = S2S_E_DNS_FAILED, .detail = "out of memory"};
    while (r->n_orphans > 0 && !r->freed) {
        r->counts.answered++;
        r->counts.failed++;
        r->done(r->ctx, r->orphans[--r->n_orphans], &failed);
    }
}

static void tell(io_resolver *r, question *q)
{
    io_dns_answer a = {.err = S2S_E_DNS_FAILED};
    put_answer(q, &a);
    if (a.ttl > IO_DNS_TTL_MAX) a.ttl = IO_DNS_TTL_MAX;
    if (a.err == S2S_E_OK) {
        a.srv = q->srv;
        a.n_srv = q->n_srv;
        a.addr = q->addr;
        a.n_addr = q->n_addr;
        a.tlsa = q->tlsa;
        a.n_tlsa = q->n_tlsa;
    }
    if (a.err == S2S_E_DNS_FAILED) {
        a.secure = false;
        r->counts.failed++;
        memcpy(a.detail, q->detail, sizeof a.detail);
    }
    r->counts.answered++;
    r->done(r->ctx, q->ticket, &a);
    question_free(q);
}

/* ---- asking ---- */

static void issue_part(io_resolver *r, part *p)
{
    char name[S2S_DOMAIN_MAX + sizeof p->prefix];
    snprintf(name, sizeof name, "%s%s", p->prefix, p->q->name.text);
    int err = ub_resolve_async(r->engine->ub, name, p->type, CLASS_IN, p, on_result, &p->id);
    p->open = err == 0;
    if (err == UB_PIPE) r->broken = true; /* asked again by the next context */
    if (err == 0 || err == UB_PIPE) return;
    p->done = true;
    say(p->q, ub_strerror(err));
}

static void issue(io_resolver *r, question *q, uint64_t now)
{
    q->attempts++;
    q->attempt_ends = now + r->settings->timeout_ms;
    if (q->attempt_ends > q->ends) q->attempt_ends = q->ends;
    for (unsigned i = 0; i < PARTS; i++)
        if (r->engine != NULL && !q->parts[i].done) issue_part(r, &q->parts[i]);
}

static void withdraw(io_resolver *r, question *q)
{
    for (unsigned i = 0; i < PARTS; i++) {
        part *p = &q->parts[i];
        if (p->open) ub_cancel(r->engine->ub, p->id);
        p->open = false;
    }
}

static void give_up(question *q, const char *detail)
{
    for (unsigned i = 0; i < PARTS; i++)
        q->parts[i].done = true;
    if (q->detail[0] == '\0') say(q, detail);
}

static void move_finished(io_resolver *r)
{
    for (question *q = r->flying.head, *next; q != NULL; q = next) {
        next = q->next;
        if (!question_done(q)) continue;
        list_remove(&r->flying, q);
        list_put(&r->ready, q);
    }
}

/* With the records of one half in hand the other is not waited for much longer: a name server that does not know the newer
 * SRV name, or AAAA, and says nothing, must not cost seconds. */
static void settle_for_half(io_resolver *r, uint64_t now)
{
    const io_resolver_settings *set = r->settings;
    for (question *q = r->flying.head; q != NULL; q = q->next) {
        if (question_done(q) || !has_records(q)) continue;
        if (q->enough_at == UINT64_MAX)
            q->enough_at = now + (q->what == IO_ASK_SRV ? set->service_ms : set->family_ms);
        if (q->enough_at > now) continue;
        withdraw(r, q);
        give_up(q, "the other half came too late");
    }
}

static void expire(io_resolver *r, uint64_t now)
{
    for (question *q = r->flying.head; q != NULL; q = q->next) {
        if (q->attempt_ends > now) continue;
        r->counts.timeouts++;
        withdraw(r, q);
        if (q->attempts >= r->settings->attempts || q->ends <= now)
            give_up(q, "no answer in time");
        else
            issue(r, q, now);
    }
    while (r->waiting.head != NULL && r->waiting.head->ends <= now) {
        question *q = list_take(&r->waiting);
        give_up(q, "too many lookups before this one");
        list_put(&r->ready, q);
    }
}

static bool has_room(const io_resolver *r)
{
    return r->flying.n < r->settings->in_flight && r->waiting.head != NULL;
}

/* Some at a time: libunbound's thread answers while ub_process reads, which does not end before there is no answer more. */
static void fill(io_resolver *r, uint64_t now)
{
    for (unsigned n = 0; n < ASKS_PER_TURN && has_room(r); n++) {
        question *q = list_take(&r->waiting);
        list_put(&r->flying, q);
        issue(r, q, now);
    }
}

static void on_timer(uv_timer_t *timer);
static void on_busy(uv_idle_t *busy);

/* Of what flies; 0: something is finished. */
static uint64_t nearest_deadline(const io_resolver *r)
{
    uint64_t at = r->waiting.head != NULL ? r->waiting.head->ends : UINT64_MAX;
    for (const question *q = r->flying.head; q != NULL; q = q->next) {
        if (q->attempt_ends < at) at = q->attempt_ends;
        if (q->enough_at < at) at = q->enough_at;
        if (question_done(q)) return 0;
    }
    if (r->engine == NULL && r->flying.n > 0 && r->rebuild_at < at) at = r->rebuild_at;
    return at;
}

/* For the nearest deadline, or the next turn of the loop when there is something to do. */
static void arm(io_resolver *r)
{
    uint64_t now = uv_now(r->loop), at = nearest_deadline(r);
    bool busy = at <= now || r->ready.head != NULL || r->n_orphans > 0 || r->broken || has_room(r);
    if (busy)
        uv_idle_start(&r->busy, on_busy);
    else
        uv_idle_stop(&r->busy);
    if (busy || at == UINT64_MAX)
        uv_timer_stop(&r->timer);
    else
        uv_timer_start(&r->timer, on_timer, at - now, 0);
}

static void mend(io_resolver *r, uint64_t now);

/* What is told may lead to a connection being dialled: after TELL_US the rest waits for the next turn of the loop, so that
 * those who carry stanzas are served between. */
static void tell_some(io_resolver *r)
{
    tell_orphans(r);
    uint64_t end = uv_hrtime() + 1000 * TELL_US;
    for (unsigned n = r->ready.n; n > 0; n--) { /* what fails meanwhile waits for the next turn */
        tell(r, list_take(&r->ready));
        if (r->freed || uv_hrtime() >= end) return;
    }
}

/* One turn: what is finished is told, then the freed places are filled. */
static void turn(io_resolver *r)
{
    uint64_t now = uv_now(r->loop);
    mend(r, now);
    settle_for_half(r, now);
    move_finished(r);
    expire(r, now);
    move_finished(r);
    tell_some(r);
    if (r->freed) return; /* the memory stays until its handles are closed */
    fill(r, now);
    arm(r);
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_busy(uv_idle_t *busy)
{
    turn(busy->data);
}

/* A domain may be so long that a name in front of it cannot exist. */
static void leave_out_the_impossible(question *q)
{
    for (unsigned i = 0; i < PARTS; i++) {
        part *p = &q->parts[i];
        if (strlen(p->prefix) + q->name.len <= S2S_DOMAIN_MAX) continue;
        p->done = true;
        p->err = S2S_E_DNS_NOT_FOUND;
    }
}

void io_resolver_ask(io_resolver *r, uint64_t ticket, const io_query *query)
{
    question *q = question_new(ticket, query);
    uint64_t now = uv_now(r->loop);
    r->counts.asked++;
    if (q == NULL) {
        S2S_ASSERT(r->n_orphans < ORPHANS);
        r->orphans[r->n_orphans++] = ticket;
        arm(r);
        return;
    }
    q->ends = now + (uint64_t)r->settings->timeout_ms * r->settings->attempts;
    leave_out_the_impossible(q);
    if (question_done(q)) {
        list_put(&r->ready, q);
    } else if (r->waiting.n >= r->settings->waiting + r->settings->in_flight - r->flying.n) {
        r->counts.overflows++;
        give_up(q, "too many lookups");
        list_put(&r->ready, q);
    } else {
        list_put(&r->waiting, q);
    }
    arm(r);
}

/* ---- the context ---- */

static void on_engine_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void engine_drop(engine *e)
{
    if (e == NULL) return;
    uv_close((uv_handle_t *)&e->poll,
             on_engine_closed); /* stops watching at once: the descriptor may go */
    ub_ctx_delete(e->ub);
    e->ub = NULL;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static engine *engine_new(io_resolver *r, io_resolver_fault *fault)
{
    engine *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->ub = io_resolver_ctx_new(r->settings, fault);
    if (e->ub == NULL || uv_poll_init(r->loop, &e->poll, ub_fd(e->ub)) != 0) {
        if (e->ub != NULL) ub_ctx_delete(e->ub);
        free(e);
        return NULL;
    }
    e->poll.data = e;
    e->owner = r;
    return e;
}

static bool engine_start(io_resolver *r, io_resolver_fault *fault)
{
    engine *e = engine_new(r, fault);
    if (e != NULL && uv_poll_start(&e->poll, UV_READABLE, on_readable) != 0) {
        engine_drop(e);
        e = NULL;
    }
    r->engine = e;
    return e != NULL;
}

bool io_resolver_rebuild(io_resolver *r)
{
    io_resolver_fault fault;
    engine_drop(r->engine);
    r->broken = false;
    r->counts.rebuilds++;
    r->rebuild_at = uv_now(r->loop) + REBUILD_MS;
    bool built = engine_start(r, &fault);
    for (question *q = r->flying.head; q != NULL; q = q->next) {
        for (unsigned i = 0; i < PARTS; i++) {
            q->parts[i].open = false; /* the old context is gone, and its call backs with it */
            if (built && !q->parts[i].done) issue_part(r, &q->parts[i]);
        }
    }
    arm(r);
    return built;
}

/* Replaces what does not work, but not over and over within one second. */
static void mend(io_resolver *r, uint64_t now)
{
    if (r->broken || r->engine == NULL) {
        if (now >= r->rebuild_at) {
            io_resolver_rebuild(r);
        } else if (r->broken) {
            engine_drop(r->engine);
            r->engine = NULL;
            r->broken = false;
            for (question *q = r->flying.head; q != NULL; q = q->next)
                q->parts[0].open = q->parts[1].open = false;
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    io_resolver *r = ((engine *)poll->data)->owner;
    (void)events;
    /* UB_PIPE: the other end is gone, and what it had in hand will never be answered. */
    if (status != 0 || ub_process(r->engine->ub) != 0) r->broken = true;
    turn(r);
}

/* ---- life ---- */

io_resolver *io_resolver_new(uv_loop_t *loop, const io_resolver_settings *settings,
                             io_resolver_done done, void *ctx, io_resolver_fault *fault)
{
    S2S_ASSERT(settings->timeout_ms > 0 && settings->attempts > 0 && settings->in_flight > 0);
    *fault = (io_resolver_fault){.what = "context", .reason = "out of memory or descriptors"};
    io_resolver *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->loop = loop;
    r->settings = settings;
    r->done = done;
    r->ctx = ctx;
    uv_timer_init(loop, &r->timer);
    uv_idle_init(loop, &r->busy);
    r->timer.data = r->busy.data = r;
    if (engine_start(r, fault)) return r;
    io_resolver_free(r);
    return NULL;
}

void io_resolver_count(const io_resolver *r, io_resolver_counts *out)
{
    *out = r->counts;
    out->in_flight = r->flying.n;
    out->waiting = r->waiting.n;
}

static void on_closed(uv_handle_t *handle)
{
    io_resolver *r = handle->data;
    if (--r->closing == 0) free(r);
}

void io_resolver_free(io_resolver *r)
{
    if (r == NULL || r->freed) return;
    r->freed = true;
    engine_drop(r->engine);
    r->engine = NULL;
    list_free(&r->waiting);
    list_free(&r->flying);
    list_free(&r->ready);
    r->closing = 2;
    uv_close((uv_handle_t *)&r->timer, on_closed);
    uv_close((uv_handle_t *)&r->busy, on_closed);
}
