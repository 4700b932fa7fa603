/* The admin socket: its file, its questions, and clients that misbehave. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/admin.h"
#include "fixture.h"

enum { PAIRS = 20000 };

static char flushed[256];
static unsigned pairs;

static app_status *picture(void *ctx)
{
    (void)ctx;
    static const app_status_facts facts = {.version = "0.1.0"};
    app_status *s = app_status_new(&facts);
    fed_pair_view p = {.why = "", .way = FED_INBOUND};
    assert_int_equal(s2s_domain_make(S2S_LIT("far.example"), &p.from), S2S_E_OK);
    p.to = p.from;
    for (unsigned i = 0; i < pairs; i++)
        app_status_add_pair(s, &p);
    return s;
}

static void flush(void *ctx, const s2s_domain *remote)
{
    (void)ctx;
    snprintf(flushed, sizeof flushed, "%s", remote->text);
}

typedef struct desk {
    uv_loop_t loop;
    app_admin *admin;
} desk;

static const char PATH[] = "admin.sock";

static int open_desk(void **state)
{
    const char *why = NULL;
    const app_admin_desk ops = {picture, flush, NULL};
    desk *d = calloc(1, sizeof *d);
    assert_non_null(d);
    pairs = 2;
    flushed[0] = '\0';
    assert_int_equal(uv_loop_init(&d->loop), 0);
    int fd = app_admin_bind(PATH, 0600, &why);
    assert_true(fd >= 0);
    d->admin = app_admin_new(&d->loop, fd, PATH, &ops);
    *state = d;
    return 0;
}

static int close_desk(void **state)
{
    desk *d = *state;
    app_admin_free(d->admin);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&d->loop), 0); /* every handle and client is gone */
    assert_int_equal(access(PATH, F_OK), -1);
    free(d);
    return 0;
}

static int dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, PATH, sizeof PATH);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Turns the loop and reads until the other end closes; for free(). */
static char *answer(desk *d, int fd)
{
    size_t len = 0, size = 1 << 23;
    char *text = calloc(1, size);
    assert_non_null(text);
    for (;;) {
        uv_run(&d->loop, UV_RUN_NOWAIT);
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n == 0) break;
        if (n < 0) assert_int_equal(errno, EAGAIN);
        if (n > 0) len += (size_t)n;
    }
    close(fd);
    return text;
}

static void expect(desk *d, const char *question, const char *begins)
{
    int fd = dial();
    put(fd, question);
    char *text = answer(d, fd);
    if (strncmp(text, begins, strlen(begins)) != 0) fail_msg("%s: %s", question, text);
    free(text);
}

static void questions(void **state)
{
    desk *d = *state;
    expect(d, "status json\n", "{\"version\":\"0.1.0\"");
    expect(d, "status text\n", "causeway 0.1.0, up ");
    expect(d, "ledger\r\n", "{\"inbound\":{");
    expect(d, "flush Far.Example.\n", "ok\n");
    assert_string_equal(flushed, "far.example");
    expect(d, "flush not a domain\n", "error: that is not a domain\n");
    expect(d, "flush \n", "error: ");
    expect(d, "reload\n", "error: the questions are");
    expect(d, "\n", "error: the questions are");
}

static void a_question_in_pieces(void **state)
{
    desk *d = *state;
    int fd = dial();
    for (const char *p = "ledger"; *p; p++) {
        assert_int_equal(write(fd, p, 1), 1);
        uv_run(&d->loop, UV_RUN_NOWAIT);
        assert_int_equal(read(fd, (char[1]){0}, 1), -1);
    }
    put(fd, "\nand more which nobody reads\n");
    char *text = answer(d, fd);
    assert_int_equal(strncmp(text, "{\"inbound\"", 10), 0);
    free(text);
}

static void a_question_without_end(void **state)
{
    desk *d = *state;
    char many[APP_ADMIN_LINE + 1];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    expect(d, many, "error: the question is too long\n");
}

static void clients_that_leave(void **state)
{
    desk *d = *state;
    for (unsigned i = 0; i < 100; i++) {
        int fd = dial();
        if (i % 2) put(fd, "status json\n");
        if (i % 3 == 0) uv_run(&d->loop, UV_RUN_NOWAIT);
        close(fd);
        uv_run(&d->loop, UV_RUN_NOWAIT);
    }
    expect(d, "ledger\n", "{\"inbound\":{");
}

/* A slow reader holds one picture and one piece: the loop goes on, and others are served meanwhile. */
static void a_slow_reader(void **state)
{
    desk *d = *state;
    pairs = PAIRS;
    int slow = dial();
    put(slow, "status json\n");
    for (unsigned i = 0; i < 50; i++)
        uv_run(&d->loop, UV_RUN_NOWAIT);
    pairs = 1;
    expect(d, "ledger\n", "{\"inbound\":{");
    char *text = answer(d, slow);
    size_t len = strlen(text);
    assert_true(len > PAIRS * 100);
    assert_string_equal(text + len - 3, "}}\n");
    free(text);
}

/* More clients than places: they wait in the kernel and are served when there is room. */
static void many_clients(void **state)
{
    desk *d = *state;
    enum { MANY = APP_ADMIN_CLIENTS + 4 };
    int fd[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = dial();
        uv_run(&d->loop, UV_RUN_NOWAIT);
    }
    for (unsigned i = 0; i < MANY; i++)
        put(fd[i], "flush far.example\n");
    for (unsigned i = 0; i < MANY; i++) {
        char *text = answer(d, fd[i]);
        assert_string_equal(text, "ok\n");
        free(text);
    }
}

static void half_closed_after_the_question(void **state)
{
    desk *d = *state;
    int fd = dial();
    put(fd, "ledger\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    char *text = answer(d, fd);
    assert_int_equal(strncmp(text, "{\"inbound\"", 10), 0);
    free(text);
}

/* ---- the file ---- */

static void permissions(void **state)
{
    (void)state;
    struct stat st;
    const char *why = NULL;
    for (unsigned mode = 0600; mode <= 0660; mode += 060) {
        int fd = app_admin_bind(PATH, mode, &why);
        assert_true(fd >= 0);
        assert_int_equal(lstat(PATH, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 0777, mode);
        close(fd); /* stale now: the next one replaces it */
    }
    unlink(PATH);
}

static void what_is_not_replaced(void **state)
{
    (void)state;
    const char *why = NULL;
    fixture_write(PATH, "x", 1, 0600);
    assert_int_equal(app_admin_bind(PATH, 0600, &why), -1);
    assert_string_equal(why, "something that is not a socket stands there");
    assert_int_equal(access(PATH, F_OK), 0);
    unlink(PATH);
    int fd = app_admin_bind(PATH, 0600, &why);
    assert_true(fd >= 0);
    assert_int_equal(app_admin_bind(PATH, 0600, &why), -1);
    assert_string_equal(why, "another daemon is listening there");
    close(fd);
    unlink(PATH);
    assert_int_equal(app_admin_bind("absent/admin.sock", 0600, &why), -1);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(a_question_in_pieces, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(a_question_without_end, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(clients_that_leave, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(a_slow_reader, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(many_clients, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(half_closed_after_the_question, open_desk, close_desk),
        cmocka_unit_test(permissions),
        cmocka_unit_test(what_is_not_replaced),
    };
    return cmocka_run_group_tests_name("admin", tests, fixture_make, fixture_remove);
}
