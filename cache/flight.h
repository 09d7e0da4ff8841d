/*
 * flight - one fetch in progress, and the requests that wait for it. Thread-safe; counted. Wakers
 * are called to tell a member's loop; they may only post.
 *
 * The fetch moves the state once, from WAITING to one of the others; members look at it.
 */
#ifndef LARDER_CACHE_FLIGHT_H
#define LARDER_CACHE_FLIGHT_H

#include "cache/object.h"

enum flight_state {
    FLIGHT_WAITING, /* no response head so far */
    FLIGHT_SHARED,  /* the response may be shared (if Vary agrees); its body may be arriving */
    FLIGHT_SOLO,    /* the response is for the leader only; the others must fetch for themselves */
    FLIGHT_FAILED,
};

/* Why there is no response: what to tell the client. */
struct failure {
    int status; /* 502, 503, 504 … */
    enum reason reason;
};

struct flight;

struct flight_member {
    struct list link;
    struct waker waker; /* called once, when the state leaves WAITING */
    struct flight *flight;
    bool leader;
};

/* `stale` (may be NULL) is the stored response to validate; a reference is taken. */
struct flight *flight_new(const struct cache_key *key, struct object *stale);
struct flight *flight_ref(struct flight *flight);
void flight_unref(struct flight **flight);

const struct cache_key *flight_key(const struct flight *flight);
struct object *flight_stale(const struct flight *flight); /* borrowed; NULL: none */

/* Without a stale response: other variants, of which the origin may select one (RFC 9111 4.1). Set
 * by the leader, and taken over; flight_variants() borrows them. */
void flight_set_variants(struct flight *flight, struct object *const *variants, size_t count);
struct object *const *flight_variants(const struct flight *flight, size_t *count);

void flight_join(struct flight *flight, struct flight_member *member, bool leader,
                 struct waker waker);
/* Accepts a member that has not joined. */
void flight_leave(struct flight_member *member);
size_t flight_members(struct flight *flight);
/* May its response be, for all that is known, the one under this key? */
bool flight_may_bring(struct flight *flight, const struct cache_key *key);
/* Why the response is not stored; REASON_NONE: there is no response. */
enum reason flight_why(struct flight *flight);
/* Why the stale response stands in; REASON_NONE: it does not. For who has seen FLIGHT_SHARED. */
enum reason flight_why_stale(const struct flight *flight);

/* What a member sees. *object gets a reference if the member may use one. For a member that is not
 * the leader FLIGHT_SOLO has no object. */
enum flight_state flight_look(const struct flight_member *member, struct object **object,
                              struct failure *failure);

/* ---- for the fetch; each at most once ---- */

void flight_publish(struct flight *flight, struct object *object);
void flight_publish_solo(struct flight *flight, struct object *object);
/* The stale response stands in, for one of these reasons: REASON_STALE_IF_ERROR, or
 * REASON_ORIGIN_SILENT when the origin was not even asked. */
void flight_publish_stale(struct flight *flight, enum reason why);
void flight_fail(struct flight *flight, struct failure failure);

/* Of a flight that has failed: the one that who waited for it joins next. Counted by the flight;
 * only under the lock of the table. */
struct flight *flight_next(const struct flight *flight); /* borrowed; NULL: none so far */
void flight_set_next(struct flight *flight, struct flight *next);
bool flight_has_failed(struct flight *flight);

/* Wakes `owner`, with the flight's lock held, each time the last member leaves. A zeroed waker ends
 * that: the former one is not called any more after this has returned. */
void flight_watch(struct flight *flight, struct waker owner);

/* State of the URL in the cache when the flight began, to be compared at its end. For the
 * leader. */
struct flight_mark {
    uint32_t guard;
    uint64_t url;
    uint64_t invalidations;
    uint64_t changes; /* of any URL of the guard */
};
void flight_set_mark(struct flight *flight, struct flight_mark mark);
struct flight_mark flight_mark(const struct flight *flight);

/* The key was invalidated during the fetch: its response will not be stored. */
void flight_doom(struct flight *flight);
bool flight_is_doomed(const struct flight *flight);

#endif
