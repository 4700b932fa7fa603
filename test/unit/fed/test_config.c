/* test_config.c - who is local, which policy, which address may be dialled. */
#include "leaves.h"

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
        cmocka_unit_test(guard_blocks_every_range),
        cmocka_unit_test(guard_passes_the_internet),
        cmocka_unit_test(exceptions_open_only_their_block),
        cmocka_unit_test(own_listeners_are_never_dialled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
