/*
 * A turn of the loop is libuv's: timers, prepare, poll (sockets), check. What was deferred in a
 * turn - letters posted by this thread, timeouts of 0 ms - is done in prepare and in check, which
 * is outside every handler and before the loop can sleep.
 *
 * Timeouts sit in a hashed wheel of 100 ms slots. Moving one further away only stores its new due
 * time; the slot it sits in finds out when it comes round. A request therefore costs one store.
 */
#include "proxy/stream/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <unistd.h>

#define TICK_MS 100
#define WHEEL_SLOTS 512 /* 51.2 s: later timeouts are looked at once in each round */
#define ARENA_FIRST 16384

struct loop {
    uv_loop_t uv;
    uv_async_t posted;
    uv_timer_t ticker;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t awake; /* runs while something is deferred, so that the poll does not sleep */

    _Atomic(struct letter *) inbox; /* newest first */
    struct list due;                /* timeouts of 0 ms */
    struct list wheel[WHEEL_SLOTS];
    uint64_t tick;      /* the last one processed */
    uint64_t polled_ms; /* what had come by then is reported by the poll of this turn */
    uint64_t read_ms;   /* the same for the last poll whose handlers have been called */

    uint64_t held_us; /* what loop_now_us() says; 0: the clock is read */
    uint64_t turns;
    struct loop_tls *tls; /* NULL: not needed yet */
    struct loop_pipe pipe;
    bool has_pipe;
    struct buf out;
    struct arena arena;
    struct pool pool;
    struct pool guest_pool;
    size_t guests;
    struct pages pages;

    uint64_t wall_read_at; /* loop milliseconds */
    int64_t wall_ms;
    int64_t date_of; /* the second `date` shows */
    char date[DATE_LEN];

    alignas(16) char arena_first[ARENA_FIRST];
    char read_buffer[LOOP_READ_BUFFER];
};

/* The loop this thread runs: posting to it needs no wake-up. */
static _Thread_local struct loop *running;

/* ---- letters ---- */

bool loop_post(struct loop *loop, struct letter *letter)
{
    if (atomic_exchange_explicit(&letter->pending, 1, memory_order_acq_rel)) {
        return false;
    }
    struct letter *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do {
        letter->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, letter,
                                                    memory_order_release, memory_order_relaxed));
    if (!head && running != loop) {
        uv_async_send(&loop->posted);
    }
    return true;
}

static struct letter *reverse(struct letter *letter)
{
    struct letter *oldest = NULL;

    while (letter) {
        struct letter *next = letter->next;
        letter->next = oldest;
        oldest = letter;
        letter = next;
    }
    return oldest;
}

static bool deliver_letters(struct loop *loop)
{
    struct letter *letter =
        reverse(atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire));
    bool any = letter != NULL;

    while (letter) {
        struct letter *next = letter->next;
        /* an exchange, so that the call sees what was noted before a post that found it pending */
        atomic_exchange_explicit(&letter->pending, 0, memory_order_acq_rel);
        letter->call(letter);
        letter = next;
    }
    return any;
}

/* ---- timeouts ---- */

void timeout_init(struct timeout *timeout, void (*fire)(struct timeout *timeout))
{
    list_init(&timeout->link);
    timeout->due = 0;
    timeout->fire = fire;
}

static void link_timeout(struct loop *loop, struct timeout *timeout)
{
    uint64_t tick = (timeout->due + TICK_MS - 1) / TICK_MS;

    list_remove(&timeout->link);
    list_push_back(&loop->wheel[tick % WHEEL_SLOTS], &timeout->link);
}

void timeout_set(struct loop *loop, struct timeout *timeout, uint64_t ms)
{
    uint64_t due = loop_now_ms(loop) + ms;
    bool is_later = timeout->due != 0 && due >= timeout->due;

    timeout->due = due ? due : 1;
    if (ms == 0) {
        list_remove(&timeout->link);
        list_push_back(&loop->due, &timeout->link);
    } else if (!is_later) {
        link_timeout(loop, timeout);
    }
}

void timeout_clear(struct timeout *timeout)
{
    list_remove(&timeout->link);
    timeout->due = 0;
}

/* Fires the timeouts of `slot` whose time has come, and moves the others to their slots. */
static bool fire_slot(struct loop *loop, struct list *slot)
{
    struct list firing;
    struct list *link;

    list_move_all(slot, &firing);
    bool any = !list_empty(&firing);
    while ((link = list_pop_front(&firing))) {
        struct timeout *timeout = list_entry(link, struct timeout, link);
        if (timeout->due > loop_now_ms(loop)) {
            link_timeout(loop, timeout);
            continue;
        }
        timeout->due = 0;
        timeout->fire(timeout);
    }
    return any;
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = container_of(timer, struct loop, ticker);
    uint64_t now = loop_now_ms(loop) / TICK_MS;
    uint64_t first = now - loop->tick > WHEEL_SLOTS ? now - WHEEL_SLOTS + 1 : loop->tick + 1;

    loop->tick = now;
    for (uint64_t tick = first; tick <= now; tick++) {
        fire_slot(loop, &loop->wheel[tick % WHEEL_SLOTS]);
    }
}

/* ---- turns ---- */

static bool do_deferred(struct loop *loop)
{
    bool any = deliver_letters(loop);

    return fire_slot(loop, &loop->due) || any;
}

static bool has_deferred(struct loop *loop)
{
    return !list_empty(&loop->due) || atomic_load_explicit(&loop->inbox, memory_order_relaxed);
}

static void on_posted(uv_async_t *handle)
{
    deliver_letters(container_of(handle, struct loop, posted));
}

