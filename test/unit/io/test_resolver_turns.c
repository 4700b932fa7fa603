/* The resolver leaves turns of the loop to others: a storm of questions is asked and answered by and by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd.h"
#include "io/resolver.h"

enum { QUESTIONS = 20, SLOW_NS = 100000 /* longer than a turn has for telling */ };

typedef struct scene {
    uv_loop_t loop;
    io_resolver_settings settings;
    io_resolver *resolver;
    dnsd server; /* it never answers */
    const char *forwarder;
    unsigned told;
} scene;

static void on_told(void *ctx, uint64_t ticket, const io_dns_answer *answer)
{
    scene *s = ctx;
    (void)ticket;
    (void)answer;
    s->told++;
    for (uint64_t until = uv_hrtime() + SLOW_NS; uv_hrtime() < until;) {
    }
}

static int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    io_resolver_fault fault;
    uv_loop_init(&s->loop);
    dnsd_start(&s->server, &s->loop);
    s->server.mood = DNSD_MUTE;
    s->forwarder = s->server.forwarder;
    io_resolver_settings_init(&s->settings);
    s->settings.forwarders = &s->forwarder;
    s->settings.n_forwarders = 1;
    s->resolver = io_resolver_new(&s->loop, &s->settings, on_told, s, &fault);
    *state = s;
    return s->resolver == NULL;
}

static int finish(void **state)
{
    scene *s = *state;
    io_resolver_free(s->resolver);
    dnsd_stop(&s->server);
    while (uv_loop_alive(&s->loop))
        uv_run(&s->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&s->loop);
    free(s);
    return left;
}

static void ask(scene *s, uint64_t ticket, const char *name)
{
    s2s_domain d;
    assert_int_equal(s2s_domain_make(s2s_span_of(name), &d), S2S_E_OK);
    io_resolver_ask(s->resolver, ticket, &(io_query){.what = IO_ASK_SRV, .name = d});
}

static void libunbound_is_asked_a_few_in_a_turn(void **state)
{
    scene *s = *state;
    for (unsigned i = 0; i < QUESTIONS; i++)
        ask(s, i, "far.example");
    for (unsigned before = 0, turns = 0; before < QUESTIONS; turns++) {
        io_resolver_counts counts;
        uv_run(&s->loop, UV_RUN_NOWAIT);
        io_resolver_count(s->resolver, &counts);
        assert_in_range(counts.in_flight - before, 0, 2);
        assert_true(turns < QUESTIONS);
        before = counts.in_flight;
    }
    assert_int_equal(s->told, 0);
}

/* A name in front of which no SRV name fits: answered without libunbound. */
static void a_name_too_long(char *out, size_t size)
{
    memset(out, 'a', size - 1);
    for (size_t i = 60; i < size - 1; i += 60)
        out[i] = '.';
    out[size - 1] = '\0';
}

static void who_is_slow_is_told_once_in_a_turn(void **state)
{
    scene *s = *state;
    char name[241];
    a_name_too_long(name, sizeof name);
    for (unsigned i = 0; i < 4; i++)
        ask(s, i, name);
    for (unsigned n = 1; n <= 4; n++) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        assert_int_equal(s->told, n);
    }
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(libunbound_is_asked_a_few_in_a_turn),
        SCENE(who_is_slow_is_told_once_in_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
