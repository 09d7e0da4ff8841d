/* tls_tickets - the keys that seal session tickets, and their rotation (RFC 5077). */
#include "proxy/stream/tls_context_parts.h"

#include "base/clock.h"
#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

#define ROTATE_MS (12ULL * 60 * 60 * 1000)

enum { KEYS = 3, NAME_LEN = 16, SECRET_LEN = 32, CIPHER_IV_LEN = 16 };

struct key {
    unsigned char name[NAME_LEN];
    unsigned char cipher[SECRET_LEN];
    unsigned char mac[SECRET_LEN];
};

/* The lock is held while some bytes are copied, once in a handshake. */
struct tls_tickets {
    atomic_int refs;
    pthread_mutex_t lock;
    struct key keys[KEYS]; /* the newest first */
    size_t count;
    uint64_t made_ms;
    EVP_CIPHER *cipher;
};

/* ---- keys ---- */

static void push_key(struct tls_tickets *tickets)
{
    memmove(tickets->keys + 1, tickets->keys, sizeof(tickets->keys) - sizeof(tickets->keys[0]));
    tickets->count += tickets->count < KEYS;
    tickets->made_ms = clock_mono_ms();
    CHECK(RAND_priv_bytes((unsigned char *)&tickets->keys[0], sizeof(tickets->keys[0])) == 1);
}

void tls_tickets_rotate(struct tls_tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    push_key(tickets);
    pthread_mutex_unlock(&tickets->lock);
}

static void newest_key(struct tls_tickets *tickets, struct key *out)
{
    pthread_mutex_lock(&tickets->lock);
    if (clock_mono_ms() - tickets->made_ms >= ROTATE_MS) {
        push_key(tickets);
    }
    *out = tickets->keys[0];
    pthread_mutex_unlock(&tickets->lock);
}

/* The age of the key with this name, in rotations; -1: there is no such key. */
static int find_key(struct tls_tickets *tickets, const unsigned char *name, struct key *out)
{
    int found = -1;

    pthread_mutex_lock(&tickets->lock);
    for (size_t i = 0; found < 0 && i < tickets->count; i++) {
        if (memcmp(tickets->keys[i].name, name, NAME_LEN) == 0) {
            *out = tickets->keys[i];
            found = (int)i;
        }
    }
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

/* ---- OpenSSL calls in ---- */

/* What a callback says: a full handshake; resume; resume, and give a new ticket. */
enum { TICKET_UNKNOWN = 0, TICKET_GOOD = 1, TICKET_OLD = 2, TICKET_FAILED = -1 };

static bool set_mac(EVP_MAC_CTX *mac, struct key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, SECRET_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal_ticket(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, struct key *key)
{
    newest_key(tickets, key);
    memcpy(name, key->name, NAME_LEN);
    bool good = RAND_bytes(iv, CIPHER_IV_LEN) == 1 &&
                EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) == 1 &&
                set_mac(mac, key);
    return good ? TICKET_GOOD : TICKET_FAILED;
}

static int open_ticket(struct tls_tickets *tickets, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                       struct key *key)
{
    int age = find_key(tickets, name, key);

    if (age < 0) {
        return TICKET_UNKNOWN;
    }
    bool good = EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) == 1 &&
                set_mac(mac, key);
    if (!good) {
        return TICKET_FAILED;
    }
    return age == 0 ? TICKET_GOOD : TICKET_OLD;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_new)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_tickets *tickets = context->tickets;
    struct key key;

    int result = is_new ? seal_ticket(tickets, name, iv, cipher, mac, &key)
                        : open_ticket(tickets, name, iv, cipher, mac, &key);
    if (result == TICKET_GOOD && !is_new && SSL_version(ssl) == TLS1_3_VERSION) {
        result = TICKET_OLD; /* each is used once (RFC 8446 C.4): the client needs another */
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}

void tls_tickets_use(SSL_CTX *ssl)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}

/* ---- life ---- */

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *tickets = xcalloc(1, sizeof(*tickets));

    atomic_init(&tickets->refs, 1);
    pthread_mutex_init(&tickets->lock, NULL);
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    CHECK(tickets->cipher);
    push_key(tickets);
    return tickets;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets)
{
    atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
    return tickets;
}

void tls_tickets_unref(struct tls_tickets **slot)
{
    struct tls_tickets *tickets = *slot;

    *slot = NULL;
    if (!tickets || atomic_fetch_sub_explicit(&tickets->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    EVP_CIPHER_free(tickets->cipher);
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
    free(tickets);
}
