/* Log lines: their form, floods, and a reader that does not read. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/log.h"

static uint64_t now; /* ms: both clocks */

static uint64_t fake_clock(void)
{
    return now;
}

static const app_log_clock CLOCK = {fake_clock, fake_clock};

/* All that can be read now, NUL-terminated; for free(). */
static char *read_all(int fd, size_t *len)
{
    size_t size = 1 << 20;
    char *text = calloc(1, size);
    assert_non_null(text);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    *len = 0;
    for (ssize_t n; (n = read(fd, text + *len, size - 1 - *len)) > 0;)
        *len += (size_t)n;
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

typedef struct pair {
    int end[2];
    app_log *log;
} pair;

static pair open_pipe(void)
{
    pair p;
    now = 1764043262345; /* 2025-11-25T04:01:02.345Z */
    assert_int_equal(pipe(p.end), 0);
    p.log = app_log_new(p.end[1], FED_INFO);
    app_log_use_clock(p.log, &CLOCK);
    return p;
}

static void close_pipe(pair *p)
{
    app_log_free(p->log);
    close(p->end[0]);
    close(p->end[1]);
}

static void form_of_a_line(void **state)
{
    (void)state;
    pair p = open_pipe();
    size_t len = 0;
    app_log_say(p.log, FED_NOTICE, "link_up", "peer", "[2001:db8::1]:5269", "domain", "far.example",
                "text", "two words", "empty", "", NULL);
    app_log_say(p.log, FED_DEBUG, "unseen", "a", "b", NULL);
    char *text = read_all(p.end[0], &len);
    assert_string_equal(
        text, "time=2025-11-25T04:01:02.345Z level=notice event=link_up "
              "peer=[2001:db8::1]:5269 domain=far.example text=\"two words\" empty=\"\"\n");
    free(text);
    close_pipe(&p);
}

/* rows: prac-log */
static void values_of_strangers(void **state)
{
    (void)state;
    char out[4096];
    size_t n = app_log_value((s2s_span){"a\nb\"c\\d\0e\x7f\xc3\xa9", 12}, out, sizeof out);
    out[n] = '\0';
    assert_string_equal(out, "\"a\\nb\\\"c\\\\d\\x00e\\x7f\\xc3\\xa9\"");
    n = app_log_value(S2S_LIT("x=y"), out, sizeof out);
    out[n] = '\0';
    assert_string_equal(out, "\"x=y\"");
    char many[2000];
    memset(many, 1, sizeof many);
    n = app_log_value((s2s_span){many, sizeof many}, out, sizeof out);
    assert_int_equal(n, 1 + 4 * 512 + 4);
    assert_memory_equal(out + n - 4, "...\"", 4);
}

static void a_line_has_a_bound(void **state)
{
    (void)state;
    pair p = open_pipe();
    char many[512];
    fed_field fields[12];
    size_t len = 0;
    memset(many, 2, sizeof many);
    for (size_t i = 0; i < 12; i++)
        fields[i] = (fed_field){"k", {many, sizeof many}};
    app_log_write(p.log, FED_INFO, "long", fields, 12);
    char *text = read_all(p.end[0], &len);
    assert_true(len > 2048 && len <= APP_LOG_LINE);
    assert_int_equal(count(text, "\n"), 1);
    assert_int_equal(text[len - 1], '\n');
    free(text);
    close_pipe(&p);
}

/* rows: prac-log */
static void a_flood_of_one_kind_is_counted(void **state)
{
    (void)state;
    pair p = open_pipe();
    size_t len = 0;
    for (unsigned i = 0; i < 1000; i++)
        app_log_say(p.log, FED_INFO, "conn_refused", "why", "head_timeout", NULL);
    app_log_say(p.log, FED_INFO, "conn_refused", "why", "idle",
                NULL); /* another why is not held back */
    char *text = read_all(p.end[0], &len);
    assert_int_equal(count(text, "why=head_timeout"), APP_LOG_KIND_RATE);
    assert_int_equal(count(text, "why=idle"), 1);
    assert_int_equal(app_log_held_back(p.log), 1000 - APP_LOG_KIND_RATE);
    free(text);
    now += 1000;
    app_log_tick(p.log);
    text = read_all(p.end[0], &len);
    assert_non_null(strstr(text, "event=log_held_back of=conn_refused:head_timeout lines=990\n"));
    free(text);
    app_log_say(p.log, FED_INFO, "conn_refused", "why", "head_timeout", NULL);
    text = read_all(p.end[0], &len);
    assert_int_equal(count(text, "why=head_timeout"), 1);
    free(text);
    close_pipe(&p);
}

static void one_event_of_many_domains_is_counted(void **state)
{
    (void)state;
    pair p = open_pipe();
    size_t len = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char domain[32];
        snprintf(domain, sizeof domain, "r%u.example", i);
        app_log_say(p.log, FED_INFO, "pair_open", "from", domain, NULL);
    }
    char *text = read_all(p.end[0], &len);
    assert_int_equal(count(text, "event=pair_open"), APP_LOG_EVENT_RATE);
    free(text);
    close_pipe(&p);
}

