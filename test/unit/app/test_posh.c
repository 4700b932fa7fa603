/* test_posh.c - the walk from a domain to its fingerprints: where it goes, where it does not, how often and how long. The DNS and
 * HTTPS are played by tables of this test; the clock is a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/posh.h"

#define DIGEST "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define LIST   "{\"fingerprints\":[{\"sha-256\":\"" DIGEST "\"}],\"expires\":100}"
#define PATH   "/.well-known/posh/xmpp-server.json"

typedef struct page {
    const char *url;
    unsigned status; /* 0: fails */
    const char *body, *location;
} page;

typedef struct question {
    uint64_t ticket;
    s2s_domain host;
} question;

/* A fetch under way: io_fetch is opaque, so it is only an address to us. */
typedef struct job {
    bool used;
    char url[256], host[256];
    unsigned port;
    size_t n_addrs;
    io_fetch_done done;
    void *owner;
} job;

enum { MOST = 2048 };

typedef struct scene {
    uv_loop_t loop;
    app_posh *posh;
    const page *pages;
    question questions[MOST];
    size_t n_questions;
    job jobs[MOST];
    size_t n_jobs;
    unsigned fetches, dropped, jobs_most;
    bool no_dns, no_http; /* what is asked waits */
    uint64_t now;
    bool asking;
    unsigned told, told_good;
    size_t n_prints;
    char detail[96];
} scene;

/* ---- the world ---- */

static void resolve(void *ctx, uint64_t ticket, const s2s_domain *host)
{
    scene *s = ctx;
    assert_true(s->n_questions < MOST);
    s->questions[s->n_questions++] = (question){ticket, *host};
}

static bool may_dial(void *ctx, const io_addr *to)
{
    (void)ctx;
    assert_int_not_equal(to->port, 0);
    return to->bytes[0] != 10;
}

static io_fetch *fetch(void *ctx, const io_fetch_ask *ask, io_fetch_done done, void *owner)
{
    scene *s = ctx;
    unsigned open = 1;
    assert_true(s->n_jobs < MOST);
    job *j = &s->jobs[s->n_jobs++];
    *j = (job){.used = true, .port = ask->port, .n_addrs = ask->n_addrs, .done = done};
    j->owner = owner;
    snprintf(j->url, sizeof j->url, "%s", ask->url);
    snprintf(j->host, sizeof j->host, "%s", ask->host);
    s->fetches++;
    for (size_t i = 0; i + 1 < s->n_jobs; i++)
        open += s->jobs[i].used ? 1 : 0;
    if (open > s->jobs_most) s->jobs_most = open;
    return (io_fetch *)(void *)j;
}

static void drop(void *ctx, io_fetch *f)
{
    scene *s = ctx;
    job *j = (job *)(void *)f;
    assert_true(j->used);
    j->used = false;
    s->dropped++;
}

static void answered(void *ctx, uint64_t ticket, const s2s_domain *domain, const app_posh_answer *a)
{
    scene *s = ctx;
    (void)ticket;
    (void)domain;
    assert_false(s->asking);
    s->told++;
    s->told_good += a->n_prints > 0 ? 1 : 0;
    s->n_prints = a->n_prints;
    snprintf(s->detail, sizeof s->detail, "%s", a->detail);
    assert_true(a->n_prints > 0 || a->detail[0] != '\0');
}

static uint64_t now(void *ctx)
{
    return ((scene *)ctx)->now;
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    const app_posh_calls calls = {resolve, may_dial, fetch, drop, answered, now, s};
    uv_loop_init(&s->loop);
    s->now = 1000000;
    s->posh = app_posh_new(&s->loop, &calls);
    assert_non_null(s->posh);
    *state = s;
    return 0;
}

static int finish(void **state)
{
    scene *s = *state;
    app_posh_free(s->posh);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&s->loop);
    for (size_t i = 0; i < s->n_jobs; i++)
        assert_false(s->jobs[i].used); /* nothing is left behind */
    free(s);
    return left;
}

