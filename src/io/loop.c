/* loop.c - see loop.h. */
#include "io/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "io/loop_priv.h"

/* A flush may ask for another one (a stanza moved on by what was sent). After so many rounds the rest waits for the next
 * turn, so that two busy connections cannot keep all others from being read. */
enum { FLUSH_ROUNDS = 4 };

/* Closed handles go within one; others may close one from the call back of another. */
enum { CLOSE_TURNS = 8 };

/* ---- tasks ---- */

void io_task_init(io_task *t, void (*run)(void *ctx), void *ctx)
{
    *t = (io_task){NULL, NULL, run, ctx};
}

static void list_init(io_list *list)
{
    *list = (io_list){list, list, NULL, NULL};
}

static bool list_empty(const io_list *list)
{
    return list->next == list;
}

void io_task_put(io_list *list, io_task *t)
{
    if (t->next) return;
    t->next = list;
    t->prev = list->prev;
    list->prev->next = t;
    list->prev = t;
}

void io_task_drop(io_task *t)
{
    if (!t->next) return;
    t->next->prev = t->prev;
    t->prev->next = t->next;
    t->next = t->prev = NULL;
}

/* Runs what stands on the list now; what is put there meanwhile stays. */
static void list_run(io_list *list)
{
    if (list_empty(list)) return;
    io_list batch = *list;
    batch.next->prev = &batch;
    batch.prev->next = &batch;
    list_init(list);
    while (!list_empty(&batch)) {
        io_task *t = batch.next;
        io_task_drop(t);
        t->run(t->ctx);
    }
}

/* ---- the turn ---- */

static void run_flush(io_loop *l)
{
    for (int round = 0; round < FLUSH_ROUNDS && !list_empty(&l->flush); round++)
        list_run(&l->flush);
}

io_list *io_rank_list(io_loop *l, io_rank rank)
{
    switch (rank) {
    case IO_RANK_SETTLED: return NULL;
    case IO_RANK_FAVOURED: return &l->favoured;
    case IO_RANK_NEW: break;
    }
    return &l->newcomers;
}

static bool run_newcomer(io_loop *l)
{
    io_list *list = list_empty(&l->favoured) ? &l->newcomers : &l->favoured;
    if (list_empty(list)) return false;
    io_task *t = list->next;
    io_task_drop(t);
    t->run(t->ctx);
    return true;
}

