/* test_renew.c - the end of a certificate of ours is told 14 and 3 days ahead, and when it has come: once each (attack 84). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/renew.h"
#include "fixture.h"

enum { DAY = 24 * 3600 };

typedef struct scene {
    app_bind bind;
    int log, written; /* what was logged is read from the one */
    app_renew *renew;
    int64_t until;
} scene;

static void open_scene(scene *s)
{
    static const char text[] =
        "listen: {outside: [\"*:5269\"], inside: [10.0.0.5]}\n"
        "domains: {example.org: {server: hq, certificate: org.pem, key: org.key}}\n"
        "servers: {hq: {address: \"10.0.0.10:5270\", trust: 10.0.0.10}}\n";
    int ends[2];
    app_problems *problems = app_problems_new("renew.yaml");
    memset(s, 0, sizeof *s);
    fixture_write("renew.yaml", text, sizeof text - 1, 0644);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    s->bind.settings = app_settings_load("renew.yaml", problems);
    app_problems_free(problems);
    assert_non_null(s->bind.settings);
    s->bind.log = app_log_new(ends[1], FED_INFO);
    s->log = ends[0], s->written = ends[1];
    s->until = 1000000000;
    s->bind.until = &s->until;
    s->renew = app_renew_new(&s->bind);
    assert_non_null(s->renew);
}

static void close_scene(scene *s)
{
    app_renew_free(s->renew);
    app_log_free(s->bind.log);
    app_settings_free(s->bind.settings);
    close(s->log);
    close(s->written);
}

/* What is told when so many seconds are left. */
static const char *told(scene *s, int64_t left, char out[1024])
{
    app_renew_look(s->renew, s->until - left);
    ssize_t n = read(s->log, out, 1023);
    out[n > 0 ? n : 0] = '\0';
    return out;
}

static void each_step_once(void **state)
{
    (void)state;
    scene s;
    char out[1024];
    open_scene(&s);
    assert_string_equal(told(&s, 15 * DAY, out), "");
    assert_string_equal(told(&s, 14 * DAY, out), "");
    assert_non_null(
        strstr(told(&s, 14 * DAY - 1, out), "event=certificate_expires domain=example.org"));
    assert_non_null(strstr(out, "level=warn"));
    assert_non_null(strstr(out, "days=13"));
    assert_string_equal(told(&s, 10 * DAY, out), "");
    assert_non_null(strstr(told(&s, 3 * DAY - 1, out), "event=certificate_expires"));
    assert_non_null(strstr(out, "days=2"));
    assert_string_equal(told(&s, 0, out), "");
    assert_non_null(strstr(told(&s, -1, out), "event=certificate_expired domain=example.org"));
    assert_non_null(strstr(out, "level=error"));
    assert_non_null(strstr(out, "days=0"));
    assert_string_equal(told(&s, -5 * DAY, out), "");
    close_scene(&s);
}

/* Whoever starts it late hears of the latest step alone. */
static void started_late(void **state)
{
    (void)state;
    scene s;
    char out[1024];
    open_scene(&s);
    assert_non_null(strstr(told(&s, -2 * DAY, out), "event=certificate_expired"));
    assert_null(strstr(out, "event=certificate_expires "));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_once),
        cmocka_unit_test(started_late),
    };
    return cmocka_run_group_tests_name("renew", tests, fixture_make, fixture_remove);
}
