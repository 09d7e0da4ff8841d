/*
 * errand - an update on its way: from the loop that received it to the thread that writes, and
 * back with its answer. Belongs to whoever has it at the moment, but for `owner`, which is the
 * loop's all the time.
 */
#ifndef LARDER_DNSREDIR_STATE_ERRAND_H
#define LARDER_DNSREDIR_STATE_ERRAND_H

#include "base/list.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/zone/update.h"

#define ERRAND_CONTROL_MAX 64

struct desk;
struct statedb;

/* What the cookie of a message is worth, and unless there is none the half for the answer. */
struct errand_cookie {
    enum cookie_state state;
    uint8_t half[COOKIE_SERVER_LEN];
};

static inline const uint8_t *errand_cookie_half(const struct errand_cookie *cookie)
{
    return cookie->state == COOKIE_NONE ? NULL : cookie->half;
}

struct errand {
    struct list link;
    struct desk *desk; /* where it comes back to */
    /* Sends the answer, on the loop of the desk; owns the errand from then on. */
    void (*give)(struct errand *errand);
    void *owner;  /* the socket or connection; NULL: it is gone */
    bool done;    /* the answer is there */
    bool changed; /* something is not as it was before */

    struct sockaddr_storage peer; /* by UDP, with what pins the source of the answer */
    socklen_t peer_len;
    size_t control_len;
    _Alignas(max_align_t) uint8_t control[ERRAND_CONTROL_MAX];

    struct asker asker; /* without its limiter */
    struct answer_note note;
    struct tsig_key key;    /* a copy: settings may go meanwhile */
    struct tsig_reply tsig; /* its key is that copy */
    struct errand_cookie cookie;

    size_t reply_len;
    uint8_t reply[UPDATE_REPLY_MAX];
    size_t packet_len;
    uint8_t packet[];
};

static inline struct span errand_packet(const struct errand *errand)
{
    return span_of(errand->packet, errand->packet_len);
}

struct errand *errand_new(const struct asker *asker, const struct tsig_reply *tsig,
                          const struct errand_cookie *cookie, struct span packet);
void errand_free(struct errand **errand); /* accepts NULL; sets *errand to NULL */

/* Does it, inside a transaction of `db`, which is the thread's that writes. The code to answer
 * with; what is not RCODE_NOERROR has changed nothing. *changed: something is not as it was. */
unsigned errand_run(struct errand *errand, struct statedb *db, const struct view *view,
                    bool *changed);
/* The names whose records, or whose serial, it may have changed; one maybe several times. */
void errand_each_name(const struct errand *errand,
                      void (*visit)(void *arg, const struct name *name), void *arg);
/* Makes the answer, from the code in its note. */
void errand_finish(struct errand *errand);

#endif
