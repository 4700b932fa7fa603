/* posh.c - see posh.h. */
#include "app/posh.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/arena.h"

typedef enum state {
    FREE,
    WAITING, /* its turn comes when another is done */
    RESOLVING,
    FETCHING,
    KNOWN
} state;

typedef struct asker {
    uint64_t ticket;
    struct asker *next;
} asker;

typedef struct entry {
    app_posh *all;
    s2s_domain domain;
    state state;
    asker *askers;
    bool telling;    /* its answer is lent */
    uint64_t since;  /* asked, or known, ms */
    uint64_t ends;   /* KNOWN: until then */
    uint64_t ticket; /* RESOLVING: of ours */
    io_fetch *fetch; /* FETCHING */
    /* the walk */
    char url[1024];
    s2s_domain host;
    uint16_t port;
    unsigned hops;
    bool referred;
    uint32_t expires; /* s: of the document that referred to the next */
    /* what came of it */
    io_posh_print *prints;
    size_t n_prints;
    char detail[96];
} entry;

struct app_posh {
    app_posh_calls calls;
    uv_loop_t *loop;
    uv_timer_t timer;
    uint64_t last_ticket;
    unsigned running;
    asker *refused; /* there was no place for their domains */
    size_t n;
    entry entries[APP_POSH_DOMAINS];
};

/* ---- life ---- */

static void on_time(uv_timer_t *t);

app_posh *app_posh_new(uv_loop_t *loop, const app_posh_calls *calls)
{
    app_posh *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->calls = *calls;
    p->loop = loop;
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    return p;
}

static void free_askers(asker **list)
{
    for (asker *a; (a = *list) != NULL;) {
        *list = a->next;
        free(a);
    }
}

static void forget(entry *e)
{
    if (e->fetch) e->all->calls.drop(e->all->calls.ctx, e->fetch);
    free_askers(&e->askers);
    free(e->prints);
    *e = (entry){.state = FREE};
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void app_posh_free(app_posh *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n; i++)
        if (p->entries[i].state != FREE) forget(&p->entries[i]);
    free_askers(&p->refused);
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

/* ---- entries ---- */

static bool is_busy(const entry *e)
{
    return e->state == RESOLVING || e->state == FETCHING;
}

static entry *find(app_posh *p, const s2s_domain *domain)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->entries[i].state != FREE && s2s_domain_eq(&p->entries[i].domain, domain))
            return &p->entries[i];
    return NULL;
}

/* A free one, or the one that has been known longest. NULL: all are being asked. */
static entry *place(app_posh *p)
{
    entry *oldest = NULL;
    for (size_t i = 0; i < p->n; i++) {
        entry *e = &p->entries[i];
        if (e->state == FREE) return e;
        if (e->state != KNOWN || e->askers || e->telling) continue;
        if (!oldest || e->since < oldest->since) oldest = e;
    }
    if (p->n < APP_POSH_DOMAINS) return &p->entries[p->n++];
    if (oldest) forget(oldest);
    return oldest;
}

static uint64_t now(const app_posh *p)
{
    return p->calls.now(p->calls.ctx);
}

/* Everything that is due happens from the timer. */
static void wake(app_posh *p, uint64_t ms)
{
    uint64_t due = uv_timer_get_due_in(&p->timer);
    if (uv_is_active((uv_handle_t *)&p->timer) && due <= ms) return;
    uv_timer_start(&p->timer, on_time, ms, 0);
}

/* ---- ends ---- */

static void known(entry *e, uint64_t for_ms)
{
    app_posh *p = e->all;
    if (is_busy(e)) p->running--;
    e->state = KNOWN;
    e->since = now(p);
    e->ends = e->since + for_ms;
    wake(p, 0);
}

static void none(entry *e, const char *why, uint64_t for_ms)
{
    snprintf(e->detail, sizeof e->detail, "%s", why);
    e->n_prints = 0;
    known(e, for_ms);
}