/* Nothing waits; what did not fit is counted, and told as soon as there is room. */
static void a_reader_that_does_not_read(void **state)
{
    (void)state;
    pair p = open_pipe();
    size_t len = 0, lines = 20000;
    app_log_least(p.log, FED_DEBUG); /* debug lines are not held back */
    for (size_t i = 0; i < lines; i++)
        app_log_say(p.log, FED_DEBUG, "busy", "text", "some forty characters of text in each line",
                    NULL);
    assert_true(app_log_dropped(p.log) > 0);
    size_t seen = 0, told = 0;
    for (unsigned i = 0; i < 100; i++) {
        char *text = read_all(p.end[0], &len), *tail = strstr(text, "event=log_dropped lines=");
        seen += count(text, "event=busy");
        if (tail) told += strtoull(tail + strlen("event=log_dropped lines="), NULL, 10);
        free(text);
        app_log_tick(p.log);
    }
    assert_int_equal(seen + app_log_dropped(p.log), lines);
    assert_int_equal(told, app_log_dropped(p.log));
    close_pipe(&p);
}

/* The pipe is shared with whoever started us: its flags are not ours to change. */
static void the_descriptor_keeps_its_flags(void **state)
{
    (void)state;
    pair p = open_pipe();
    app_log_say(p.log, FED_INFO, "x", NULL);
    assert_int_equal(fcntl(p.end[1], F_GETFL) & O_NONBLOCK, 0);
    close_pipe(&p);
}

static void a_socket_as_stderr(void **state)
{
    (void)state;
    int end[2];
    size_t len = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
    app_log *l = app_log_new(end[1], FED_DEBUG);
    app_log_say(l, FED_INFO, "hello", NULL);
    for (unsigned i = 0; i < 50000; i++)
        app_log_say(l, FED_DEBUG, "busy", NULL);
    assert_true(app_log_dropped(l) > 0);
    char *text = read_all(end[0], &len);
    assert_non_null(strstr(text, "event=hello\n"));
    free(text);
    app_log_free(l);
    close(end[0]);
    close(end[1]);
}

static void a_reader_that_is_gone(void **state)
{
    (void)state;
    int end[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
    app_log *l = app_log_new(end[1], FED_DEBUG);
    close(end[0]);
    app_log_say(l, FED_INFO, "nobody", NULL);
    assert_int_equal(app_log_dropped(l), 1);
    app_log_free(l);
    close(end[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_of_a_line),
        cmocka_unit_test(values_of_strangers),
        cmocka_unit_test(a_line_has_a_bound),
        cmocka_unit_test(a_flood_of_one_kind_is_counted),
        cmocka_unit_test(one_event_of_many_domains_is_counted),
        cmocka_unit_test(a_reader_that_does_not_read),
        cmocka_unit_test(the_descriptor_keeps_its_flags),
        cmocka_unit_test(a_socket_as_stderr),
        cmocka_unit_test(a_reader_that_is_gone),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
