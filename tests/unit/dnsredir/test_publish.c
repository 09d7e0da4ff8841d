#include "dnsredir/publish.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { READERS = 3, ROUNDS = 20000 };

static unsigned freed;

static void count_free(void *value)
{
    freed++;
    free(value);
}

static int *value_of(int number)
{
    int *value = malloc(sizeof(*value));
    *value = number;
    return value;
}

Test(publish, a_value_lives_until_its_readers_have_left)
{
    struct publish *publish = publish_new(2, count_free);

    publish_set(publish, value_of(1));
    const int *seen = publish_enter(publish, 0);
    publish_set(publish, value_of(2));
    cr_expect_eq(publish_collect(publish), 1);
    cr_expect_eq(*seen, 1);
    cr_expect_eq(*(const int *)publish_enter(publish, 1), 2);
    publish_leave(publish, 0);
    cr_expect_eq(publish_collect(publish), 0, "the reader of the new value does not hold the old");
    cr_expect_eq(freed, 1);
    publish_leave(publish, 1);
    publish_free(&publish);
    cr_expect_eq(freed, 2);
}

struct reading {
    struct publish *publish;
    size_t number;
    atomic_bool *stop;
    unsigned faults;
};

static void *read_on(void *arg)
{
    struct reading *r = arg;

    while (!atomic_load(r->stop)) {
        const int *value = publish_enter(r->publish, r->number);
        r->faults += *value != 7; /* freed memory is overwritten */
        publish_leave(r->publish, r->number);
    }
    return NULL;
}

static void spoil(void *value)
{
    *(int *)value = 0;
    free(value);
}

Test(publish, no_reader_sees_a_freed_value)
{
    struct publish *publish = publish_new(READERS, spoil);
    struct reading readings[READERS];
    pthread_t threads[READERS];
    atomic_bool stop = false;

    publish_set(publish, value_of(7));
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){publish, i, &stop, 0};
        pthread_create(&threads[i], NULL, read_on, &readings[i]);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        publish_set(publish, value_of(7));
        publish_collect(publish);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(readings[i].faults, 0);
    }
    publish_free(&publish);
}
