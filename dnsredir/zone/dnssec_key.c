#include "dnsredir/zone/dnssec_key.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64 << 10)
#define COORDINATE_LEN 32
#define DER_MAX 80 /* longest signature in DER: two numbers of 33 bytes with their headers */

enum { FLAGS_ENTRY_POINT = 257, PROTOCOL = 3 };

__attribute__((format(printf, 3, 4))) static int fail(char *fault, int err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fault, DNSSEC_FAULT_MAX, format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return err;
}

/* No passphrase is asked for: who would type it at a reload? */
static int no_passphrase(char *room, int size, int writing, void *arg)
{
    return -1;
}

/* ---- the two halves ---- */

/* A number of the key as COORDINATE_LEN bytes. */
static bool get_number(const EVP_PKEY *pkey, const char *name, uint8_t *out)
{
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
                BN_bn2binpad(number, out, COORDINATE_LEN) == COORDINATE_LEN;

    BN_clear_free(number);
    return good;
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32] = "";
    size_t len = 0;

    return EVP_PKEY_is_a(pkey, "EC") == 1 &&
           EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                          &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* Derives the key with which ids of signatures are hashed. Nobody without the private key can aim
 * for collisions, and it stays the same as long as the private key does. */
static bool derive_hash(const EVP_PKEY *pkey, struct sip_key *out)
{
    static const char label[] = "larder-dns: names of signatures";
    uint8_t bytes[sizeof(label) + COORDINATE_LEN];
    uint8_t digest[DNSSEC_DIGEST_LEN];

    memcpy(bytes, label, sizeof(label));
    bool good = get_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY, bytes + sizeof(label));
    dnssec_digest(span_of(bytes, sizeof(bytes)), digest);
    memcpy(&out->k0, digest, sizeof(out->k0));
    memcpy(&out->k1, digest + sizeof(out->k0), sizeof(out->k1));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(digest, sizeof(digest));
    return good;
}

/* Do the halves belong together? */
static bool signs_well(const struct dnssec_key *key)
{
    static const uint8_t probe[] = "probe";
    uint8_t der[DER_MAX];
    size_t len = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestSign(context, der, &len, probe, sizeof(probe)) == 1 &&
                EVP_MD_CTX_reset(context) == 1 &&
                EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestVerify(context, der, len, probe, sizeof(probe)) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* Takes over `pkey`; NULL when it is no key of ours. */
static struct dnssec_key *key_of(EVP_PKEY *pkey)
{
    struct dnssec_key *key = xcalloc(1, sizeof(*key));
    uint8_t *public = key->dnskey + 4;

    key->pkey = pkey;
    key->dnskey[0] = FLAGS_ENTRY_POINT >> 8;
    key->dnskey[1] = FLAGS_ENTRY_POINT & 0xff;
    key->dnskey[2] = PROTOCOL;
    key->dnskey[3] = DNSSEC_ALGORITHM;
    if (!get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, public) ||
        !get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, public + COORDINATE_LEN) ||
        !derive_hash(pkey, &key->hash) || !signs_well(key)) {
        dnssec_key_free(&key);
        return NULL;
    }
    key->tag = dnssec_tag(key->dnskey, sizeof(key->dnskey));
    return key;
}

/* ---- files ---- */

/* The file, when nobody can read it who should not. */
static int open_guarded(const char *path, FILE **out, char *fault)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err = 0;

    if (fd < 0) {
        return fail(fault, -errno, "cannot be read: %s", err_text(-errno));
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX) {
        err = fail(fault, ERR_SYNTAX, "not the file of a key");
    } else if (status.st_mode & (S_IRWXO | S_IWGRP)) {
        err =
            fail(fault, ERR_REFUSED, "others can get at the key (mode %04o); expected 0640 or 0600",
                 (unsigned)status.st_mode & 07777u);
    }
    *out = err ? NULL : fdopen(fd, "r");
    if (!*out) {
        close(fd);
        return err ? err : fail(fault, ERR_IO, "cannot be read");
    }
    return 0;
}

int dnssec_key_load(const char *path, struct dnssec_key **out, char *fault)
{
    FILE *file = NULL;
    int err = open_guarded(path, &file, fault);

    *out = NULL;
    if (err) {
        return err;
    }
    EVP_PKEY *pkey = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (!pkey) {
        return fail(fault, ERR_SYNTAX,
                    "no private key in PEM, or one with a passphrase; larder-dns --make-key "
                    "makes one");
    }
    if (!is_p256(pkey)) {
        EVP_PKEY_free(pkey);
        return fail(fault, ERR_UNSUPPORTED, "not a key on the curve P-256 (algorithm 13)");
    }
    *out = key_of(pkey);
    return *out ? 0 : fail(fault, ERR_SYNTAX, "its public half is not of its private half");
}

void dnssec_key_free(struct dnssec_key **key)
{
    if (*key) {
        EVP_PKEY_free((*key)->pkey);
        OPENSSL_cleanse(*key, sizeof(**key));
        free(*key);
        *key = NULL;
    }
}

/* Writes and syncs; closes `fd`. */
static int write_key(int fd, EVP_PKEY *pkey)
{
    FILE *file = fdopen(fd, "w");

    if (!file) {
        close(fd);
        return ERR_IO;
    }
    bool good = PEM_write_PKCS8PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
                fflush(file) == 0 && fsync(fd) == 0;
    return fclose(file) == 0 && good ? 0 : ERR_IO;
}

int dnssec_key_make(const char *path, char *fault)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    if (!pkey) {
        return fail(fault, ERR_IO, "no key could be made");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int err = fd < 0 ? fail(fault, -errno, "cannot be written: %s", err_text(-errno)) : 0;
    if (!err && write_key(fd, pkey)) {
        unlink(path);
        err = fail(fault, ERR_IO, "cannot be written whole");
    }
    EVP_PKEY_free(pkey);
    return err;
}

/* ---- signing ---- */

/* The two numbers of a signature as RFC 6605 4 wants them. */
static bool flatten(const uint8_t *der, size_t len, uint8_t *out)
{
    const BIGNUM *r, *s;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);

    if (!signature) {
        return false;
    }
    ECDSA_SIG_get0(signature, &r, &s);
    bool good = BN_bn2binpad(r, out, COORDINATE_LEN) == COORDINATE_LEN &&
                BN_bn2binpad(s, out + COORDINATE_LEN, COORDINATE_LEN) == COORDINATE_LEN;
    ECDSA_SIG_free(signature);
    return good;
}

int dnssec_key_sign(const struct dnssec_key *key, struct span bytes, uint8_t *out)
{
    uint8_t der[DER_MAX];
    size_t len = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestSign(context, der, &len, (const uint8_t *)bytes.at, bytes.len) == 1 &&
                flatten(der, len, out);
    EVP_MD_CTX_free(context);
    if (!good) {
        ERR_clear_error();
    }
    return good ? 0 : ERR_IO;
}

void dnssec_digest(struct span bytes, uint8_t *out)
{
    unsigned len = 0;

    CHECK(EVP_Digest(bytes.at, bytes.len, out, &len, EVP_sha256(), NULL) == 1 &&
          len == DNSSEC_DIGEST_LEN);
}

uint16_t dnssec_tag(const uint8_t *dnskey, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? dnskey[i] : (uint32_t)dnskey[i] << 8;
    }
    return (uint16_t)(sum + (sum >> 16));
}
