/*
 * client_parts - the inside of client, for the files it is made of: client.c (connections,
 * requests) and client_response.c. `until` is a time of clock_mono_ms().
 */
#ifndef LARDER_TESTS_CLIENT_PARTS_H
#define LARDER_TESTS_CLIENT_PARTS_H

#include "tests/lib/client.h"

/* Waits for more bytes and appends them to client->in. CLIENT_CLOSED at the end. */
enum client_outcome client_read_more(struct client *client, uint64_t until);
/* Reads until client->in holds `end`; *len counts the bytes up to and with it. CLIENT_MALFORMED
 * when more than `most` bytes have none. */
enum client_outcome client_read_to(struct client *client, struct span end, size_t most,
                                   uint64_t until, size_t *len);

#endif
