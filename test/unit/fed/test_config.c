/* test_config.c - who is local, which policy, which address may be dialled. */
#include <stdlib.h>

#include "leaves.h"

static void *index_of(fed_config *c)
{
    void *memory = calloc(1, fed_config_index_size(c));
    assert_non_null(memory);
    fed_config_index(c, memory);
    return memory;
}

static void defaults_are_those_of_the_specification(void **state)
{
    (void)state;
    fed_limits l;
    fed_limits_init(&l);
    assert_int_equal(l.stanza, 524288);
    assert_int_equal(l.queue_pair, 1048576);
    assert_int_equal(l.queue_total, 268435456);
    assert_int_equal(l.targets, 10);
    assert_int_equal(l.addrs_per_target, 4);
    assert_int_equal(l.conns_per_address, 100);
    assert_int_equal(l.queue_ms, 30000);
    assert_int_equal(l.plan_ms, 60000);
    assert_int_equal(l.head_ms, 10000);
    assert_int_equal(l.negotiate_ms, 30000);
    assert_int_equal(l.idle_ms, 3600000);
    assert_int_equal(l.backoff_first_ms, 1000);
    assert_int_equal(l.backoff_max_ms, 60000);
}

static void local_domains(void **state)
{
    (void)state;
    fed_local locals[2] = {{.domain = domain_of("example.org")},
                           {.domain = domain_of("conference.example.org"), .server = 1}};
    fed_config c = {.locals = locals, .n_locals = 2};
    void *index = index_of(&c);
    s2s_domain d = domain_of("Example.ORG.");
    assert_ptr_equal(fed_config_local(&c, &d), &locals[0]);
    d = domain_of("conference.example.org");
    assert_ptr_equal(fed_config_local(&c, &d), &locals[1]);
    assert_true(fed_config_under_local(&c, &d));
    d = domain_of("example.org");
    assert_false(fed_config_under_local(&c, &d));
    d = domain_of("typo.example.org");
    assert_null(fed_config_local(&c, &d));
    assert_true(fed_config_under_local(&c, &d));
    d = domain_of("notexample.org");
    assert_false(fed_config_under_local(&c, &d));
    d = domain_of("org");
    assert_false(fed_config_under_local(&c, &d));
    d = domain_of("a.b.c.example.org");
    assert_true(fed_config_under_local(&c, &d));
    free(index);
}

