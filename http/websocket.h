/*
 * websocket - the two fields by which the ends of a WebSocket handshake in HTTP/1.1 know each other
 * (RFC 6455 4.1, 4.2.2). HTTP/2 has none (RFC 8441 5), so whoever stands between makes them. Pure.
 */
#ifndef LARDER_HTTP_WEBSOCKET_H
#define LARDER_HTTP_WEBSOCKET_H

#include "base/span.h"

#define WEBSOCKET_NONCE 16
#define WEBSOCKET_KEY 24
#define WEBSOCKET_ACCEPT 28

/* Sec-WebSocket-Key of 16 random bytes. */
void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE], char out[WEBSOCKET_KEY]);

/* The Sec-WebSocket-Accept that answers a key. */
void websocket_accept(struct span key, char out[WEBSOCKET_ACCEPT]);

#endif
