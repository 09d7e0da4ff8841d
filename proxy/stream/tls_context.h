/*
 * tls_context - what TLS connections of one kind share: certificates and ticket keys of a listener,
 * or whom a client trusts. TLS 1.2 and 1.3 only, with those ciphers of Mozilla's "intermediate"
 * list that use elliptic curves for forward secrecy; no compression, renegotiation or early data.
 * Immutable, counted, thread-safe. Only proxy/stream/tls* uses OpenSSL.
 */
#ifndef LARDER_PROXY_STREAM_TLS_CONTEXT_H
#define LARDER_PROXY_STREAM_TLS_CONTEXT_H

#include "base/buf.h"
#include "base/check.h"

/* The protocol selected by ALPN (RFC 7301). */
enum alpn { ALPN_NONE, ALPN_HTTP1, ALPN_H2 };

struct tls_context;

/* PEM files: a certificate followed by its chain, and the key. */
struct tls_files {
    const char *certificate;
    const char *key;
};

struct tls_server_options {
    const char *identity; /* of the listener: sessions of other listeners are not resumed */
    const struct tls_files
        *files;    /* the first one is for clients that send no name, or an unknown one */
    size_t count;  /* at least 1 */
    unsigned alpn; /* BIT(ALPN_…) of supported protocols */
    struct tls_context *before; /* its ticket keys are kept; or NULL; see below */
};

struct tls_client_options {
    const char *ca; /* PEM file of certificates to trust; NULL: those of the system */
    bool verify;    /* false: any certificate is accepted */
    unsigned alpn;  /* BIT(ALPN_…) of protocols to offer */
    struct tls_context *const *before; /* each may be NULL; see below */
    size_t before_count;
};

/* Faults of files, one line each: "FILE: what; expected …". `warnings`: what works now but not for
 * long. */
struct tls_report {
    struct buf *errors;
    struct buf *warnings;
};

/* Makes a context; *out has one reference. ERR_CONFIG after reporting every error. If the options
 * and the content of the files are those of a context in `before`, that one is returned, so that
 * its sessions and connections stay valid. */
int tls_server_new(const struct tls_server_options *options, const struct tls_report *report,
                   struct tls_context **out);
int tls_client_new(const struct tls_client_options *options, const struct tls_report *report,
                   struct tls_context **out);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context); /* accepts NULL; sets it to NULL */

/* Unique among all contexts ever made; never 0. */
uint64_t tls_context_serial(const struct tls_context *context);

/* When the first certificate of a listener expires, in seconds since 1970, and its file (borrowed).
 * INT64_MAX: it has no certificates. */
int64_t tls_context_expires(const struct tls_context *context, const char **file);

/* How many days before its end a certificate is warned of. */
#define TLS_EXPIRY_DAYS 30

#endif
