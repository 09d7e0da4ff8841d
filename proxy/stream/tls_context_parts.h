/*
 * tls_context_parts - the inside of a context, only for the files it is made of (tls_context.c,
 * tls_server.c, tls_client.c, tls_print.c, tls_tickets.c) and for tls.c.
 */
#ifndef LARDER_PROXY_STREAM_TLS_CONTEXT_PARTS_H
#define LARDER_PROXY_STREAM_TLS_CONTEXT_PARTS_H

#include "proxy/stream/tls_context.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_tickets;

/* A certificate and the names it is for. */
struct tls_identity {
    SSL_CTX *ssl;
    struct span *names; /* lower case, may begin with "*." */
    size_t name_count;
};

/* Digest of the options and files that a context was made of; see tls_print.c. */
struct tls_print {
    bool is_known; /* false: it equals no other */
    unsigned char digest[32];
};

struct tls_context {
    atomic_int refs;
    uint64_t serial;
    unsigned alpn;
    bool is_server;
    bool verify;                     /* client */
    struct tls_tickets *tickets;     /* server */
    int64_t expires;                 /* server: when its first certificate expires */
    char *expiring;                  /* file of that certificate */
    struct tls_identity *identities; /* a client has one, without names */
    size_t count;
    struct tls_print print;
};

/* ---- tls_context.c ---- */

/* Once per process: from now on OpenSSL's memory is counted. */
void tls_start(void);
struct tls_context *tls_context_new(unsigned alpn, bool is_server, size_t count);
/* Sets the digest: those before and after reading the files differ if a file was changed
 * meanwhile. */
void tls_context_print(struct tls_context *context, const struct tls_print *before,
                       struct tls_print after);
/* Makes an SSL_CTX with the settings common to both roles. */
SSL_CTX *tls_ssl_new(const SSL_METHOD *method);
/* Adds a line to the report. Returns ERR_CONFIG. */
__attribute__((format(printf, 3, 4))) int tls_complain(const struct tls_report *report,
                                                       const char *file, const char *format, ...);
/* OpenSSL's last error as text for people; empties its queue. Static storage. */
const char *tls_last_error(void);
/* Reports a file that cannot be read. 0 or ERR_CONFIG. */
int tls_readable(const struct tls_report *report, const char *file, const char *expected);
/* The list for SSL_CTX_set_alpn_protos(), and for choosing: h2 first. */
struct span tls_alpn_list(unsigned alpn);

/* ---- tls_server.c ---- */

/* The certificate for a name; the first one if none is for that name. */
const struct tls_identity *tls_choose(const struct tls_context *context, struct span name);

/* ---- tls_client.c ---- */

/* Where the system keeps trusted certificates: folders, separated by ':' and to be freed by the
 * caller, and a file. */
struct tls_system {
    char *folders;
    const char *file;
};
struct tls_system tls_system(void);
/* Called by OpenSSL when a session can be resumed. Implemented in tls.c. */
int tls_on_session(SSL *ssl, SSL_SESSION *session);

/* ---- tls_print.c: the digest of options and files as they are now ---- */

/* Reads the files. */
struct tls_print tls_print_server(const struct tls_server_options *options);
struct tls_print tls_print_client(const struct tls_client_options *options);
bool tls_print_same(const struct tls_print *a, const struct tls_print *b);

/* ---- tls_tickets.c: keys of session tickets (RFC 5077, RFC 8446 4.6.1) ---- */

struct tls_tickets *tls_tickets_new(void);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
void tls_tickets_unref(struct tls_tickets **tickets);
/* Makes a server's context use these keys. */
void tls_tickets_use(SSL_CTX *ssl);
/* Makes a new key for new tickets; the two before it still open theirs. Also happens every 12
 * hours. */
void tls_tickets_rotate(struct tls_tickets *tickets);

#endif
