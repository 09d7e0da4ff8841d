/*
 * Certificates, and which of them a client gets. The choice is made at the ClientHello, before a
 * session is looked for: so a session of one name is never resumed under another.
 */
#include "proxy/stream/tls_context_parts.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

static const char expected_certificate[] =
    "a PEM file with the certificate and, behind it, its chain (BEGIN CERTIFICATE)";
static const char expected_key[] = "a PEM file with the certificate's key (BEGIN PRIVATE KEY)";

enum { SESSION_SECONDS = 24 * 60 * 60 };

/* ---- names ---- */

static void add_name(struct tls_identity *identity, struct span name)
{
    char *copy = xmalloc(name.len + 1);

    for (size_t i = 0; i < name.len; i++) {
        copy[i] = ascii_lower(name.at[i]);
    }
    copy[name.len] = '\0';
    identity->names =
        xrealloc(identity->names, (identity->name_count + 1) * sizeof(*identity->names));
    identity->names[identity->name_count++] = span_of(copy, name.len);
}

static void read_names(struct tls_identity *identity, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char common[256];

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            add_name(identity, span_of(ASN1_STRING_get0_data(name->d.dNSName),
                                       (size_t)ASN1_STRING_length(name->d.dNSName)));
        }
    }
    if (!names && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                            common, sizeof(common)) > 0) {
        add_name(identity, span_str(common));
    }
    GENERAL_NAMES_free(names);
}

/* "*.example.net" is for www.example.net, and for nothing deeper. */
static bool is_below(struct span name, struct span pattern)
{
    return span_starts(pattern, SPAN("*.")) && span_find(name, '.') > 0 &&
           span_ieq(span_skip(name, span_find(name, '.')), span_skip(pattern, 1));
}

static const struct tls_identity *find_name(const struct tls_context *context, struct span name,
                                            bool below)
{
    for (size_t i = 0; i < context->count; i++) {
        const struct tls_identity *identity = &context->identities[i];
        for (size_t j = 0; j < identity->name_count; j++) {
            struct span own = identity->names[j];
            if (below ? is_below(name, own) : span_ieq(name, own)) {
                return identity;
            }
        }
    }
    return NULL;
}

const struct tls_identity *tls_choose(const struct tls_context *context, struct span name)
{
    const struct tls_identity *found = NULL;

    if (name.len) {
        found = find_name(context, name, false);
        found = found ? found : find_name(context, name, true);
    }
    return found ? found : &context->identities[0];
}

/* ---- OpenSSL calls in ---- */

/* The host_name of RFC 6066 3; empty when there is none, or none that can be read. */
static struct span asked_name(SSL *ssl)
{
    const unsigned char *at;
    size_t len;

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len)) {
        return SPAN_EMPTY;
    }
    struct wire_in in = wire_in_of(at, len);
    wire_get_u16(&in);
    bool is_host = wire_get_u8(&in) == TLSEXT_NAMETYPE_host_name;
    struct span name = wire_get_span(&in, wire_get_u16(&in));
    return is_host && !in.failed ? name : SPAN_EMPTY;
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_identity *identity = tls_choose(arg, asked_name(ssl));

    if (identity->ssl != SSL_get_SSL_CTX(ssl)) {
        SSL_set_SSL_CTX(ssl, identity->ssl);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* The name was handled at the ClientHello. Without this callback it would not be confirmed to the
 * client. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK
                                                              : SSL_TLSEXT_ERR_NOACK;
}

/* Refuses a client that offers protocols, but none of ours: it means another service (RFC 7301 3.2,
 * "ALPACA"). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *offered, unsigned len, void *arg)
{
    const struct tls_context *context = arg;
    struct span ours = tls_alpn_list(context->alpn);
    unsigned char *chosen;

    int found = SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours.at,
                                      (unsigned)ours.len, offered, len);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Never asks: a proxy has no terminal. */
static int on_password(char *room, int size, int writing, void *arg)
{
    *(bool *)arg = true;
    return -1;
}

/* ---- files ---- */

static int load_certificate(SSL_CTX *ssl, const char *file, const struct tls_report *report)
{
    int err = tls_readable(report, file, expected_certificate);

    if (err || SSL_CTX_use_certificate_chain_file(ssl, file) == 1) {
        return err;
    }
    return tls_complain(report, file, "%s; expected %s", tls_last_error(), expected_certificate);
}

