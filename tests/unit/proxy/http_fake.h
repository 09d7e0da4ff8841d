/*
 * http_fake - an origin for tests, on the loop under test: answers each request head with
 * "200 OK" and the body "ok", on one address and port.
 */
#ifndef LARDER_TESTS_HTTP_FAKE_H
#define LARDER_TESTS_HTTP_FAKE_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct http_fake {
    uv_tcp_t listener;
    uint16_t port;
    struct list connections;
    unsigned accepted;
    unsigned requests;
    unsigned live;    /* connections that are open */
    bool mute;        /* answers nothing */
    bool hang_up;     /* closes on a request instead of answering it */
    bool close_after; /* answers, then closes without having said so */
    bool deaf;        /* accepts, and reads nothing */
    bool only_http2;  /* refuses the ALPN of whatever it is sent first (RFC 7301 3.2) */
};

/* port 0: any. */
void http_fake_open(struct http_fake *fake, uv_loop_t *loop, const char *address, uint16_t port);
/* Closes the connections, not the listener. */
void http_fake_hang_up(struct http_fake *fake);
void http_fake_close(struct http_fake *fake);

/* A port of `address` at which SYNs get no answer, until silence_end(). */
struct silence {
    int listener;
    int filler;
};
void silence_begin(struct silence *silence, const char *address, uint16_t port);
void silence_end(struct silence *silence);

#endif
