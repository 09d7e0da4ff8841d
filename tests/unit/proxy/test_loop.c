#include "tests/lib/peer.h"

#include <criterion/criterion.h>
#include <pthread.h>

static struct loop *loop;

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    loop_free(&loop);
}

TestSuite(loop, .init = setup, .fini = teardown);

/* ---- letters ---- */

struct note {
    struct letter letter;
    int number;
    int calls;
    struct note *again; /* posted from inside the call */
};

static int order[8];
static size_t order_count;

static void on_note(struct letter *letter)
{
    struct note *note = container_of(letter, struct note, letter);

    note->calls++;
    if (order_count < 8) {
        order[order_count++] = note->number;
    }
    if (note->again) {
        struct note *again = note->again;
        note->again = NULL;
        loop_post(loop, &again->letter);
    }
}

Test(loop, letters_come_in_the_order_they_were_posted)
{
    struct note notes[4];

    order_count = 0;
    for (int i = 0; i < 4; i++) {
        notes[i] = (struct note){.letter.call = on_note, .number = i};
        cr_expect(loop_post(loop, &notes[i].letter));
    }
    cr_expect_not(loop_post(loop, &notes[0].letter), "pending already");
    loop_turn(loop);
    cr_assert_eq(order_count, 4);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(order[i], i);
    }
    cr_expect(loop_post(loop, &notes[0].letter), "called, so it may be posted again");
    loop_turn(loop);
    cr_expect_eq(notes[0].calls, 2);
}

Test(loop, a_letter_may_post_itself)
{
    struct note note = {.letter.call = on_note};

    note.again = &note;
    loop_post(loop, &note.letter);
    cr_expect(LOOP_UNTIL(loop, note.calls == 2));
}

struct sender {
    struct loop *loop;
    struct note *notes;
    size_t count;
};

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (size_t i = 0; i < sender->count; i++) {
        loop_post(sender->loop, &sender->notes[i].letter);
    }
    return NULL;
}

static size_t stop_after;

static void on_counted(struct letter *letter)
{
    container_of(letter, struct note, letter)->calls++;
    if (--stop_after == 0) {
        loop_stop(loop);
    }
}

Test(loop, no_letter_of_many_threads_is_lost)
{
    enum { THREADS = 3, EACH = 500 };
    static struct note notes[THREADS][EACH];
    struct sender senders[THREADS];
    pthread_t threads[THREADS];

    stop_after = THREADS * EACH;
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t i = 0; i < EACH; i++) {
            notes[t][i] = (struct note){.letter.call = on_counted};
        }
        senders[t] = (struct sender){loop, notes[t], EACH};
        pthread_create(&threads[t], NULL, send_all, &senders[t]);
    }
    loop_run(loop); /* sleeps between letters: a lost wake-up would hang here */
    for (size_t t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        for (size_t i = 0; i < EACH; i++) {
            cr_expect_eq(notes[t][i].calls, 1);
        }
    }
}

static void on_stop(struct letter *letter)
{
    loop_stop(loop);
}

Test(loop, letters_posted_before_the_end_are_called)
{
    struct note late = {.letter.call = on_note};
    struct note first = {.letter.call = on_note, .again = &late};
    struct letter stop = {.call = on_stop};

    loop_post(loop, &stop);
    loop_post(loop, &first.letter);
    loop_run(loop);
    cr_expect_eq(late.calls, 1);
}

/* ---- timeouts ---- */

struct alarm {
    struct timeout timeout;
    int fired;
    struct alarm *victim; /* cleared when this one fires */
    bool rearm;
};

static void on_alarm(struct timeout *timeout)
{
    struct alarm *alarm = container_of(timeout, struct alarm, timeout);

    cr_expect_eq(timeout->due, 0, "a timeout that fires is cleared first");
    alarm->fired++;
    if (alarm->victim) {
        timeout_clear(&alarm->victim->timeout);
    }
    if (alarm->rearm) {
        alarm->rearm = false;
        timeout_set(loop, timeout, 0);
    }
}

