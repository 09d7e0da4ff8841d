/*
 * peer - the other end of a TCP connection, played by a test in the thread that runs the loop.
 *
 * Every call that waits turns the loop meanwhile, and gives up after PEER_PATIENCE_MS: then it
 * returns false and the test fails instead of hanging.
 */
#ifndef LARDER_TESTS_LIB_PEER_H
#define LARDER_TESTS_LIB_PEER_H

#include "base/buf.h"
#include "proxy/stream/transport.h"

#define PEER_PATIENCE_MS 60000

struct peer {
    struct loop *loop;
    int fd;
    struct buf got; /* received and not yet taken */
    bool is_eof;    /* the proxy has closed its direction */
    bool is_reset;
};

/* One turn of the loop that does not sleep. */
void loop_turn(struct loop *loop);

/* Turns the loop until `condition` holds; is false when it never does. */
#define LOOP_UNTIL(loop, condition)                                                                \
    __extension__({                                                                                \
        uint64_t give_up_ = peer_deadline();                                                       \
        while (!(condition) && peer_deadline() < give_up_ + PEER_PATIENCE_MS) {                    \
            loop_turn(loop);                                                                       \
        }                                                                                          \
        (condition);                                                                               \
    })
uint64_t peer_deadline(void);

/* A connected pair over loopback: *transport is not started yet. Buffers of the sockets are made
 * small when `narrow`, so that a write soon has to wait. */
void peer_pair(struct peer *peer, struct loop *loop, struct transport **transport, bool narrow);
/* A connection to a listener of the code under test. */
void peer_connect(struct peer *peer, struct loop *loop, const struct sockaddr *address,
                  socklen_t len);
/* A connection accepted from `listener`, a blocking socket of the test. Turns the loop until one
 * comes. False when none does. */
bool peer_accept(struct peer *peer, struct loop *loop, int listener);
/* A listening socket on a free port of 127.0.0.1, for a scripted origin. */
int peer_listen(uint16_t *port);
/* Closes the socket unless it is closed. */
void peer_fini(struct peer *peer);

bool peer_send(struct peer *peer, struct span bytes);
bool peer_say(struct peer *peer, const char *text);
/* One send(2) per byte, the loop turned after each. */
bool peer_trickle(struct peer *peer, struct span bytes);
void peer_shutdown(struct peer *peer);
void peer_reset(struct peer *peer);

/* Reads what is there, at most `max` bytes; turns the loop once. */
void peer_read(struct peer *peer, size_t max);
/* Reads a little now and then, 10 KiB a second, for so long by the loop's clock. */
void peer_sip(struct peer *peer, uint64_t ms);
/* Everything received so far ends with `text`, or will. */
bool peer_hears(struct peer *peer, const char *text);
/* At least `n` bytes have come. */
bool peer_hears_bytes(struct peer *peer, size_t n);
/* FIN, and no reset before. */
bool peer_hears_eof(struct peer *peer);
/* FIN or RST. */
bool peer_hears_close(struct peer *peer);
/* `text` occurs in what has been received. */
bool peer_got(const struct peer *peer, const char *text);
size_t peer_count(const struct peer *peer, const char *text);

#endif
