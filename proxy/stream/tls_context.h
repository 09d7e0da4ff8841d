/*
 * tls_context - what TLS connections of one kind share: certificates and ticket keys of a listener,
 * or whom we trust as a client. TLS 1.2 and 1.3 only, with the ciphers of Mozilla's "intermediate"
 * list that are forward secret by elliptic curves; no compression, renegotiation or early data.
 *
 * Made once and then only read; counted; any thread. OpenSSL is seen by proxy/stream/tls* alone.
 */
#ifndef LARDER_PROXY_STREAM_TLS_CONTEXT_H
#define LARDER_PROXY_STREAM_TLS_CONTEXT_H

#include "base/buf.h"
#include "base/check.h"

/* The protocol agreed on by ALPN (RFC 7301). */
enum alpn { ALPN_NONE, ALPN_HTTP1, ALPN_H2 };

struct tls_context;

/* PEM: the certificate with its chain behind it, and its key. */
struct tls_files {
    const char *certificate;
    const char *key;
};

struct tls_server_options {
    const char *identity;          /* the listener's: a session of another is not resumed */
    const struct tls_files *files; /* the first is for who asks for no name, or an unknown one */
    size_t count;                  /* at least 1 */
    unsigned alpn;                 /* BIT(ALPN_…) of what is spoken */
    struct tls_context *before;    /* whose ticket keys are kept, or NULL; see below */
};

struct tls_client_options {
    const char *ca; /* PEM: whom to trust instead of the system's store; NULL: that */
    bool verify;    /* false: any certificate of anybody is accepted */
    unsigned alpn;  /* BIT(ALPN_…) of what is offered */
    struct tls_context *const *before; /* each may be NULL; see below */
    size_t before_count;
};

/* Where files are wrong: lines "FILE: what; expected …". `warnings`: what is good today only. */
struct tls_report {
    struct buf *errors;
    struct buf *warnings;
};

/* With one reference in *out; ERR_CONFIG after writing every error to the report. Where options and
 * the content of their files are those of a context in `before`, it is that one: its sessions, and
 * what hangs on its serial, stay good. */
int tls_server_new(const struct tls_server_options *options, const struct tls_report *report,
                   struct tls_context **out);
int tls_client_new(const struct tls_client_options *options, const struct tls_report *report,
                   struct tls_context **out);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context); /* accepts NULL; sets it to NULL */

/* Different for every context that was ever made; never 0. */
uint64_t tls_context_serial(const struct tls_context *context);

/* When the first of a listener's certificates ends, in seconds since 1970, and its file (borrowed);
 * INT64_MAX without certificates. */
int64_t tls_context_expires(const struct tls_context *context, const char **file);

/* Days before its end at which a certificate is warned of. */
#define TLS_EXPIRY_DAYS 30

#endif