/* "10." hosts have an inside address, "none." none at all. */
static bool answer_dns(scene *s)
{
    if (s->n_questions == 0 || s->no_dns) return false;
    question q = s->questions[--s->n_questions];
    io_addr addrs[6] = {{.family = 4, .bytes = {8, 8, 8, 8}},
                        {.family = 4, .bytes = {10, 0, 0, 1}}};
    for (int i = 2; i < 6; i++)
        addrs[i] = (io_addr){.family = 6, .bytes = {0x2a, (uint8_t)i}};
    bool inside = strncmp(q.host.text, "inside.", 7) == 0;
    size_t n = strncmp(q.host.text, "none.", 5) == 0 ? 0 : inside ? 1 : 6;
    app_posh_resolved(s->posh, q.ticket, inside ? addrs + 1 : addrs, n);
    return true;
}

static bool answer_http(scene *s)
{
    for (size_t i = 0; i < s->n_jobs && !s->no_http; i++) {
        job *j = &s->jobs[i];
        if (!j->used) continue;
        j->used = false;
        io_fetch_result r = {.status = 404, .body = S2S_LIT("none"), .detail = "it failed"};
        for (const page *p = s->pages; p && p->url; p++) {
            if (strcmp(p->url, j->url) != 0) continue;
            r = (io_fetch_result){p->status, s2s_span_of(p->body), p->location, "it failed"};
        }
        assert_true(j->n_addrs > 0 && j->n_addrs <= APP_POSH_ADDRS);
        j->done(j->owner, &r);
        return true;
    }
    return false;
}

/* Until nothing moves any more. Timers of the loop that are due at once go off; others do not. */
static void settle(scene *s)
{
    bool moved = true;
    while (moved) {
        moved = answer_dns(s) || answer_http(s);
        unsigned before = s->told + s->fetches + (unsigned)s->n_questions;
        uv_run(&s->loop, UV_RUN_NOWAIT);
        moved = moved || before != s->told + s->fetches + (unsigned)s->n_questions;
    }
}

static void ask(scene *s, const char *domain)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(domain), &d), S2S_E_OK);
    s->asking = true;
    app_posh_ask(s->posh, 7, &d);
    s->asking = false;
}

static void expect(scene *s, const char *domain, bool good, const char *detail)
{
    unsigned told = s->told;
    ask(s, domain);
    settle(s);
    assert_int_equal(s->told, told + 1);
    assert_int_equal(s->n_prints, good ? 1 : 0);
    if (!good && !strstr(s->detail, detail)) fail_msg("%s, not %s", s->detail, detail);
}

/* ---- the cases ---- */

/* rows: R7711-3-a */
static void the_well_known_place(void **state)
{
    scene *s = *state;
    static const page pages[] = {{"https://far.example" PATH, 200, LIST, NULL},
                                 {NULL, 0, NULL, NULL}};
    s->pages = pages;
    expect(s, "far.example", true, "");
    assert_string_equal(s->jobs[0].host, "far.example");
    assert_int_equal(s->jobs[0].port, 443);
    expect(s, "other.example", false, "HTTP status 404");
}

/* rows: R7711-3.2 */
static void redirects_and_references(void **state)
{
    scene *s = *state;
    s->pages =
        (const page[]){{"https://a.example" PATH, 302, NULL, "https://host.example:8443/a.json"},
                       {"https://host.example:8443/a.json", 200, LIST, NULL},
                       {"https://b.example" PATH, 301, NULL, "http://host.example/a.json"},
                       {"https://c.example" PATH, 200,
                        "{\"url\":\"https://host.example/c.json\",\"expires\":9}", NULL},
                       {"https://host.example/c.json", 200, LIST, NULL},
                       {"https://d.example" PATH, 200,
                        "{\"url\":\"https://host.example/d.json\",\"expires\":9}", NULL},
                       {"https://host.example/d.json", 200,
                        "{\"url\":\"https://host.example/c.json\",\"expires\":9}", NULL},
                       {"https://e.example" PATH, 302, NULL, "https://e.example" PATH},
                       {"https://f.example" PATH, 302, NULL, NULL},
                       {"https://g.example" PATH, 302, NULL, "https://192.0.2.1/g.json"},
                       {"https://h.example" PATH, 302, NULL, "https://[2001:db8::1]/h.json"},
                       {"https://i.example" PATH, 302, NULL, "https://u:p@host.example/c.json"},
                       {"https://j.example" PATH, 302, NULL, "https://host.example:25/c.json"},
                       {"https://k.example" PATH, 302, NULL, "https://inside.example/c.json"},
                       {NULL, 0, NULL, NULL}};
    expect(s, "a.example", true, "");
    expect(s, "b.example", false, "not followed");
    expect(s, "c.example", true, "");
    expect(s, "d.example", false, "another reference");
    unsigned before = s->fetches;
    expect(s, "e.example", false, "too many");
    assert_int_equal(s->fetches - before, APP_POSH_HOPS + 1);
    expect(s, "f.example", false, "HTTP status 302");
    before = s->fetches;
    expect(s, "g.example", false, "not followed");
    expect(s, "h.example", false, "not followed");
    expect(s, "i.example", false, "not followed");
    expect(s, "j.example", false, "not followed");
    expect(s, "k.example", false, "not allowed"); /* attack 86 */
    assert_int_equal(s->fetches - before, 5);
}