static struct alarm alarm_of(void)
{
    return (struct alarm){.fired = 0};
}

Test(loop, timeouts_fire_once_and_not_before_their_time)
{
    struct alarm alarm = alarm_of();
    uint64_t before = loop_now_ms(loop);

    timeout_init(&alarm.timeout, on_alarm);
    timeout_set(loop, &alarm.timeout, 150);
    cr_expect(LOOP_UNTIL(loop, alarm.fired > 0));
    cr_expect_geq(loop_now_ms(loop), before + 150);
    loop_turn(loop);
    cr_expect_eq(alarm.fired, 1);
}

Test(loop, a_timeout_moved_away_fires_at_its_new_time)
{
    struct alarm moved = alarm_of(), sooner = alarm_of();
    uint64_t before = loop_now_ms(loop);

    timeout_init(&moved.timeout, on_alarm);
    timeout_init(&sooner.timeout, on_alarm);
    timeout_set(loop, &moved.timeout, 50);
    timeout_set(loop, &moved.timeout, 450);
    timeout_set(loop, &sooner.timeout, 1000000);
    timeout_set(loop, &sooner.timeout, 50);
    cr_expect(LOOP_UNTIL(loop, sooner.fired));
    cr_expect(LOOP_UNTIL(loop, moved.fired));
    cr_expect_geq(loop_now_ms(loop), before + 450);
}

Test(loop, timeouts_of_zero_fire_in_this_turn_outside_their_caller)
{
    struct alarm alarm = alarm_of();

    timeout_init(&alarm.timeout, on_alarm);
    alarm.rearm = true;
    timeout_set(loop, &alarm.timeout, 0);
    cr_expect_eq(alarm.fired, 0);
    cr_expect(LOOP_UNTIL(loop, alarm.fired == 2), "rearmed from inside its own call");
}

Test(loop, a_timeout_that_was_cleared_never_fires)
{
    struct alarm first = alarm_of(), second = alarm_of(), last = alarm_of();

    timeout_init(&first.timeout, on_alarm);
    timeout_init(&second.timeout, on_alarm);
    timeout_init(&last.timeout, on_alarm);
    first.victim = &second; /* in the same slot, while that is being fired */
    timeout_set(loop, &first.timeout, 10);
    timeout_set(loop, &second.timeout, 10);
    timeout_set(loop, &last.timeout, 300);
    timeout_clear(&last.timeout);
    timeout_set(loop, &last.timeout, 250);
    cr_expect(LOOP_UNTIL(loop, last.fired));
    cr_expect_eq(first.fired, 1);
    cr_expect_eq(second.fired, 0);
}

/* ---- clocks ---- */

Test(loop, what_comes_at_once_has_one_time)
{
    uint64_t before = loop_now_us(loop);

    loop_clock_hold(loop);
    uint64_t held = loop_now_us(loop);
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
    cr_expect_geq(held, before);
    cr_expect_eq(loop_now_us(loop), held);
    loop_clock_go(loop);
    cr_expect_geq(loop_now_us(loop), held + 2000);
}

Test(loop, a_pause_of_the_process_is_no_silence_of_its_peers)
{
    loop_turn(loop);
    uint64_t read = loop_read_ms(loop);
    struct timespec pause = {.tv_nsec = 2000000};

    nanosleep(&pause, NULL);
    uv_update_time(loop_uv(loop));
    uint64_t now = loop_now_ms(loop);
    cr_expect_lt(read, now);
    cr_expect_eq(loop_read_ms(loop), read);
    loop_turn(loop);
    cr_expect_geq(loop_read_ms(loop), now);
}

Test(loop, rfc9110_5_6_7_date_is_the_wall_clock)
{
    struct span date = loop_date(loop);

    cr_assert_eq(date.len, DATE_LEN);
    cr_expect_eq(date_parse(date, loop_wall(loop)), loop_wall(loop));
    cr_expect_eq(loop_wall_ms(loop) / 1000, loop_wall(loop));
}
