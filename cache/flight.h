/*
 * flight - one fetch under way, and those who wait for it. Thread-safe; counted. Knows no sockets:
 * a waker tells a member's loop, and must only post.
 *
 * The fetch side moves the state once, from WAITING to one of the others; members look.
 */
#ifndef LARDER_CACHE_FLIGHT_H
#define LARDER_CACHE_FLIGHT_H

#include "cache/object.h"

enum flight_state {
    FLIGHT_WAITING, /* no head yet */
    FLIGHT_SHARED,  /* a head that members may share (if Vary agrees); the body may be arriving */
    FLIGHT_SOLO,    /* the response is for the leader only: the others go on their own */
    FLIGHT_FAILED,
};

/* Why no response could be had: what the client is told. */
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

/* `stale` (may be NULL) is the stored response being validated; a reference is taken. */
struct flight *flight_new(const struct cache_key *key, struct object *stale);
struct flight *flight_ref(struct flight *flight);
void flight_unref(struct flight **flight);

const struct cache_key *flight_key(const struct flight *flight);
struct object *flight_stale(const struct flight *flight); /* borrowed; NULL when there is none */

/* Without a stale one: other variants, of which the origin may choose one (RFC 9111 4.1). Set by
 * whoever leads, which takes them over; borrowed. */
void flight_set_variants(struct flight *flight, struct object *const *variants, size_t count);
struct object *const *flight_variants(const struct flight *flight, size_t *count);

void flight_join(struct flight *flight, struct flight_member *member, bool leader,
                 struct waker waker);
/* Accepts a member that joined nothing. */
void flight_leave(struct flight_member *member);
size_t flight_members(struct flight *flight);
/* Why its response is not kept; REASON_NONE when there is none. */
enum reason flight_why(struct flight *flight);

/* What a member sees. *object gets a reference when it may use one. A member that is not the leader
 * sees FLIGHT_SOLO without an object. */
enum flight_state flight_look(const struct flight_member *member, struct object **object,
                              struct failure *failure);

/* ---- the fetch side; each at most once ---- */

void flight_publish(struct flight *flight, struct object *object);
void flight_publish_solo(struct flight *flight, struct object *object);
void flight_fail(struct flight *flight, struct failure failure);

/* `owner` is woken, with the flight's lock held, each time the last member leaves. A zeroed waker
 * ends that: it is not called any more once this has returned. */
void flight_watch(struct flight *flight, struct waker owner);

/* What the cache knew when the flight began, and compares at its end. Belongs to whoever leads. */
struct flight_mark {
    uint32_t guard;
    uint64_t url;
    uint64_t invalidations;
    uint64_t changes; /* of any kind, to any URL of the guard */
};
void flight_set_mark(struct flight *flight, struct flight_mark mark);
struct flight_mark flight_mark(const struct flight *flight);

/* Something invalidated the key while the fetch was under way: its response is not kept. */
void flight_doom(struct flight *flight);
bool flight_is_doomed(const struct flight *flight);

#endif