static void list(entry *e, const app_posh_document *doc)
{
    uint32_t expires = doc->expires;
    if (e->referred && e->expires < expires) expires = e->expires;
    free(e->prints);
    e->prints = app_take(doc->n_prints * sizeof *e->prints);
    memcpy(e->prints, doc->prints, doc->n_prints * sizeof *e->prints);
    e->n_prints = doc->n_prints;
    e->detail[0] = '\0';
    known(e, (uint64_t)expires * 1000);
}

/* ---- a URL, and where it leads ---- */

static bool part_of(CURLU *url, CURLUPart part, char *out, size_t size)
{
    char *text = NULL;
    bool ok = curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) ==
                  CURLUE_OK &&
              strlen(text) < size;
    if (ok) memcpy(out, text, strlen(text) + 1);
    curl_free(text);
    return ok;
}

/* Other ports below 1,024 belong to others: nobody is to make us speak to their mail server. */
static bool port_is_fine(unsigned long port)
{
    return port == 443 || (port >= 1024 && port <= UINT16_MAX);
}

/* https, a host by name, no user: rewritten with the host's canonical form. */
static bool take_apart(entry *e, CURLU *url)
{
    char scheme[16], host[300], port[16], unused[300];
    if (!part_of(url, CURLUPART_SCHEME, scheme, sizeof scheme) || strcmp(scheme, "https") != 0)
        return false;
    if (!part_of(url, CURLUPART_HOST, host, sizeof host) ||
        !part_of(url, CURLUPART_PORT, port, sizeof port))
        return false;
    io_addr literal;
    bool number = host[0] == '[' || io_addr_parse(s2s_span_of(host), &literal) == S2S_E_OK;
    if (number || part_of(url, CURLUPART_USER, unused, sizeof unused) ||
        s2s_domain_make(s2s_span_of(host), &e->host) != S2S_E_OK)
        return false;
    unsigned long n = strtoul(port, NULL, 10);
    if (!port_is_fine(n)) return false;
    e->port = (uint16_t)n;
    return curl_url_set(url, CURLUPART_HOST, e->host.text, 0) == CURLUE_OK &&
           curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
           part_of(url, CURLUPART_URL, e->url, sizeof e->url);
}

static bool set_url(entry *e, const char *text)
{
    CURLU *url = curl_url();
    bool ok = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && take_apart(e, url);
    curl_url_cleanup(url);
    return ok;
}

static void go_to(entry *e, const char *url)
{
    app_posh *p = e->all;
    if (e->hops++ > APP_POSH_HOPS) {
        none(e, "too many redirects", APP_POSH_NONE_MS);
    } else if (!set_url(e, url)) {
        none(e, "it leads to a URL that is not followed", APP_POSH_NONE_MS);
    } else {
        e->state = RESOLVING;
        e->ticket = ++p->last_ticket;
        p->calls.resolve(p->calls.ctx, e->ticket, &e->host);
    }
}

/* ---- the answers on the way ---- */

static void take_document(entry *e, s2s_span body)
{
    app_posh_document doc;
    app_posh_read(body, &doc);
    switch (doc.kind) {
    case APP_POSH_VOID: none(e, doc.detail, APP_POSH_NONE_MS); return;
    case APP_POSH_LIST: list(e, &doc); return;
    case APP_POSH_REFERENCE: break;
    }
    if (e->referred) {
        none(e, "a reference leads to another reference", APP_POSH_NONE_MS);
        return;
    }
    e->referred = true;
    e->expires = doc.expires;
    go_to(e, doc.url);
}

static void fetched(void *owner, const io_fetch_result *r)
{
    entry *e = owner;
    char text[64];
    e->fetch = NULL;
    if (r->status == 200) {
        take_document(e, r->body);
    } else if (r->status >= 300 && r->status <= 399 && r->location) {
        go_to(e, r->location);
    } else if (r->status != 0) {
        snprintf(text, sizeof text, "HTTP status %u", r->status);
        none(e, text, APP_POSH_NONE_MS);
    } else {
        none(e, r->detail ? r->detail : "not fetched", APP_POSH_FAILED_MS);
    }
}

