/* tls_client - TLS contexts for connections to origins: which certificates are trusted, and for
 * which names. */
#include "proxy/stream/tls_context_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>

static const char expected_ca[] = "a PEM file with the certificates to trust (BEGIN CERTIFICATE)";

/* Trusts the certificates of a file, whoever has signed them. */
static int trust_file(SSL_CTX *ssl, const char *file, const struct tls_report *report)
{
    int err = tls_readable(report, file, expected_ca);

    X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (err || SSL_CTX_load_verify_file(ssl, file) == 1) {
        return err;
    }
    return tls_complain(report, file, "%s; expected %s", tls_last_error(), expected_ca);
}

/* ---- the system's certificates ---- */

/* A file with all certificates, read when one is missing for the first time. */
struct bundle {
    const char *file;
    pthread_mutex_t lock;
    bool is_read;
};

static void free_bundle(X509_LOOKUP *lookup)
{
    struct bundle *bundle = X509_LOOKUP_get_method_data(lookup);

    pthread_mutex_destroy(&bundle->lock);
    free(bundle);
}

static X509 *find_in_store(X509_STORE *store, const X509_NAME *name)
{
    X509_STORE_lock(store);
    X509_OBJECT *found =
        X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), X509_LU_X509, name);
    X509 *certificate = found ? X509_OBJECT_get0_X509(found) : NULL;
    X509_STORE_unlock(store);
    return certificate;
}

/* Called when the store and the folder have no certificate of that name. */
static int find_in_bundle(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, const X509_NAME *name,
                          X509_OBJECT *out)
{
    struct bundle *bundle = X509_LOOKUP_get_method_data(lookup);

    if (type != X509_LU_X509) {
        return 0;
    }
    pthread_mutex_lock(&bundle->lock);
    if (!bundle->is_read) {
        bundle->is_read = true;
        X509_load_cert_crl_file(lookup, bundle->file, X509_FILETYPE_PEM);
        ERR_clear_error(); /* the file need not exist */
    }
    pthread_mutex_unlock(&bundle->lock);
    X509 *certificate = find_in_store(X509_LOOKUP_get_store(lookup), name);
    if (certificate == NULL) {
        return 0;
    }
    X509_OBJECT_set1_X509(out, certificate);
    X509_free(certificate); /* the caller takes what the store owns, and counts it itself */
    return 1;
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static X509_LOOKUP_METHOD *method;

static void make_method(void)
{
    method = X509_LOOKUP_meth_new("a bundle, read when it is needed");
    CHECK(method != NULL);
    X509_LOOKUP_meth_set_get_by_subject(method, find_in_bundle);
    X509_LOOKUP_meth_set_free(method, free_bundle);
}

struct tls_system tls_system(void)
{
    const char *folders = getenv(X509_get_default_cert_dir_env());
    const char *file = getenv(X509_get_default_cert_file_env());

    return (struct tls_system){
        .folders = xspandup(span_str(folders ? folders : X509_get_default_cert_dir())),
        .file = file ? file : X509_get_default_cert_file(),
    };
}

/* What SSL_CTX_set_default_verify_paths() trusts, read as it is needed: the folder first, which has
 * a file for each certificate. Debian has all of them in one file, too, and that takes 50 ms to
 * read: at each start, and at each reload. */
static void trust_system(SSL_CTX *ssl)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    struct tls_system system = tls_system();
    struct bundle *bundle = xcalloc(1, sizeof(*bundle));

    pthread_once(&method_once, make_method);
    X509_STORE_load_path(store, system.folders);
    free(system.folders);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, method);
    CHECK(lookup != NULL);
    bundle->file = system.file;
    pthread_mutex_init(&bundle->lock, NULL);
    X509_LOOKUP_set_method_data(lookup, bundle);
    ERR_clear_error();
}

/* ---- contexts ---- */

static int make(const struct tls_client_options *options, const struct tls_report *report,
                struct tls_context **out)
{
    struct tls_context *context = tls_context_new(options->alpn, false, 1);
    SSL_CTX *ssl = tls_ssl_new(TLS_client_method());
    struct span alpn = tls_alpn_list(options->alpn);
    int err = 0;

    context->identities[0].ssl = ssl;
    context->verify = options->verify;
    SSL_CTX_set_verify(ssl, options->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (options->ca) {
        err = trust_file(ssl, options->ca, report);
    } else if (options->verify) {
        trust_system(ssl);
    }
    CHECK(SSL_CTX_set_alpn_protos(ssl, (const unsigned char *)alpn.at, (unsigned)alpn.len) == 0);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, tls_on_session);
    if (err) {
        tls_context_unref(&context);
    }
    *out = context;
    return err;
}

int tls_client_new(const struct tls_client_options *options, const struct tls_report *report,
                   struct tls_context **out)
{
    struct tls_print print = tls_print_client(options);

    for (size_t i = 0; i < options->before_count; i++) {
        struct tls_context *before = options->before[i];
        if (before && tls_print_same(&before->print, &print)) {
            *out = tls_context_ref(before);
            return 0;
        }
    }
    int err = make(options, report, out);
    if (!err) {
        tls_context_print(*out, &print, tls_print_client(options));
    }
    return err;
}