static void run_newcomers(io_loop *l)
{
    if (list_empty(&l->favoured) && list_empty(&l->newcomers)) return;
    uint64_t end = uv_hrtime() + (uint64_t)l->set.newcomers_us * 1000;
    while (run_newcomer(l) && uv_hrtime() < end) {
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* The last thing before the loop sleeps: what the turn before had left to do, and what timers have put on the list. */
static void on_prepare(uv_prepare_t *prepare)
{
    io_loop *l = prepare->data;
    list_run(&l->again);
    run_newcomers(l);
    run_flush(l);
    if (list_empty(&l->flush) && list_empty(&l->again) && list_empty(&l->favoured) &&
        list_empty(&l->newcomers))
        uv_idle_stop(&l->idle);
    else
        uv_idle_start(&l->idle, on_idle);
}

static void on_check(uv_check_t *check)
{
    run_flush(check->data);
}

/* ---- timers: a pairing heap, nothing is allocated ---- */

static io_timer *meld(io_timer *a, io_timer *b)
{
    if (!a) return b;
    if (!b) return a;
    if (b->at < a->at) {
        io_timer *first = b;
        b = a;
        a = first;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child) a->child->prev = b;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: two by two, then all together from the end. */
static io_timer *meld_siblings(io_timer *first)
{
    io_timer *pairs = NULL;
    while (first) {
        io_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    io_timer *root = NULL;
    while (pairs) {
        io_timer *rest = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void heap_cut(io_loop *l, io_timer *t)
{
    if (t == l->timers) {
        l->timers = meld_siblings(t->child);
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next) t->next->prev = t->prev;
        l->timers = meld(l->timers, meld_siblings(t->child));
    }
    t->child = t->next = t->prev = NULL;
    t->armed = false;
}

static void on_clock(uv_timer_t *clock);

static void clock_set(io_loop *l)
{
    uint64_t at = l->timers ? l->timers->at : UINT64_MAX, now = uv_now(&l->uv);
    if (l->in_timers || at == l->clock_at) return;
    l->clock_at = at;
    if (at == UINT64_MAX)
        uv_timer_stop(&l->clock);
    else
        uv_timer_start(&l->clock, on_clock, at > now ? at - now : 0, 0);
}

static void on_clock(uv_timer_t *clock)
{
    io_loop *l = clock->data;
    l->in_timers = true;
    while (l->timers && l->timers->at <= uv_now(&l->uv)) {
        io_timer *t = l->timers;
        heap_cut(l, t);
        t->due(t->ctx);
    }
    l->in_timers = false;
    l->clock_at = UINT64_MAX;
    clock_set(l);
}

void io_timer_set(io_loop *l, io_timer *t, uint64_t at, void (*due)(void *ctx), void *ctx)
{
    io_timer_clear(l, t);
    if (at == UINT64_MAX) return;
    /* Set from inside a timer for "at once": next turn, or one that always does so would stop the loop. */
    if (l->in_timers && at <= uv_now(&l->uv)) at = uv_now(&l->uv) + 1;
    *t = (io_timer){.at = at, .due = due, .ctx = ctx, .armed = true};
    l->timers = meld(l->timers, t);
    clock_set(l);
}

void io_timer_clear(io_loop *l, io_timer *t)
{
    if (!t->armed) return;
    heap_cut(l, t);
    clock_set(l);
}

/* ---- life ---- */

void io_loop_settings_init(io_loop_settings *s)
{
    *s = (io_loop_settings){.reserve = 8,
                            .accepts = 8,
                            .newcomers_us = 100,
                            .read_budget = 262144,
                            .write_budget = 262144,
                            .user_timeout_ms = 60000,
                            .keepalive_s = 60,
                            .close_ms = 5000,
                            .send_buffer = 131072};
}

static void start_handles(io_loop *l)
{
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->idle);
    uv_timer_init(&l->uv, &l->clock);
    l->prepare.data = l->check.data = l->idle.data = l->clock.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
}

static void close_handles(io_loop *l)
{
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->clock, NULL);
    for (int turn = 0; turn < CLOSE_TURNS && uv_loop_alive(&l->uv); turn++)
        uv_run(&l->uv, UV_RUN_NOWAIT);
}

io_loop *io_loop_new(const io_loop_settings *settings)
{
    S2S_ASSERT(settings->reserve <= IO_RESERVE_MAX);
    io_loop *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
    l->set = *settings;
    l->clock_at = UINT64_MAX;
    list_init(&l->flush);
    list_init(&l->again);
    list_init(&l->favoured);
    list_init(&l->newcomers);
    list_init(&l->closing);
    list_init(&l->listeners);
    start_handles(l);
    if (!io_reserve_take(l)) {
        io_loop_free(l);
        return NULL;
    }
    return l;
}

uv_loop_t *io_loop_uv(io_loop *l)
{
    return &l->uv;
}

uint64_t io_loop_now(const io_loop *l)
{
    return uv_now(&l->uv);
}

void io_loop_run(io_loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void io_loop_stop(io_loop *l)
{
    uv_stop(&l->uv);
}

void io_loop_turn(io_loop *l, bool wait)
{
    uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void io_loop_free(io_loop *l)
{
    if (!l) return;
    list_run(&l->closing);
    S2S_ASSERT(list_empty(&l->listeners));
    io_timer_clear(l, &l->retry);
    io_task_drop(&l->recover);
    io_reserve_drop(l);
    close_handles(l);
    S2S_ASSERT(!l->timers);
    int busy = uv_loop_close(&l->uv);
    S2S_ASSERT(busy == 0);
    free(l);
}
