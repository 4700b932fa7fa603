/* test_queue.c - items and queues: order, caps, age. */
#include "leaves.h"

#include <stdio.h>

#include "fed/queue.h"

static fed_item *item_of(const char *id, uint64_t now)
{
    s2s_stanza st =
        stanza_of(S2S_MESSAGE, "juliet@example.org/balcony", "romeo@far.example", id, NULL);
    fed_item *item = fed_item_new(&st, FED_OUTBOUND, now);
    assert_non_null(item);
    return item;
}

static void put(fed_queue *q, const char *id, uint64_t now)
{
    assert_int_equal(fed_queue_put(q, item_of(id, now)), S2S_E_OK);
}

/* Takes all and compares the ids, e.g. "1 2 3". */
static void expect(fed_queue *q, const char *ids)
{
    char seen[128] = "";
    size_t at = 0;
    for (fed_item *item = fed_queue_take(q); item != NULL; item = fed_queue_take(q)) {
        at += (size_t)snprintf(seen + at, sizeof seen - at, "%s%.*s", at > 0 ? " " : "",
                               (int)item->id.len, item->id.ptr);
        fed_item_free(item);
    }
    assert_string_equal(seen, ids);
    assert_int_equal(q->bytes, 0);
    assert_int_equal(q->stanzas, 0);
    assert_null(q->head);
    assert_null(q->tail);
}

static void item_keeps_what_the_stream_lent(void **state)
{
    (void)state;
    char from[] = "juliet@example.org/balcony", bytes[] = "<iq/>";
    s2s_stanza st = stanza_of(S2S_IQ, from, "far.example", "a'b", "get");
    st.bytes = s2s_span_of(bytes);
    st.lang = S2S_LIT("cs");
    fed_item *item = fed_item_new(&st, FED_INBOUND, 77);
    memset(from, 'x', sizeof from - 1);
    memset(bytes, 'x', sizeof bytes - 1);

    s2s_stanza view;
    fed_item_view(item, &view);
    assert_int_equal(view.kind, S2S_IQ);
    assert_true(s2s_span_is(view.from, "juliet@example.org/balcony"));
    assert_true(s2s_span_is(view.to, "far.example"));
    assert_string_equal(view.from_domain.text, "example.org");
    assert_string_equal(view.to_domain.text, "far.example");
    assert_true(s2s_domain_eq(&view.to_domain, &st.to_domain));
    assert_true(s2s_span_is(view.id, "a'b"));
    assert_true(s2s_span_is(view.type, "get"));
    assert_true(s2s_span_is(view.lang, "cs"));
    assert_true(s2s_span_is(view.bytes, "<iq/>"));
    assert_int_equal(item->accepted_at, 77);
    assert_int_equal(item->way, FED_INBOUND);
    assert_true(item->may_bounce);
    assert_true(item->size > sizeof *item);
    fed_item_free(item);
}

static void absent_stays_absent(void **state)
{
    (void)state;
    s2s_stanza st = stanza_of(S2S_MESSAGE, "example.org", "far.example", NULL, "error");
    fed_item *item = fed_item_new(&st, FED_OUTBOUND, 0);
    s2s_stanza view;
    fed_item_view(item, &view);
    assert_null(view.id.ptr);
    assert_null(view.lang.ptr);
    assert_false(item->may_bounce); /* no error for an error */
    fed_item_free(item);
    fed_item_free(NULL);
}

static void first_in_first_out(void **state)
{
    (void)state;
    fed_queue q;
    fed_queue_init(&q, 0, NULL);
    assert_null(fed_queue_peek(&q));
    assert_null(fed_queue_take(&q));
    put(&q, "1", 0);
    put(&q, "2", 0);
    put(&q, "3", 0);
    assert_true(s2s_span_is(fed_queue_peek(&q)->id, "1"));
    assert_int_equal(q.stanzas, 3);
    expect(&q, "1 2 3");
    fed_queue_fini(&q);
}

