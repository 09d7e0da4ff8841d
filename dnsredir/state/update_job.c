#include "dnsredir/state/update_job.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "dnsredir/counters.h"
#include "dnsredir/state/replay.h"
#include "dnsredir/state/statedb.h"
#include "dnsredir/zone/update_record.h"

#define SERIAL_LEN 4

struct update_job *update_job_new(const struct client *client, const struct tsig_reply *tsig,
                                  const struct update_job_cookie *cookie, struct span packet)
{
    struct update_job *job = xcalloc(1, sizeof(*job) + packet.len);

    list_init(&job->link);
    job->client = *client;
    job->client.limiter = NULL;
    job->tsig = *tsig;
    job->key = *tsig->key;
    job->tsig.key = &job->key;
    job->cookie = *cookie;
    job->packet_len = packet.len;
    memcpy(job->packet, packet.at, packet.len);
    return job;
}

void update_job_free(struct update_job **job)
{
    if (*job) {
        explicit_bzero(&(*job)->key, sizeof((*job)->key));
        free(*job);
        *job = NULL;
    }
}

/* ---- the store of one part of a transaction ---- */

static struct span key_of(const struct name *name)
{
    return span_of(name->at, name->len);
}

/* Access to the stored records. Records that cannot be read are unknown, not absent, so no change
 * may be based on them. */
struct store {
    struct statedb *db;
    bool failed;
};

static struct span store_get(void *arg, const struct name *name)
{
    struct store *store = arg;
    struct span value;
    int err = statedb_get(store->db, STATEDB_DYNAMIC, key_of(name), &value);

    store->failed = store->failed || (err && err != ERR_NOT_FOUND);
    return value;
}

static int store_put(void *arg, const struct name *name, struct span records)
{
    const struct store *store = arg;
    struct statedb *db = store->db;
    struct span there;

    if (records.len == 0) {
        return statedb_drop(db, STATEDB_DYNAMIC, key_of(name));
    }
    int err = statedb_get(db, STATEDB_DYNAMIC, key_of(name), &there);
    if (err == ERR_NOT_FOUND && statedb_count(db, STATEDB_DYNAMIC) >= DYNAMIC_NAMES_MAX) {
        log_warn("too_many_dynamic_names", "most=%d", DYNAMIC_NAMES_MAX);
        return ERR_FULL;
    }
    return statedb_put(db, STATEDB_DYNAMIC, key_of(name), records);
}

/* Serials go on from the later of what the settings say and what was there (RFC 1982). */
static int bump_serial(struct statedb *db, const struct zone *zone)
{
    struct span stored;
    uint8_t value[SERIAL_LEN];
    uint32_t serial = zone->serial;

    int err = statedb_get(db, STATEDB_SERIALS, key_of(&zone->apex), &stored);
    if (err && err != ERR_NOT_FOUND) {
        return err;
    }
    if (!err) {
        struct wire_in in = wire_in_of(stored.at, stored.len);
        uint32_t before = wire_get_u32(&in);
        serial = !in.failed && (int32_t)(before - serial) > 0 ? before : serial;
    }
    serial += serial == UINT32_MAX ? 2 : 1; /* 0 is "the time of the load" in settings */
    struct wire_out out = wire_out_of(value, sizeof(value));
    wire_put_u32(&out, serial);
    return statedb_put(db, STATEDB_SERIALS, key_of(&zone->apex), span_of(value, sizeof(value)));
}

/* ---- one job ---- */

static unsigned apply(struct statedb *db, const struct zones *zones, struct span packet,
                      const struct update *update, bool *changed)
{
    struct store store = {db, false};
    const struct update_store calls = {store_get, store_put, &store};
    unsigned rcode;

    if (statedb_part_begin(db)) {
        return RCODE_SERVFAIL;
    }
    rcode = update_apply(zones, packet, update, &calls, changed);
    rcode = store.failed ? (unsigned)RCODE_SERVFAIL : rcode;
    if (rcode == RCODE_NOERROR && *changed &&
        bump_serial(db, zones_find(zones, &update->query.name).zone)) {
        rcode = RCODE_SERVFAIL;
    }
    if (statedb_part_end(db, rcode == RCODE_NOERROR)) {
        rcode = RCODE_SERVFAIL;
    }
    *changed = *changed && rcode == RCODE_NOERROR;
    return rcode;
}