static void addresses_that_a_remote_may_not_have(void **state)
{
    scene *s = *state;
    expect(s, "inside.example", false, "not allowed");
    expect(s, "none.example", false, "no address");
    assert_int_equal(s->fetches, 0);
}

/* rows: R7711-6 */
static void remembered_as_long_as_it_says(void **state)
{
    scene *s = *state;
    static const page pages[] = {
        {"https://far.example" PATH, 200, LIST, NULL},
        {"https://void.example" PATH, 200, "{}", NULL},
        {"https://down.example" PATH, 0, NULL, NULL},
        {"https://c.example" PATH, 200, "{\"url\":\"https://h.example/\",\"expires\":9}", NULL},
        {"https://h.example/", 200, LIST, NULL},
        {NULL, 0, NULL, NULL}};
    s->pages = pages;
    const struct {
        const char *domain;
        bool good;
        uint64_t ms;
        unsigned fetches;
    } rows[] = {{"far.example", true, 100000, 1},
                {"void.example", false, APP_POSH_NONE_MS, 1},
                {"down.example", false, APP_POSH_FAILED_MS, 1},
                {"c.example", true, 9000, 2}}; /* the lower of the two */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned before = s->fetches;
        expect(s, rows[i].domain, rows[i].good, "");
        s->now += rows[i].ms - 1;
        expect(s, rows[i].domain, rows[i].good, "");
        assert_int_equal(s->fetches - before, rows[i].fetches);
        s->now += 1;
        expect(s, rows[i].domain, rows[i].good, "");
        assert_int_equal(s->fetches - before, 2 * rows[i].fetches);
    }
}

static void asked_once_for_many(void **state)
{
    scene *s = *state;
    static const page pages[] = {{"https://far.example" PATH, 200, LIST, NULL},
                                 {NULL, 0, NULL, NULL}};
    s->pages = pages;
    for (int i = 0; i < 5; i++)
        ask(s, "far.example");
    settle(s);
    assert_int_equal(s->told, 5);
    assert_int_equal(s->told_good, 5);
    assert_int_equal(s->fetches, 1);
}

/* A crowd of domains: so many at a time, each gets an answer, and no more are remembered than there is room for. */
static void a_crowd(void **state)
{
    scene *s = *state;
    char name[32];
    s->no_http = true;
    for (unsigned i = 0; i < APP_POSH_DOMAINS + 10; i++) {
        snprintf(name, sizeof name, "r%u.example", i);
        ask(s, name);
    }
    settle(s);
    assert_int_equal(s->jobs_most, APP_POSH_AT_A_TIME);
    assert_int_equal(s->told, 10); /* there was no place for them */
    s->no_http = false;
    settle(s);
    assert_int_equal(s->told, APP_POSH_DOMAINS + 10);
    assert_int_equal(s->jobs_most, APP_POSH_AT_A_TIME);
    s->now += 1;
    expect(s, "new.example", false, "HTTP status 404"); /* in the place of the oldest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_well_known_place, begin, finish),
        cmocka_unit_test_setup_teardown(redirects_and_references, begin, finish),
        cmocka_unit_test_setup_teardown(addresses_that_a_remote_may_not_have, begin, finish),
        cmocka_unit_test_setup_teardown(remembered_as_long_as_it_says, begin, finish),
        cmocka_unit_test_setup_teardown(asked_once_for_many, begin, finish),
        cmocka_unit_test_setup_teardown(a_crowd, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
