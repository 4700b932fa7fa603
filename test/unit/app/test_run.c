/* The daemon as a whole: it starts with everything or with nothing, answers, and ends as it is told. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "app/admin.h"
#include "app/commands.h"
#include "fixture.h"
#include "io/addr.h"

enum { PATIENCE = 20000 /* ms */ };

static struct sockaddr_in address(const char *host, uint16_t port)
{
    io_addr a;
    struct sockaddr_storage sa;
    struct sockaddr_in in;
    assert_int_equal(io_addr_parse(s2s_span_of(host), &a), S2S_E_OK);
    a.port = port;
    io_addr_to_sockaddr(&a, false, &sa);
    memcpy(&in, &sa, sizeof in);
    return in;
}

static int bound(const char *host, uint16_t port)
{
    struct sockaddr_in in = address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void write_settings(uint16_t port, const char *more)
{
    char text[1024];
    int n =
        snprintf(text, sizeof text,
                 "listen: {outside: [\"*:%u\"], inside: [\"127.0.0.9:%u\"], admin: admin.sock}\n"
                 "domains: {example.org: {server: hq, certificate: org.pem, key: org.key}}\n"
                 "servers: {hq: {address: \"127.0.0.10:%u\", trust: 127.0.0.10}}\n"
                 "tls: {ca: org.pem}\n"
                 "dns: {zone: []}\n%s",
                 port, port, port, more);
    fixture_write("run.yaml", text, (size_t)n, 0644);
}

/* A daemon in a child; what it logs can be read from *log. */
static pid_t start(int *log)
{
    int end[2];
    assert_int_equal(pipe2(end, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(end[1], STDERR_FILENO);
        _exit(app_command_run("run.yaml"));
    }
    close(end[1]);
    *log = end[0];
    return child;
}

/* Reads the log until a line holds `text`; false when it ended before. */
static bool reads(int log, const char *text)
{
    static char seen[65536];
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = log, .events = POLLIN};
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        assert_true(n + 1 < sizeof seen);
        if (read(log, seen + n, 1) != 1) return false;
        seen[++n] = '\0';
        if (strstr(seen, text)) return true;
    }
}