/* The update is checked again, because the settings may have changed since it was received. */
static unsigned run_checked(struct update_job *job, struct statedb *db, const struct view *view,
                            bool *changed)
{
    struct span packet = update_job_packet(job);
    struct update update;

    CHECK(update_read(packet, &update) == RCODE_NOERROR);
    const struct tsig_key *key = tsig_key_find(&view->identity->keys, &job->key.name);
    unsigned rcode = update_check(view->zones, packet, &update, key);
    return rcode == RCODE_NOERROR ? apply(db, view->zones, packet, &update, changed) : rcode;
}

static int remember(struct statedb *db, const struct update_job *job, const struct replay *replay)
{
    uint8_t stored[REPLAY_STORED_MAX];
    size_t len = replay_store(replay, stored);

    return statedb_put(db, STATEDB_SIGNED, key_of(&job->key.name), span_of(stored, len));
}

unsigned update_job_run(struct update_job *job, struct statedb *db, const struct view *view,
                        bool *changed)
{
    struct span mac = span_of(job->tsig.mac, job->tsig.mac_len);
    struct replay replay;
    struct span stored;
    uint16_t before = RCODE_SERVFAIL;

    int err = statedb_get(db, STATEDB_SIGNED, key_of(&job->key.name), &stored);
    if (err && err != ERR_NOT_FOUND) {
        return RCODE_SERVFAIL; /* the message may be a replay by somebody else */
    }
    replay_load(&replay, stored);
    if (replay.time > (uint64_t)clock_wall() + TSIG_FUDGE) {
        replay = (struct replay){0}; /* our clock was wrong then */
    }
    switch (replay_look(&replay, job->tsig.time, mac, &before)) {
    case REPLAY_NEW:
        break;
    case REPLAY_OLD:
        tsig_reply_late(&job->tsig);
        job->note.tsig = TSIG_BAD;
        return RCODE_NOTAUTH;
    case REPLAY_AGAIN:
    case REPLAY_TOO_MANY:
        return before;
    }
    unsigned rcode = run_checked(job, db, view, changed);
    replay_take(&replay, job->tsig.time, mac, (uint16_t)rcode);
    return remember(db, job, &replay) ? (unsigned)RCODE_SERVFAIL : rcode;
}

void update_job_each_name(const struct update_job *job,
                          void (*visit)(void *arg, const struct name *name), void *arg)
{
    struct span packet = update_job_packet(job);
    struct update_record record;
    struct update update;

    CHECK(update_read(packet, &update) == RCODE_NOERROR);
    visit(arg, &update.query.name);
    struct wire_in in = update_records(packet, &update);
    for (unsigned i = 0; i < (unsigned)update.prereqs + update.changes; i++) {
        if (update_record_read(&in, &record) == 0 && i >= update.prereqs) {
            visit(arg, &record.owner);
        }
    }
}

void update_job_finish(struct update_job *job)
{
    char key[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], client[IP_TEXT_MAX];
    struct update update;

    CHECK(update_read(update_job_packet(job), &update) == RCODE_NOERROR);
    job->reply_len = update_reply(&update, job->note.rcode, update_job_cookie_half(&job->cookie),
                                  &job->tsig, (uint64_t)clock_wall(), job->reply);
    log_info("update", "zone=%s key=%s client=%s rcode=%s", name_text(&update.query.name, zone),
             name_text(&job->key.name, key), ip_text(&job->client.ip, client),
             counters_rcode(job->note.rcode));
}
