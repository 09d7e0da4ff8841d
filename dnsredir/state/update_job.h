/*
 * update_job - one update on its way from the loop that received it to the thread that writes, and
 * back with its answer. Belongs to whoever has it at the moment, but for `owner`, which is the
 * loop's all the time.
 */
#ifndef LARDER_DNSREDIR_STATE_UPDATE_JOB_H
#define LARDER_DNSREDIR_STATE_UPDATE_JOB_H

#include "base/list.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/zone/update.h"

#define UPDATE_JOB_CONTROL_MAX 64

struct update_intake;
struct statedb;

/* What the cookie of a message is worth and, unless it has none, the server's half for the answer.
 */
struct update_job_cookie {
    enum cookie_state state;
    uint8_t half[COOKIE_SERVER_LEN];
};

static inline const uint8_t *update_job_cookie_half(const struct update_job_cookie *cookie)
{
    return cookie->state == COOKIE_NONE ? NULL : cookie->half;
}

struct update_job {
    struct list link;
    struct update_intake *intake; /* the one it comes back to */
    /* Sends the answer, on the loop of the intake; owns the job from then on. */
    void (*send_reply)(struct update_job *job);
    void *owner;  /* the socket or connection; NULL: it is gone */
    bool done;    /* the answer is in `reply` */
    bool changed; /* it has changed something that is stored */

    struct sockaddr_storage peer; /* by UDP; `control` has the source address for the answer */
    socklen_t peer_len;
    size_t control_len;
    _Alignas(max_align_t) uint8_t control[UPDATE_JOB_CONTROL_MAX];

    struct client client; /* without its limiter */
    struct answer_note note;
    struct tsig_key key;    /* a copy, because the settings may go meanwhile */
    struct tsig_reply tsig; /* its key is that copy */
    struct update_job_cookie cookie;

    size_t reply_len;
    uint8_t reply[UPDATE_REPLY_MAX];
    size_t packet_len;
    uint8_t packet[];
};

static inline struct span update_job_packet(const struct update_job *job)
{
    return span_of(job->packet, job->packet_len);
}

/* Copies all that it is given. */
struct update_job *update_job_new(const struct client *client, const struct tsig_reply *tsig,
                                  const struct update_job_cookie *cookie, struct span packet);
void update_job_free(struct update_job **job); /* accepts NULL; sets *job to NULL */

/* Carries out the update inside a transaction of `db`, on the thread that writes. Returns the rcode
 * to answer with; unless that is RCODE_NOERROR nothing was changed. Sets *changed if something
 * stored is not as it was. */
unsigned update_job_run(struct update_job *job, struct statedb *db, const struct view *view,
                        bool *changed);
/* Visits the names whose records or serial the update may have changed; some perhaps repeatedly. */
void update_job_each_name(const struct update_job *job,
                          void (*visit)(void *arg, const struct name *name), void *arg);
/* Writes the answer, with the rcode in job->note, to job->reply. */
void update_job_finish(struct update_job *job);

#endif
