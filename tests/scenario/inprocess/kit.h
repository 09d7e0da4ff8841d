/*
 * kit - a whole proxy in the test's process: the real server with its workers on a thread of its
 * own, a scripted origin, blocking clients. Criterion gives every test a process, so signals are
 * the test's own: SIGTERM drains, SIGHUP reloads, as in production.
 */
#ifndef LARDER_TESTS_SCENARIO_KIT_H
#define LARDER_TESTS_SCENARIO_KIT_H

#include "proxy/server.h"
#include "tests/lib/client.h"
#include "tests/lib/content.h"
#include "tests/lib/origin.h"

#include <pthread.h>

#define KIT_ARGS_MAX 40
/* For what hangs; a machine may be so slow that what takes a second takes minutes. */
#define KIT_PATIENCE_MS 240000

struct kit {
    struct server *server;
    pthread_t thread;
    bool running;
    uint16_t port;
    int locks[2]; /* of the ports: no other test is given them */
    struct origin *origin;
    char url[64]; /* "http://127.0.0.1:PORT" of the origin */
    char dir[40];
    char texts[4][64];
    char *argv[KIT_ARGS_MAX];
    int argc;
};

/* `options`: more of the command line, ended by NULL; a NULL pointer: none. Four workers, unless
 * they say otherwise; a store in a fresh directory when `with_store`. */
void kit_start(struct kit *kit, bool with_store, origin_handler *handler,
               const char *const *options);
/* All clients must have left. Waits until nothing is under way, checks that memory is what hot
 * objects hold, drains, and removes the directory. */
void kit_stop(struct kit *kit);
/* SIGTERM and the end of server_run(). */
void kit_drain(struct kit *kit);

/* The URL of a path; valid until the thread's next call. */
const char *kit_path(const struct kit *kit, const char *path);

/* One GET on a connection of its own, read whole. Fails the test unless it is 200 with the
 * generated content of `path` in its version. */
void kit_expect(const struct kit *kit, const char *path, const char *lines, uint64_t version,
                uint64_t size);

/* Turns until `condition` holds; is false when it does not within KIT_PATIENCE_MS. */
#define KIT_UNTIL(condition)                                                                       \
    __extension__({                                                                                \
        uint64_t give_up_ = kit_now_ms() + KIT_PATIENCE_MS;                                        \
        bool holds_ = (condition);                                                                 \
        while (!holds_ && kit_now_ms() < give_up_) {                                               \
            kit_nap(5);                                                                            \
            holds_ = (condition);                                                                  \
        }                                                                                          \
        holds_;                                                                                    \
    })
uint64_t kit_now_ms(void);
void kit_nap(unsigned ms);

/* Sums over all workers. */
uint64_t kit_outcomes(const struct kit *kit, enum outcome outcome);
uint64_t kit_fetches(const struct kit *kit);
uint64_t kit_retries(const struct kit *kit);
uint64_t kit_accepted(const struct kit *kit);
struct cache_stats kit_stats(const struct kit *kit);

/* ---- a download that is compared as it comes, and never kept ---- */

struct download {
    struct client client;
    uint64_t seed;
    uint64_t at; /* bytes of body so far */
    int status;
};

/* Sends a GET and reads the head. `buffer`: SO_RCVBUF; 0: the system's. False: no head. */
bool download_open(struct download *download, const struct kit *kit, const char *path,
                   const char *lines, uint64_t version, int buffer);
/* Reads up to `upto` bytes of body in all. False: they ended before, or differ. */
bool download_to(struct download *download, uint64_t upto);
void download_close(struct download *download);

/* ---- many clients at once ---- */

/* Runs `count` threads of `work`, each with its own number from 0, and waits for all. */
struct crowd {
    pthread_t threads[128];
    struct crowd_member {
        struct crowd *crowd;
        size_t number;
    } members[128];
    size_t count;
    void (*work)(void *arg, size_t number);
    void *arg;
};
void crowd_start(struct crowd *crowd, size_t count, void (*work)(void *arg, size_t number),
                 void *arg);
void crowd_join(struct crowd *crowd);

#endif
