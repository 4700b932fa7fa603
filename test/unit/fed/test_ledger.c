/* test_ledger.c - every stanza ends once, and the sum is true at every moment. */
#include "leaves.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fed/ledger.h"

static fed_item *item_of(fed_way way, const char *type)
{
    s2s_stanza st = stanza_of(S2S_MESSAGE, "example.org", "far.example", "1", type);
    fed_item *item = fed_item_new(&st, way, 0);
    assert_non_null(item);
    return item;
}

static void expect_balanced(const fed_ledger *l, fed_way way, uint64_t queued)
{
    fed_ledger_view v;
    fed_ledger_copy(l, way, &v);
    assert_int_equal(v.queued, 0); /* never a counter */
    v.queued = queued;
    assert_true(fed_ledger_balanced(&v));
    v.queued = queued + 1;
    assert_false(fed_ledger_balanced(&v));
}

static void every_fate_has_its_counter(void **state)
{
    (void)state;
    fed_ledger l;
    fed_item *items[7];
    fed_ledger_init(&l);
    for (int i = 0; i < 7; i++) {
        items[i] = item_of(FED_OUTBOUND, NULL);
        fed_ledger_accepted(&l, items[i]);
        expect_balanced(&l, FED_OUTBOUND, (uint64_t)i + 1);
    }
    fed_ledger_acked(&l, items[0]);
    expect_balanced(&l, FED_OUTBOUND, 6);
    fed_ledger_written(&l, items[1]);
    fed_ledger_written(&l, items[2]);
    fed_ledger_bounced(&l, items[3], S2S_E_DNS_FAILED);
    fed_ledger_dropped(&l, items[4], S2S_E_UNBOUNCEABLE);
    fed_ledger_in_doubt(&l, items[5], S2S_E_IN_DOUBT);
    expect_balanced(&l, FED_OUTBOUND, 1);
    expect_balanced(&l, FED_INBOUND, 0); /* the other way is counted apart */

    fed_ledger_view v;
    fed_ledger_copy(&l, FED_OUTBOUND, &v);
    assert_int_equal(v.accepted, 7);
    assert_int_equal(v.acked, 1);
    assert_int_equal(v.written, 2);
    assert_int_equal(v.bounced, 1);
    assert_int_equal(v.dropped, 1);
    assert_int_equal(v.in_doubt, 1);
    assert_int_equal(items[3]->fate, FED_FATE_BOUNCED);
    fed_ledger_acked(&l, items[6]);
    for (int i = 0; i < 7; i++)
        fed_item_free(items[i]);
}

static void a_resent_copy_is_counted_apart(void **state)
{
    (void)state;
    fed_ledger l;
    fed_ledger_init(&l);
    fed_item *item = item_of(FED_INBOUND, NULL);
    fed_ledger_accepted(&l, item);
    for (int i = 0; i < 2; i++) { /* lost twice */
        fed_ledger_in_doubt(&l, item, S2S_E_IN_DOUBT);
        fed_ledger_resent(&l, item);
        assert_false(fed_item_counts(item));
        expect_balanced(&l, FED_INBOUND, 0);
    }
    fed_ledger_written(&l, item);
    fed_ledger_view v;
    fed_ledger_copy(&l, FED_INBOUND, &v);
    assert_int_equal(v.in_doubt, 1);
    assert_int_equal(v.written, 0);
    assert_int_equal(v.resent, 2);
    assert_int_equal(l.why[FED_WHAT_STANZA][S2S_E_IN_DOUBT], 2);
    fed_item_free(item);
}

static void our_own_errors_are_no_part_of_the_sum(void **state)
{
    (void)state;
    fed_ledger l;
    fed_ledger_init(&l);
    fed_item *item = item_of(FED_INBOUND, "error");
    fed_ledger_own(&l, item);
    fed_ledger_dropped(&l, item, S2S_E_LOCAL_DOWN);
    fed_ledger_view v;
    fed_ledger_copy(&l, FED_INBOUND, &v);
    assert_int_equal(v.own, 1);
    assert_int_equal(v.accepted, 0);
    assert_int_equal(v.dropped, 0);
    expect_balanced(&l, FED_INBOUND, 0);
    fed_item_free(item);
}

typedef struct seen {
    char text[256];
    size_t at;
} seen;

static void note(void *ctx, const char *what, const s2s_err_info *why, uint64_t count)
{
    seen *s = ctx;
    s->at += (size_t)snprintf(s->text + s->at, sizeof s->text - s->at, "%s %s %u; ", what,
                              why->name, (unsigned)count);
}

static void whys_are_counted_by_what_they_ended(void **state)
{
    (void)state;
    fed_ledger l;
    seen s = {.at = 0};
    fed_ledger_init(&l);
    fed_ledger_each_why(&l, note, &s);
    assert_string_equal(s.text, "");
    fed_ledger_why(&l, FED_WHAT_STANZA, S2S_E_FULL);
    fed_ledger_why(&l, FED_WHAT_LINK, S2S_E_TCP_EOF);
    fed_ledger_why(&l, FED_WHAT_ATTEMPT, S2S_E_TCP_REFUSED);
    fed_ledger_why(&l, FED_WHAT_ATTEMPT, S2S_E_TCP_REFUSED);
    fed_ledger_each_why(&l, note, &s);
    assert_string_equal(s.text, "link tcp_eof 1; attempt tcp_refused 2; stanza full 1; ");
}

/* ---- our own faults end the program ---- */

static bool dies(void (*fault)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        fault();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static fed_ledger ledger_for_faults;

static fed_item *accepted_item(const char *type)
{
    fed_item *item = item_of(FED_OUTBOUND, type);
    fed_ledger_init(&ledger_for_faults);
    fed_ledger_accepted(&ledger_for_faults, item);
    return item;
}

static void two_fates(void)
{
    fed_item *item = accepted_item(NULL);
    fed_ledger_written(&ledger_for_faults, item);
    fed_ledger_bounced(&ledger_for_faults, item, S2S_E_FULL);
}

static void no_fate(void)
{
    fed_item_free(accepted_item(NULL));
}

static void accepted_twice(void)
{
    fed_ledger_accepted(&ledger_for_faults, accepted_item(NULL));
}

static void never_accepted(void)
{
    fed_ledger_init(&ledger_for_faults);
    fed_ledger_written(&ledger_for_faults, item_of(FED_OUTBOUND, NULL));
}

static void error_for_an_error(void)
{
    fed_ledger_bounced(&ledger_for_faults, accepted_item("error"), S2S_E_FULL);
}

static void resent_without_doubt(void)
{
    fed_ledger_resent(&ledger_for_faults, accepted_item(NULL));
}

static void own_after_accepted(void)
{
    fed_ledger_own(&ledger_for_faults, accepted_item(NULL));
}

static void ended_with_no_error(void)
{
    fed_ledger_dropped(&ledger_for_faults, accepted_item(NULL), S2S_E_OK);
}

static void a_wrong_end_is_asserted(void **state)
{
    (void)state;
    assert_true(dies(two_fates));
    assert_true(dies(no_fate));
    assert_true(dies(accepted_twice));
    assert_true(dies(never_accepted));
    assert_true(dies(error_for_an_error));
    assert_true(dies(resent_without_doubt));
    assert_true(dies(own_after_accepted));
    assert_true(dies(ended_with_no_error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fate_has_its_counter),
        cmocka_unit_test(a_resent_copy_is_counted_apart),
        cmocka_unit_test(our_own_errors_are_no_part_of_the_sum),
        cmocka_unit_test(whys_are_counted_by_what_they_ended),
        cmocka_unit_test(a_wrong_end_is_asserted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