void app_posh_resolved(app_posh *p, uint64_t ticket, const io_addr *addrs, size_t n)
{
    io_addr good[APP_POSH_ADDRS];
    io_fetch_ask ask = {.addrs = good};
    entry *e = NULL;
    for (size_t i = 0; i < p->n && !e; i++)
        if (p->entries[i].state == RESOLVING && p->entries[i].ticket == ticket) e = &p->entries[i];
    if (!e) return; /* given up */
    for (size_t i = 0; i < n && ask.n_addrs < APP_POSH_ADDRS; i++) {
        io_addr to = addrs[i];
        to.port = e->port;
        if (p->calls.may_dial(p->calls.ctx, &to)) good[ask.n_addrs++] = to;
    }
    ask.url = e->url;
    ask.host = e->host.text;
    ask.port = e->port;
    if (ask.n_addrs == 0) {
        none(e, n > 0 ? "its addresses are not allowed" : "its host has no address",
             APP_POSH_FAILED_MS);
        return;
    }
    e->state = FETCHING;
    e->fetch = p->calls.fetch(p->calls.ctx, &ask, fetched, e);
    if (!e->fetch) none(e, "out of memory", 0);
}

/* ---- from outside ---- */

static void begin(entry *e)
{
    char url[S2S_DOMAIN_MAX + 64];
    app_posh *p = e->all;
    p->running++;
    e->state = RESOLVING; /* before go_to may say that it is over */
    e->since = now(p);
    e->hops = 0;
    e->referred = false;
    snprintf(url, sizeof url, "https://%s/.well-known/posh/xmpp-server.json", e->domain.text);
    wake(p, APP_POSH_MS);
    go_to(e, url);
}

static void tell_all(app_posh *p, asker *list, const s2s_domain *domain,
                     const app_posh_answer *answer)
{
    for (asker *a; (a = list) != NULL;) {
        uint64_t ticket = a->ticket;
        list = a->next;
        free(a);
        p->calls.answered(p->calls.ctx, ticket, domain, answer);
    }
}

static void tell(entry *e)
{
    const app_posh_answer answer = {e->prints, e->n_prints, e->detail};
    asker *list = e->askers;
    e->askers = NULL;
    e->telling = true;
    tell_all(e->all, list, &e->domain, &answer);
    e->telling = false;
}

static void tell_refused(app_posh *p)
{
    static const app_posh_answer full = {.detail = "too many domains are being asked"};
    static const s2s_domain unknown = {.len = 0};
    asker *list = p->refused;
    p->refused = NULL;
    tell_all(p, list, &unknown, &full);
}

static void give_up(entry *e)
{
    if (e->fetch) e->all->calls.drop(e->all->calls.ctx, e->fetch);
    e->fetch = NULL;
    none(e, "not fetched in time", APP_POSH_FAILED_MS);
}

static bool is_late(const entry *e, uint64_t at)
{
    return (is_busy(e) || e->state == WAITING) && e->since + APP_POSH_MS <= at;
}

/* Answers what is known, gives up what takes too long, begins what waits. */
static void on_time(uv_timer_t *t)
{
    app_posh *p = t->data;
    uint64_t at = now(p), next = UINT64_MAX;
    tell_refused(p);
    for (size_t i = 0; i < p->n; i++) {
        entry *e = &p->entries[i];
        if (is_late(e, at)) give_up(e);
        if (e->state == WAITING && p->running < APP_POSH_AT_A_TIME) begin(e);
        if (e->state == KNOWN && e->askers) tell(e);
        bool runs = is_busy(e) || e->state == WAITING;
        if (runs && e->since + APP_POSH_MS - at < next) next = e->since + APP_POSH_MS - at;
    }
    if (next != UINT64_MAX) wake(p, next);
}

void app_posh_ask(app_posh *p, uint64_t ticket, const s2s_domain *domain)
{
    entry *e = find(p, domain);
    if (!e) e = place(p);
    asker **list = e ? &e->askers : &p->refused;
    asker *a = app_take(sizeof *a);
    *a = (asker){ticket, *list};
    *list = a;
    bool begins = e && (e->state == FREE || (e->state == KNOWN && e->ends <= now(p)));
    if (begins) {
        e->all = p;
        e->domain = *domain;
        e->state = WAITING;
        e->since = now(p);
    }
    wake(p, 0);
}
