#include "dnsredir/state/dynamic_read.h"

#include "base/err.h"
#include "base/log.h"
#include "dnsredir/state/update_job.h"

struct reading {
    struct statedb **db;
    const struct dynamic_records *was; /* NULL: nothing was read before */
    struct dynamic_records *dynamic;
    const struct list *jobs;
};

/* A name is read again together with others of which one has changed; a name that was logged as
 * too large before is not logged again. */
static void add_records(void *arg, struct span key, struct span value)
{
    const struct reading *reading = arg;
    char text[NAME_TEXT_MAX];
    struct name name;

    if (!dynamic_add(reading->dynamic, key, value)) {
        dynamic_set_damaged(reading->dynamic);
        return;
    }
    name_load(&name, (const uint8_t *)key.at);
    if (dynamic_is_unknown(reading->dynamic, &name) && !dynamic_is_unknown(reading->was, &name)) {
        log_warn("dynamic_name_too_large", "name=%s next=%s", name_text(&name, text),
                 "it is answered SERVFAIL until an update deletes some of its records");
    }
}

static void add_serial(void *arg, struct span key, struct span value)
{
    const struct reading *reading = arg;
    struct wire_in in = wire_in_of(value.at ? value.at : "", value.len);
    uint32_t serial = wire_get_u32(&in);

    if (in.failed || !dynamic_add_serial(reading->dynamic, key, serial)) {
        dynamic_set_damaged(reading->dynamic);
    }
}

static int read_all(void *arg)
{
    struct reading *reading = arg;
    struct statedb *db = *reading->db;
    int err = statedb_begin(db);

    if (!err) {
        err = statedb_each(db, STATEDB_DYNAMIC, add_records, reading);
        int serials_err = statedb_each(db, STATEDB_SERIALS, add_serial, reading);
        err = err ? err : serials_err;
    }
    statedb_abort(db);
    return err;
}

struct dynamic_records *dynamic_read(struct statedb **db)
{
    struct dynamic_records *dynamic = dynamic_new();
    struct reading reading = {.db = db, .dynamic = dynamic};

    if (!*db || statedb_work(db, read_all, &reading)) {
        dynamic_set_damaged(dynamic);
    }
    return dynamic;
}

/* Reads the records that one table has under a name. */
static void read_name(struct reading *reading, enum statedb_table table, const struct name *name,
                      void (*add)(void *arg, struct span key, struct span value))
{
    struct span key = span_of(name->at, name->len);
    struct span value;
    int err = statedb_get(*reading->db, table, key, &value);

    if (!err) {
        add(reading, key, value);
    } else if (err != ERR_NOT_FOUND) {
        dynamic_set_damaged(reading->dynamic);
    }
}

static void add_name(void *arg, struct dynamic_records *dynamic, const struct name *name)
{
    (void)dynamic; /* it is the one that is read into */
    read_name(arg, STATEDB_DYNAMIC, name, add_records);
    read_name(arg, STATEDB_SERIALS, name, add_serial);
}

static void renew_name(void *arg, const struct name *name)
{
    const struct reading *reading = arg;
    dynamic_renew(reading->dynamic, name, add_name, arg);
}

static int read_changed(void *arg)
{
    const struct reading *reading = arg;
    int err = statedb_begin(*reading->db);

    if (err) {
        return err;
    }
    list_each(link, reading->jobs)
    {
        const struct update_job *job = list_entry(link, struct update_job, link);
        if (job->changed) {
            update_job_each_name(job, renew_name, arg);
        }
    }
    statedb_abort(*reading->db);
    return 0;
}

int dynamic_reread(struct statedb **db, const struct dynamic_records *was, const struct list *jobs,
                   struct dynamic_records **out)
{
    struct reading reading = {db, was, dynamic_copy(was), jobs};
    int err = statedb_work(db, read_changed, &reading);

    if (err) {
        dynamic_unref(&reading.dynamic);
    }
    *out = reading.dynamic;
    return err;
}
