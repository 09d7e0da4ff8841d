/*
 * client - a blocking HTTP/1 client for tests: sends whatever it is told, and reads a response by
 * rules of its own, stricter than a browser's. Nothing of our own HTTP code. One thread each.
 */
#ifndef LARDER_TESTS_CLIENT_H
#define LARDER_TESTS_CLIENT_H

#include "base/buf.h"

struct client {
    int fd; /* -1: not connected */
    struct buf in;
};

#define CLIENT_MS 60000 /* patience where none is given */

/* Why there is no whole response. */
enum client_outcome {
    CLIENT_OK,
    CLIENT_CLOSED,    /* the connection ended before the first byte */
    CLIENT_TRUNCATED, /* … after it, before the end of the message */
    CLIENT_RESET,
    CLIENT_TIMEOUT,
    CLIENT_MALFORMED,
};
const char *client_outcome_text(enum client_outcome outcome);

struct client_response {
    int status;
    char *head; /* with its empty line, NUL-terminated */
    size_t head_len;
    char *interims; /* the 1xx heads before it, one after the other; NULL: none */
    size_t interims_len;
    unsigned interim_count;
    char *body; /* without the framing, NUL-terminated; what there was of it when truncated */
    size_t body_len;
    bool chunked;
    bool until_close; /* the connection's end was the body's */
    char *trailers;   /* lines behind the last chunk; NULL: none */
};

/* To 127.0.0.1, or to "address:port". False: nobody there. */
bool client_open(struct client *client, uint16_t port);
bool client_open_at(struct client *client, const char *endpoint);
/* Harmless on a closed one. */
void client_close(struct client *client);
void client_reset(struct client *client); /* closes with RST */
void client_shut(struct client *client);  /* sends FIN, reads on */

/* False: the connection broke. */
bool client_send(struct client *client, struct span bytes);
__attribute__((format(printf, 2, 3))) bool client_sendf(struct client *client, const char *format,
                                                        ...);

/* The response to a request with this method ("GET"); within `ms` in all. *response is filled as
 * far as it came, and always given back with client_response_fini(). */
enum client_outcome client_read(struct client *client, const char *method, unsigned ms,
                                struct client_response *response);
void client_response_fini(struct client_response *response);

/* Bytes as they come: at least 1 and at most `size`. 0: the end, a reset or `ms` without any. */
size_t client_read_some(struct client *client, void *out, size_t size, unsigned ms);
/* Exactly `size` of them. */
bool client_read_exactly(struct client *client, void *out, size_t size, unsigned ms);
/* The peer has closed, or does so within `ms`, without sending anything more. */
bool client_at_end(struct client *client, unsigned ms);

/* The value of the first line of this field; a NULL pointer when there is none. And how many lines
 * there are. */
struct span client_field(const struct client_response *response, const char *name);
unsigned client_field_count(const struct client_response *response, const char *name);
/* A member of the comma-separated lines of this field, without case. */
bool client_field_has(const struct client_response *response, const char *name, const char *member);

/*
 * One request on a connection of its own: GET, absolute-form, Host from `url`
 * ("http://host:port/path"), `lines` (NULL, or header lines with their CRLF) and Connection: close.
 */
enum client_outcome client_get(uint16_t proxy_port, const char *url, const char *lines,
                               struct client_response *response);
/* The same on an open connection that stays open. */
bool client_ask(struct client *client, const char *method, const char *url, const char *lines);

#endif
