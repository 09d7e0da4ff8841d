#include "proxy/stream/tls_context_parts.h"

#include "base/err.h"

#include <dirent.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static const char expected_ca[] = "a PEM file with the certificates to trust (BEGIN CERTIFICATE)";

/* A certificate that is named is trusted by itself, whoever has signed it. */
static int trust_file(SSL_CTX *ssl, const char *file, const struct tls_report *report)
{
    int err = tls_readable(report, file, expected_ca);

    X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (err || SSL_CTX_load_verify_file(ssl, file) == 1) {
        return err;
    }
    return tls_complain(report, file, "%s; expected %s", tls_last_error(), expected_ca);
}

/* As c_rehash(1) names certificates: the hash of the subject, and a number. */
static bool is_hashed_name(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == 8 && name[8] == '.' && name[9] != '\0' &&
           strspn(name + 9, "0123456789") == strlen(name + 9);
}

static bool has_hashed_names(const char *folder)
{
    DIR *dir = opendir(folder);
    bool found = false;

    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        found = is_hashed_name(entry->d_name);
    }
    closedir(dir);
    return found;
}

/* The system's certificates, where it can be each when it is asked for. Debian has all of them in
 * one file, too, which OpenSSL would read first: 50 ms at each start and each reload. */
static void trust_system(SSL_CTX *ssl)
{
    const char *folder = getenv(X509_get_default_cert_dir_env());

    folder = folder ? folder : X509_get_default_cert_dir();
    if (getenv(X509_get_default_cert_file_env()) || !has_hashed_names(folder) ||
        SSL_CTX_load_verify_dir(ssl, folder) != 1) {
        SSL_CTX_set_default_verify_paths(ssl);
    }
}

int tls_client_new(const struct tls_client_options *options, const struct tls_report *report,
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
