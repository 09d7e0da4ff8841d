/*
 * h1_server_kit - an HTTP/1 connection in the server's role, its client, and what its owner does
 * with requests. There is one of it, as Criterion runs each test in a process of its own.
 */
#ifndef LARDER_TESTS_PROXY_H1_SERVER_KIT_H
#define LARDER_TESTS_PROXY_H1_SERVER_KIT_H

#include "proxy/stream/h1.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"

enum { REQUESTS_MAX = 320, LARGE = 10 << 20 };

extern struct loop *loop;
extern struct peer peer; /* the client */
extern struct h1 *h1;
extern struct h1_settings settings; /* of the next connection */
extern struct owner requests[REQUESTS_MAX];
extern size_t request_count;
extern int gone;       /* how often the connection has told that it is gone */
extern int bad_status; /* of the last head that was refused */

/* What becomes of requests. */
struct script {
    void (*act)(struct owner *owner); /* in the event `acts_in` of every request */
    char acts_in;
    enum stream_flow flow;
    bool close_connection; /* h1_close() in on_stream */
    struct feed feed;
    int status;
    enum http_framing framing;
    int64_t length;
};
extern struct script script;

/* For each suite. */
void h1_kit_init(void);
void h1_kit_fini(void);

/* A connection, which does what the script says; `narrow` as for peer_pair(). */
void serve(bool narrow);
/* Every request is answered by answer_hello(). */
void serve_hello(bool narrow);
/* Every request is answered by a feed of `total` bytes in pieces of `piece`. */
void serve_feed(bool narrow, uint64_t total, size_t piece, enum http_framing framing);

/* What the client gets from answer_hello(). */
static const char hello[] = "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello";

/* Answers with five bytes from memory. */
void answer_hello(struct owner *owner);
/* Answers with script.feed. */
void answer_feed(struct owner *owner);

/* What the client has got behind the first head. */
struct span got_body(void);
/* The client reads for so long, then stands still for so long. */
void read_and_stop(uint64_t read_ms, uint64_t still_ms);

#endif