static bool is_mismatch(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_X509 &&
           (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
            ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
}

static int load_key(SSL_CTX *ssl, const struct tls_files *files, const struct tls_report *report)
{
    bool is_locked = false;
    int err = tls_readable(report, files->key, expected_key);

    if (err) {
        return err;
    }
    SSL_CTX_set_default_passwd_cb(ssl, on_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &is_locked);
    bool is_loaded = SSL_CTX_use_PrivateKey_file(ssl, files->key, SSL_FILETYPE_PEM) == 1;
    /* A key of another kind is loaded all the same, beside the certificate. */
    if (is_loaded && SSL_CTX_check_private_key(ssl) == 1) {
        return 0;
    }
    if (is_loaded || is_mismatch(ERR_peek_last_error())) {
        ERR_clear_error();
        return tls_complain(report, files->key,
                            "not the key of %s; expected the one that this certificate was made "
                            "for",
                            files->certificate);
    }
    const char *why = tls_last_error();
    return tls_complain(report, files->key, "%s; expected %s",
                        is_locked ? "locked with a passphrase" : why, expected_key);
}

static void warn_of_end(const char *file, const X509 *certificate, const struct tls_report *report)
{
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    int days, seconds;
    struct tm when;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, end) || !ASN1_TIME_to_tm(end, &when) ||
        days >= TLS_EXPIRY_DAYS) {
        return;
    }
    buf_printf(report->warnings, "%s: the certificate %s on %04d-%02d-%02d\n", file,
               days < 0 || seconds < 0 ? "has expired" : "expires", when.tm_year + 1900,
               when.tm_mon + 1, when.tm_mday);
}

/* Remembers the certificate of the listener that expires first. */
static void keep_end(struct tls_context *context, const char *file, const X509 *certificate)
{
    int days, seconds;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate))) {
        return;
    }
    int64_t end = clock_wall() + (int64_t)days * 86400 + seconds;
    if (context->expiring == NULL || end < context->expires) {
        free(context->expiring);
        context->expires = end;
        context->expiring = xspandup(span_str(file));
    }
}

/* ---- life ---- */

/* A session belongs to a listener and one of its certificates, by the file's name: it may be
 * renewed. */
static void set_session_identity(SSL_CTX *ssl, const char *identity, const char *file)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[4096 + 256];

    int size = snprintf(text, sizeof(text), "%s %s", identity, file);
    size_t used = (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1;
    CHECK(EVP_Digest(text, used, digest, &len, EVP_sha256(), NULL) == 1);
    CHECK(SSL_CTX_set_session_id_context(ssl, digest, SSL_MAX_SID_CTX_LENGTH) == 1);
}

static void set_callbacks(SSL_CTX *ssl, struct tls_context *context)
{
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_client_hello_cb(ssl, on_hello, context);
    SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, context);
    /* The client keeps its session: no table here, and so no lock. */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ssl, SESSION_SECONDS);
    tls_tickets_use(ssl);
}

static int identity_init(struct tls_context *context, struct tls_identity *identity,
                         const char *listener, const struct tls_files *files,
                         const struct tls_report *report)
{
    identity->ssl = tls_ssl_new(TLS_server_method());
    set_callbacks(identity->ssl, context);
    set_session_identity(identity->ssl, listener, files->certificate);
    int err = load_certificate(identity->ssl, files->certificate, report);
    if (err) {
        tls_readable(report, files->key, expected_key); /* more can be said without the other */
    } else {
        err = load_key(identity->ssl, files, report);
    }
    if (!err) {
        const X509 *certificate = SSL_CTX_get0_certificate(identity->ssl);
        read_names(identity, certificate);
        warn_of_end(files->certificate, certificate, report);
        keep_end(context, files->certificate, certificate);
    }
    return err;
}

/* Keeps a context that is still right. What is to be logged of its certificates is logged again. */
static struct tls_context *keep(const struct tls_server_options *options,
                                const struct tls_report *report)
{
    const struct tls_context *before = options->before;

    for (size_t i = 0; i < before->count; i++) {
        warn_of_end(options->files[i].certificate,
                    SSL_CTX_get0_certificate(before->identities[i].ssl), report);
    }
    return tls_context_ref(options->before);
}

int tls_server_new(const struct tls_server_options *options, const struct tls_report *report,
                   struct tls_context **out)
{
    struct tls_print print = tls_print_server(options);

    CHECK(options->count > 0 && options->alpn);
    if (options->before && tls_print_same(&options->before->print, &print)) {
        *out = keep(options, report);
        return 0;
    }
    struct tls_context *context = tls_context_new(options->alpn, true, options->count);
    int err = 0;
    context->tickets =
        options->before ? tls_tickets_ref(options->before->tickets) : tls_tickets_new();
    for (size_t i = 0; i < options->count; i++) {
        int one = identity_init(context, &context->identities[i], options->identity,
                                &options->files[i], report);
        err = err ? err : one;
    }
    if (err) {
        tls_context_unref(&context);
    } else {
        tls_context_print(context, &print, tls_print_server(options));
    }
    *out = context;
    return err;
}