static void nearest_policy_wins(void **state)
{
    (void)state;
    /* In an order that the first fitting record would get wrong. */
    fed_policy policies[] = {
        {.match = FED_MATCH_ALL},
        {.match = FED_MATCH_SUBTREE, .domain = domain_of("example")},
        {.match = FED_MATCH_SUBTREE, .domain = domain_of("deep.partner.example")},
        {.match = FED_MATCH_SUBTREE, .domain = domain_of("partner.example")},
        {.match = FED_MATCH_EXACT, .domain = domain_of("a.deep.partner.example")},
    };
    fed_config c = {.policies = policies, .n_policies = 5};
    void *index = index_of(&c);
    static const struct {
        const char *remote;
        int record;
    } ROWS[] = {
        {"a.deep.partner.example", 4},
        {"b.deep.partner.example", 2},
        {"deep.partner.example", 3},
        {"x.partner.example", 3},
        {"partner.example", 1},
        {"example", 0},
        {"far.org", 0},
        {"xpartner.example", 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        s2s_domain d = domain_of(ROWS[i].remote);
        if (fed_config_policy(&c, &d) != &policies[ROWS[i].record]) fail_msg("%s", ROWS[i].remote);
    }
    free(index);
}

/* What the index says is what a walk over all records would say: 2,000 drawn names against 300 drawn records. */
enum { MANY = 300, ASKED = 2000 };

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

/* Few letters and few labels, so that many are equal, and many lie below each other. */
static s2s_domain drawn_domain(uint32_t *state)
{
    char text[16];
    size_t len = 0;
    for (uint32_t labels = 1 + draw(state, 4); labels > 0; labels--) {
        text[len++] = (char)('a' + draw(state, 4));
        text[len++] = labels > 1 ? '.' : '\0';
    }
    return domain_of(text);
}

static unsigned nearness(const fed_policy *p, const s2s_domain *d)
{
    switch (p->match) {
    case FED_MATCH_EXACT: return s2s_domain_eq(&p->domain, d) ? 1000 : 0;
    case FED_MATCH_SUBTREE: return s2s_domain_under(d, &p->domain) ? 1 + p->domain.len : 0;
    case FED_MATCH_ALL: return 1;
    }
    return 0;
}

static const fed_policy *nearest(const fed_policy *p, size_t n, const s2s_domain *d)
{
    const fed_policy *best = p;
    for (size_t i = 0; i < n; i++)
        if (nearness(&p[i], d) > nearness(best, d)) best = &p[i];
    return best;
}

static void the_index_is_as_good_as_a_walk(void **state)
{
    (void)state;
    fed_local locals[MANY];
    fed_policy policies[MANY];
    uint32_t seed = 7;
    for (size_t i = 0; i < MANY; i++) {
        locals[i] = (fed_local){.domain = drawn_domain(&seed)};
        policies[i] = (fed_policy){.match = draw(&seed, 2) ? FED_MATCH_EXACT : FED_MATCH_SUBTREE,
                                   .domain = drawn_domain(&seed)};
    }
    policies[0] = (fed_policy){.match = FED_MATCH_ALL};
    fed_config c = {.locals = locals, .n_locals = 20, .policies = policies, .n_policies = MANY};
    void *index = index_of(&c);
    for (int n = 0; n < ASKED; n++) {
        s2s_domain d = drawn_domain(&seed);
        const fed_local *local = NULL;
        bool under = false;
        for (size_t i = c.n_locals; i-- > 0;) {
            if (s2s_domain_eq(&locals[i].domain, &d)) local = &locals[i];
            under = under || s2s_domain_under(&d, &locals[i].domain);
        }
        assert_ptr_equal(fed_config_local(&c, &d), local);
        assert_int_equal(fed_config_under_local(&c, &d), under);
        assert_ptr_equal(fed_config_policy(&c, &d), nearest(policies, MANY, &d));
    }
    free(index);
}

static bool may(const fed_config *c, const char *text, uint16_t port)
{
    fed_addr a = addr_of(text, port);
    return fed_config_may_dial(c, &a);
}

static const char *const BLOCKED[] = {
    "127.0.0.1",
    "127.255.255.255",
    "::1",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fdff::1",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:1::1",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "ff0e::1",
    "255.255.255.255",
    "240.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "198.19.255.255",
    "2001:db8::1",
    "2001::1",
    "2001:2::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "4000::1",
};

/* Attack 132: every range, at each port. */
static void guard_blocks_every_range(void **state)
{
    (void)state;
    static const uint16_t PORTS[] = {22, 25, 5269};
    fed_config c = {.n_locals = 0};
    for (size_t i = 0; i < sizeof BLOCKED / sizeof BLOCKED[0]; i++)
        for (size_t p = 0; p < 3; p++)
            if (may(&c, BLOCKED[i], PORTS[p])) fail_msg("%s port %u", BLOCKED[i], PORTS[p]);
}

static void guard_passes_the_internet(void **state)
{
    (void)state;
    static const char *const PUBLIC[] = {
        "1.1.1.1",        "9.255.255.255",  "11.0.0.0",       "100.63.255.255", "100.128.0.0",
        "126.0.0.1",      "128.0.0.1",      "169.253.0.1",    "172.15.255.255", "172.32.0.0",
        "192.0.1.0",      "192.167.0.1",    "198.17.255.255", "198.20.0.0",     "223.255.255.255",
        "2a00:1450::1",   "2606:4700::1",   "2001:200::1",    "2001:4860::1",   "64:ff9b::101:101",
        "2002:101:101::", "::ffff:1.1.1.1",
    };
    fed_config c = {.n_locals = 0};
    for (size_t i = 0; i < sizeof PUBLIC / sizeof PUBLIC[0]; i++)
        if (!may(&c, PUBLIC[i], 5269)) fail_msg("%s", PUBLIC[i]);
}

static void exceptions_open_only_their_block(void **state)
{
    (void)state;
    fed_cidr allow[2];
    assert_int_equal(fed_cidr_parse(S2S_LIT("10.1.0.0/16"), &allow[0]), S2S_E_OK);
    assert_int_equal(fed_cidr_parse(S2S_LIT("fd00:1::/32"), &allow[1]), S2S_E_OK);
    fed_config c = {.allow_private = allow, .n_allow_private = 2};
    assert_true(may(&c, "10.1.2.3", 5269));
    assert_true(may(&c, "fd00:1::5", 5269));
    assert_false(may(&c, "10.2.0.1", 5269));
    assert_false(may(&c, "fd00:2::5", 5269));
    /* The same host in another dress was not named. */
    assert_false(may(&c, "64:ff9b::a01:203", 5269));
}

static void own_listeners_are_never_dialled(void **state)
{
    (void)state;
    fed_cidr all[2];
    assert_int_equal(fed_cidr_parse(S2S_LIT("0.0.0.0/0"), &all[0]), S2S_E_OK);
    assert_int_equal(fed_cidr_parse(S2S_LIT("::/0"), &all[1]), S2S_E_OK);
    fed_addr own[] = {addr_of("198.51.100.7", 5269), addr_of("2a00::7", 5269),
                      addr_of("9.9.9.9", 0), addr_of("::", 5270)};
    fed_config c = {.own = own, .n_own = 4, .allow_private = all, .n_allow_private = 2};
    assert_false(may(&c, "198.51.100.7", 5269));
    assert_true(may(&c, "198.51.100.7", 5280)); /* another program on our host */
    assert_false(may(&c, "2a00::7", 5269));
    assert_false(may(&c, "64:ff9b::c633:6407", 5269)); /* through a translator */
    assert_false(may(&c, "2002:c633:6407::", 5269));
    assert_false(may(&c, "9.9.9.9", 443));    /* port 0: all of them */
    assert_false(may(&c, "127.0.0.1", 5270)); /* the listener on every address */
    assert_false(may(&c, "127.8.8.8", 5270));
    assert_false(may(&c, "::1", 5270));
    assert_false(may(&c, "0.0.0.0", 5270));
    assert_true(may(&c, "127.0.0.1", 5271));
    fed_addr none = {.family = 0};
    assert_false(fed_config_may_dial(&c, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_specification),
        cmocka_unit_test(local_domains),
        cmocka_unit_test(nearest_policy_wins),
        cmocka_unit_test(the_index_is_as_good_as_a_walk),
        cmocka_unit_test(guard_blocks_every_range),
        cmocka_unit_test(guard_passes_the_internet),
        cmocka_unit_test(exceptions_open_only_their_block),
        cmocka_unit_test(own_listeners_are_never_dialled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
