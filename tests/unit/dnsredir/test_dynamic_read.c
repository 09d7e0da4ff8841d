#include "nsupdate.h"

#include "base/log.h"
#include "dnsredir/state/dynamic_read.h"
#include "dnsredir/state/update_job.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More than one message holds, as no update makes it. */
static void put_large(struct statedb *db, struct span name)
{
    enum { RECORDS = 64 };
    static uint8_t records[RECORDS * (DYNAMIC_DATA_MAX + 16)];
    struct wire_out out = wire_out_of(records, sizeof(records));
    char data[DYNAMIC_DATA_MAX];

    memset(data, 'x', sizeof(data));
    for (size_t i = 0; i < sizeof(data); i += 256) {
        data[i] = (char)255;
    }
    for (int i = 0; i < RECORDS; i++) {
        data[1] = (char)i;
        dynamic_put(&out, &(struct dynamic_record){TYPE_TXT, 60, span_of(data, sizeof(data))});
    }
    cr_assert_not(out.failed);
    cr_assert_eq(statedb_begin(db), 0);
    cr_assert_eq(statedb_put(db, STATEDB_DYNAMIC, name, span_of(records, wire_out_len(&out))), 0);
    cr_assert_eq(statedb_commit(db), 0);
}

static struct update_job *update_job_of(const char *zone, const char *text)
{
    static const struct tsig_key key;
    uint8_t room[512];
    size_t len = nsupdate_write(zone, text, room, sizeof(room));
    struct update_job *job =
        update_job_new(&(struct client){0}, &(struct tsig_reply){.key = &key},
                       &(struct update_job_cookie){.state = COOKIE_NONE}, span_of(room, len));

    job->changed = true;
    return job;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        n++;
    }
    return n;
}

/* Whatever is read anew with the names that updates have changed. */
Test(dynamic_read, a_name_that_is_too_large_is_told_once)
{
    char dir[] = "/tmp/larder-dynamic-XXXXXX", path[128], said[4096];
    struct update_job *job = update_job_of("ex", "add l 60 A 192.0.2.1");
    struct list jobs;
    struct statedb *db;
    int ends[2];

    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(statedb_open(dir, &db), 0);
    put_large(db, SPAN("\1l\2ex\0"));
    list_init(&jobs);
    list_push_back(&jobs, &job->link);
    cr_assert_eq(pipe(ends), 0);
    log_to(ends[1]);
    struct dynamic_records *dynamic = dynamic_read(&db);
    for (int i = 0; i < 2; i++) {
        struct dynamic_records *fresh;
        cr_assert_eq(dynamic_reread(&db, dynamic, &jobs, &fresh), 0);
        dynamic_unref(&dynamic);
        dynamic = fresh;
    }
    log_to(2);
    close(ends[1]);
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    cr_assert_gt(n, 0);
    said[n] = '\0';
    close(ends[0]);
    cr_expect_eq(count(said, "dynamic_name_too_large"), 1, "%s", said);
    dynamic_unref(&dynamic);
    update_job_free(&job);
    statedb_close(&db);
    snprintf(path, sizeof(path), "rm -r %s", dir);
    cr_assert_eq(system(path), 0);
}
