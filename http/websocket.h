/*
 * websocket - the two fields that authenticate a WebSocket handshake in HTTP/1.1 (RFC 6455 4.1,
 * 4.2.2). HTTP/2 has none (RFC 8441 5), so a gateway between both must make them. Pure.
 */
#ifndef LARDER_HTTP_WEBSOCKET_H
#define LARDER_HTTP_WEBSOCKET_H

#include "base/span.h"

#define WEBSOCKET_NONCE 16
#define WEBSOCKET_KEY 24
#define WEBSOCKET_ACCEPT 28

/* Makes a Sec-WebSocket-Key from 16 random bytes. */
void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE], char out[WEBSOCKET_KEY]);

/* Makes the Sec-WebSocket-Accept for a key. */
void websocket_accept(struct span key, char out[WEBSOCKET_ACCEPT]);

#endif