static int code_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void nothing_is_there(uint16_t port)
{
    struct sockaddr_in in = address("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    assert_int_equal(access("admin.sock", F_OK), -1);
}

static void keep(void *ctx, const char *bytes, size_t n)
{
    char *text = ctx;
    size_t len = strlen(text);
    if (len + n < 4096) memcpy(text + len, bytes, n);
}

static void it_serves_and_drains(void **state)
{
    (void)state;
    int log;
    char text[4096] = "";
    uint16_t port = fixture_port();
    write_settings(port, "");
    pid_t child = start(&log);
    assert_true(reads(log, "event=ready"));
    assert_int_equal(app_admin_ask("admin.sock", "ledger", keep, text), 0);
    assert_non_null(strstr(text, "\"balanced\":true"));
    kill(child, SIGHUP);
    assert_true(reads(log, "event=reloaded certificates=1"));
    kill(child, SIGTERM);
    assert_true(reads(log, "event=ledger way=inbound"));
    assert_true(reads(log, "event=ledger way=outbound"));
    assert_true(reads(log, "event=stopped"));
    assert_int_equal(code_of(child), APP_EXIT_OK);
    close(log);
    nothing_is_there(port);
}

/* A peer that has said nothing yet is there while it stops: it is told, and does not hold it up after the second signal. */
static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    int log;
    char got[4096];
    uint16_t port = fixture_port();
    struct sockaddr_in in = address("127.0.0.1", port);
    write_settings(port, "limits: {close: 60s, drain: 10m}\n");
    pid_t child = start(&log);
    assert_true(reads(log, "event=ready"));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    static const char head[] =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
        "from='far.example' to='example.org' version='1.0'>";
    assert_int_equal(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
    assert_true(recv(fd, got, sizeof got, 0) > 0);
    kill(child, SIGTERM);
    assert_true(reads(log, "event=stopping"));
    ssize_t n = recv(fd, got, sizeof got - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_non_null(strstr(got, "<system-shutdown "));
    kill(child, SIGTERM);
    assert_true(reads(log, "event=stopping_at_once"));
    assert_int_equal(code_of(child), APP_EXIT_OK);
    close(fd);
    close(log);
}

static void a_wrong_file_starts_nothing(void **state)
{
    (void)state;
    int log;
    uint16_t port = fixture_port();
    write_settings(port, "doubt: perhaps\n");
    pid_t child = start(&log);
    assert_true(reads(log, "run.yaml:6:8: doubt: \"perhaps\" is none of its words"));
    assert_false(reads(log, "event=ready"));
    assert_int_equal(code_of(child), APP_EXIT_NO);
    close(log);
    nothing_is_there(port);
}

static void an_address_in_use_starts_nothing(void **state)
{
    (void)state;
    int log;
    uint16_t port = fixture_port();
    int fd = bound("127.0.0.9", port);
    assert_int_equal(listen(fd, 1), 0);
    write_settings(port, "");
    pid_t child = start(&log);
    assert_true(reads(log, "cannot listen on "));
    assert_false(reads(log, "event=ready"));
    assert_int_equal(code_of(child), APP_EXIT_NO);
    close(log);
    nothing_is_there(port);
    close(fd);
}

static void a_second_daemon_starts_nothing(void **state)
{
    (void)state;
    int log, second_log;
    char text[4096] = "";
    uint16_t port = fixture_port();
    write_settings(port, "");
    pid_t child = start(&log);
    assert_true(reads(log, "event=ready"));
    pid_t second = start(&second_log);
    assert_true(reads(second_log, "address already in use"));
    assert_int_equal(code_of(second), APP_EXIT_NO);
    assert_int_equal(app_admin_ask("admin.sock", "ledger", keep, text), 0); /* the first goes on */
    kill(child, SIGINT);
    assert_int_equal(code_of(child), APP_EXIT_OK);
    close(log);
    close(second_log);
}

/* ---- certificates that are replaced ---- */

/* The certificate a client of TLS (XEP-0368) is shown. */
static X509 *shown(uint16_t port)
{
    struct sockaddr_in in = address("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    assert_non_null(ssl);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_set_tlsext_host_name(ssl, "example.org"), 1);
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\013xmpp-server", 12), 0);
    assert_int_equal(SSL_connect(ssl), 1);
    X509 *leaf = SSL_get1_peer_certificate(ssl);
    assert_non_null(leaf);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return leaf;
}

static bool shows(uint16_t port, const char *file)
{
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    X509 *want = PEM_read_X509(in, NULL, NULL, NULL), *leaf = shown(port);
    assert_non_null(want);
    bool yes = X509_cmp(want, leaf) == 0;
    X509_free(want);
    X509_free(leaf);
    fclose(in);
    return yes;
}

/* As certbot does it: a new file takes the place of the old one. */
static void replace(const char *by, const char *file, unsigned mode)
{
    size_t len;
    char *text = fixture_read(by, &len);
    fixture_write("fresh", text, len, mode);
    assert_int_equal(rename("fresh", file), 0);
    free(text);
}

static void a_certificate_is_renewed(void **state)
{
    (void)state;
    int log;
    uint16_t port = fixture_port();
    replace("org.pem", "kept.pem", 0644);
    replace("org.key", "kept.key", 0600);
    write_settings(port, "");
    pid_t child = start(&log);
    assert_true(reads(log, "event=ready"));
    assert_true(shows(port, "kept.pem"));
    /* The certificate first: it does not fit the key, and the old pair stays. */
    replace("next.pem", "org.pem", 0644);
    kill(child, SIGHUP);
    assert_true(reads(log, "event=certificate_kept domain=example.org file="));
    assert_true(reads(log, "event=reloaded certificates=0"));
    assert_true(shows(port, "kept.pem"));
    /* Then the key, and nobody says so. */
    replace("next.key", "org.key", 0600);
    assert_true(reads(log, "event=certificate_renewed domain=example.org file="));
    assert_true(reads(log, "event=certificate_expires domain=example.org file="));
    assert_true(reads(log, "days=9"));
    assert_true(shows(port, "next.pem"));
    /* One of somebody else. */
    replace("net.pem", "org.pem", 0644);
    replace("net.key", "org.key", 0600);
    kill(child, SIGHUP);
    assert_true(reads(log, "why=\"it does not name all the domains that show it\""));
    assert_true(shows(port, "next.pem"));
    replace("kept.pem", "org.pem", 0644);
    replace("kept.key", "org.key", 0600);
    kill(child, SIGHUP);
    assert_true(reads(log, "event=reloaded certificates=1"));
    assert_true(shows(port, "kept.pem"));
    kill(child, SIGTERM);
    assert_true(reads(log, "event=stopped"));
    assert_int_equal(code_of(child), APP_EXIT_OK);
    close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_serves_and_drains),
        cmocka_unit_test(a_second_signal_ends_it_at_once),
        cmocka_unit_test(a_wrong_file_starts_nothing),
        cmocka_unit_test(an_address_in_use_starts_nothing),
        cmocka_unit_test(a_second_daemon_starts_nothing),
        cmocka_unit_test(a_certificate_is_renewed),
    };
    return cmocka_run_group_tests_name("run", tests, fixture_make, fixture_remove);
}