static void what_comes_back_goes_first_in_order(void **state)
{
    (void)state;
    fed_queue_total total = {.cap = 0};
    fed_queue q, back;
    fed_queue_init(&q, 0, &total);
    fed_queue_init(&back, 0, &total);
    put(&back, "1", 0);
    put(&back, "2", 0);
    put(&q, "3", 0);
    put(&q, "4", 0);
    fed_queue_prepend(&q, &back);
    assert_int_equal(total.stanzas, 4);
    assert_int_equal(total.bytes, q.bytes);
    assert_int_equal(back.stanzas, 0);
    fed_queue_put_front(&q, item_of("0", 0));
    expect(&q, "0 1 2 3 4");
    assert_int_equal(total.bytes, 0);

    /* Empty on either side. */
    fed_queue_prepend(&q, &back);
    expect(&q, "");
    put(&back, "5", 0);
    fed_queue_prepend(&q, &back);
    fed_queue_prepend(&q, &back);
    put(&q, "6", 0);
    put(&back, "7", 0);
    fed_queue_append(&q, &back);
    expect(&q, "5 6 7");
    fed_queue_put_front(&q, item_of("8", 0));
    put(&q, "9", 0);
    expect(&q, "8 9");
}

static void caps_hold_in_bytes(void **state)
{
    (void)state;
    fed_item *item = item_of("1", 0);
    size_t size = item->size;
    fed_queue_total total = {.cap = size * 3};
    fed_queue a, b;
    fed_queue_init(&a, size * 2, &total);
    fed_queue_init(&b, size * 2 + size / 2, &total);

    assert_int_equal(fed_queue_put(&a, item), S2S_E_OK);
    put(&a, "2", 0); /* exactly full */
    item = item_of("3", 0);
    assert_int_equal(fed_queue_put(&a, item), S2S_E_FULL);
    assert_int_equal(fed_queue_put(&b, item), S2S_E_OK);
    item = item_of("4", 0);
    assert_int_equal(fed_queue_put(&b, item), S2S_E_FULL); /* the total's cap */
    assert_int_equal(total.bytes, size * 3);

    /* What was accepted before comes back whatever the caps say, and then nothing new fits. */
    fed_queue_put_front(&a, item);
    assert_int_equal(a.stanzas, 3);
    item = item_of("5", 0);
    assert_int_equal(fed_queue_put(&a, item), S2S_E_FULL);
    fed_item_free(item);
    expect(&a, "4 1 2");
    put(&b, "6", 0); /* room again */
    item = item_of("7", 0);
    assert_int_equal(fed_queue_put(&b, item), S2S_E_FULL); /* b's own cap: half an item is left */
    fed_item_free(item);
    fed_queue_fini(&b);
    assert_int_equal(total.bytes, 0);
    assert_int_equal(total.stanzas, 0);
}

static void old_ones_expire(void **state)
{
    (void)state;
    fed_queue q;
    fed_queue_init(&q, 0, NULL);
    assert_true(fed_queue_deadline(&q, 30000) == UINT64_MAX);
    assert_null(fed_queue_expire(&q, UINT64_MAX - 1, 30000));
    put(&q, "1", 1000);
    put(&q, "2", 1000);
    put(&q, "3", 1001);
    assert_true(fed_queue_deadline(&q, 30000) == 31000);
    assert_null(fed_queue_expire(&q, 30999, 30000));
    for (int i = 1; i <= 2; i++) {
        fed_item *item = fed_queue_expire(&q, 31000, 30000);
        assert_non_null(item);
        assert_int_equal(item->id.ptr[0], '0' + i);
        fed_item_free(item);
    }
    assert_null(fed_queue_expire(&q, 31000, 30000));
    expect(&q, "3");
}

static void counts_only_what_counts(void **state)
{
    (void)state;
    fed_queue q;
    fed_queue_init(&q, 0, NULL);
    put(&q, "1", 0);
    put(&q, "2", 0);
    put(&q, "3", 0);
    assert_int_equal(fed_queue_counted(&q), 3);
    q.head->own = true;
    q.tail->resent = true;
    assert_int_equal(fed_queue_counted(&q), 1);
    fed_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_keeps_what_the_stream_lent),
        cmocka_unit_test(absent_stays_absent),
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(what_comes_back_goes_first_in_order),
        cmocka_unit_test(caps_hold_in_bytes),
        cmocka_unit_test(old_ones_expire),
        cmocka_unit_test(counts_only_what_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