static void on_awake(uv_idle_t *handle)
{
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = container_of(handle, struct loop, prepare);

    loop->turns++;
    loop->polled_ms = loop_now_ms(loop);
    do_deferred(loop);
    if (has_deferred(loop)) {
        uv_idle_start(&loop->awake, on_awake);
    } else {
        uv_idle_stop(&loop->awake);
    }
}

static void on_check(uv_check_t *handle)
{
    struct loop *loop = container_of(handle, struct loop, check);

    loop->read_ms = loop->polled_ms;
    do_deferred(loop);
}

void loop_run(struct loop *loop)
{
    running = loop;
    do {
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    } while (do_deferred(loop));
    running = NULL;
}

void loop_stop(struct loop *loop)
{
    uv_unref((uv_handle_t *)&loop->posted);
}

/* ---- life ---- */

static void free_tls(struct loop *loop)
{
    if (loop->tls) {
        buf_fini(&loop->tls->sealed);
        memory_give(MEMORY_LOOPS, sizeof(*loop->tls));
        free(loop->tls);
    }
}

static void close_pipe(struct loop *loop)
{
    if (loop->has_pipe) {
        close(loop->pipe.in);
        close(loop->pipe.out);
    }
}

/* Only `posted` keeps loop_run() running. */
static void start_handles(struct loop *loop)
{
    uv_timer_init(&loop->uv, &loop->ticker);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->awake);
    uv_timer_start(&loop->ticker, on_tick, TICK_MS, TICK_MS);
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->ticker);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->awake);
}

int loop_new(struct loop **out)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));

    *out = NULL;
    int err = uv_loop_init(&loop->uv);
    if (err) {
        free(loop);
        return err;
    }
    err = uv_async_init(&loop->uv, &loop->posted, on_posted);
    if (err) {
        uv_loop_close(&loop->uv);
        free(loop);
        return err;
    }
    signal(SIGPIPE, SIG_IGN);
    memory_take(MEMORY_LOOPS, sizeof(*loop));
    loop->uv.data = loop;
    start_handles(loop);
    list_init(&loop->due);
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&loop->wheel[i]);
    }
    loop->read_ms = loop_now_ms(loop);
    loop->tick = loop->read_ms / TICK_MS;
    pages_init(&loop->pages);
    arena_init(&loop->arena, loop->arena_first, sizeof(loop->arena_first));
    *out = loop;
    return 0;
}

void loop_free(struct loop **loop)
{
    struct loop *gone = *loop;

    *loop = NULL;
    if (!gone) {
        return;
    }
    uv_close((uv_handle_t *)&gone->posted, NULL);
    uv_close((uv_handle_t *)&gone->ticker, NULL);
    uv_close((uv_handle_t *)&gone->prepare, NULL);
    uv_close((uv_handle_t *)&gone->check, NULL);
    uv_close((uv_handle_t *)&gone->awake, NULL);
    uv_run(&gone->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&gone->uv) == 0);
    buf_fini(&gone->out);
    free_tls(gone);
    close_pipe(gone);
    arena_fini(&gone->arena);
    pool_fini(&gone->pool);
    pages_fini(&gone->pages);
    memory_give(MEMORY_LOOPS, sizeof(*gone));
    free(gone);
}

/* ---- what is lent ---- */

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

char *loop_read_buffer(struct loop *loop)
{
    return loop->read_buffer;
}

struct buf *loop_out(struct loop *loop)
{
    return &loop->out;
}

struct loop_tls *loop_tls(struct loop *loop)
{
    if (!loop->tls) {
        loop->tls = xcalloc(1, sizeof(*loop->tls));
        list_init(&loop->tls->row);
        timeout_init(&loop->tls->next, NULL);
        memory_take(MEMORY_LOOPS, sizeof(*loop->tls));
    }
    return loop->tls;
}

const struct loop_pipe *loop_pipe(struct loop *loop)
{
    enum { BYTES = 4 * LOOP_READ_BUFFER }; /* packets do not fill the pages they lie in */
    int ends[2];

    if (!loop->has_pipe && pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0) {
        fcntl(ends[1], F_SETPIPE_SZ, BYTES);
        loop->pipe = (struct loop_pipe){.in = ends[1], .out = ends[0]};
        loop->has_pipe = true;
    }
    return loop->has_pipe ? &loop->pipe : NULL;
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
}

struct arena *loop_arena(struct loop *loop)
{
    return &loop->arena;
}

struct pool *loop_pool(struct loop *loop)
{
    return &loop->pool;
}

struct pool *loop_guests_come(struct loop *loop)
{
    loop->guests++;
    return &loop->guest_pool;
}

void loop_guests_leave(struct loop *loop)
{
    CHECK(loop->guests > 0);
    if (--loop->guests == 0) {
        pool_fini(&loop->guest_pool);
    }
}

struct pages *loop_pages(struct loop *loop)
{
    return &loop->pages;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t loop_read_ms(const struct loop *loop)
{
    return loop->read_ms;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->held_us ? loop->held_us : clock_mono_us();
}

void loop_clock_hold(struct loop *loop)
{
    loop->held_us = clock_mono_us();
}

void loop_clock_go(struct loop *loop)
{
    loop->held_us = 0;
}

int64_t loop_wall_ms(struct loop *loop)
{
    uint64_t now = loop_now_ms(loop);

    if (now != loop->wall_read_at || loop->wall_ms == 0) {
        loop->wall_read_at = now;
        loop->wall_ms = clock_wall_ms();
    }
    return loop->wall_ms;
}

int64_t loop_wall(struct loop *loop)
{
    return loop_wall_ms(loop) / 1000;
}

struct span loop_date(struct loop *loop)
{
    int64_t now = loop_wall(loop);

    if (now != loop->date_of) {
        loop->date_of = now;
        date_format(now, loop->date);
    }
    return span_of(loop->date, DATE_LEN);
}
