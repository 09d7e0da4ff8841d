#include "proxy/access/passwords.h"

#include "base/check.h"
#include "base/mem.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { MD5_LEN = 16, APR1_SALT_MAX = 8, APR1_ROUNDS = 1000, BCRYPT_LEN = 60, APR1_LEN = 22 };

struct password_room {
    struct crypt_data crypt;
    EVP_MD_CTX *md5;
};

struct password_room *password_room_new(void)
{
    struct password_room *room = xcalloc(1, sizeof(*room));

    room->md5 = EVP_MD_CTX_new();
    CHECK(room->md5 != NULL);
    return room;
}

void password_room_free(struct password_room **slot)
{
    struct password_room *room = *slot;

    *slot = NULL;
    if (room) {
        EVP_MD_CTX_free(room->md5);
        explicit_bzero(room, sizeof(*room));
        free(room);
    }
}

/* ---- apr1 ----
 *
 * MD5-crypt by Poul-Henning Kamp (FreeBSD, 1994) with another name: sixteen bytes stirred with
 * password and salt a thousand times. */

struct md5 {
    EVP_MD_CTX *context;
    bool failed; /* a system may refuse MD5 */
};

static void md5_begin(struct md5 *md5)
{
    md5->failed |= EVP_DigestInit_ex(md5->context, EVP_md5(), NULL) != 1;
}

static void md5_add(struct md5 *md5, struct span bytes)
{
    md5->failed |= md5->failed || EVP_DigestUpdate(md5->context, bytes.at, bytes.len) != 1;
}

static void md5_end(struct md5 *md5, unsigned char out[MD5_LEN])
{
    md5->failed |= md5->failed || EVP_DigestFinal_ex(md5->context, out, NULL) != 1;
}

static void apr1_first(struct md5 *md5, struct span password, struct span salt,
                       unsigned char out[MD5_LEN])
{
    unsigned char both[MD5_LEN];

    md5_begin(md5);
    md5_add(md5, password);
    md5_add(md5, salt);
    md5_add(md5, password);
    md5_end(md5, both);
    md5_begin(md5);
    md5_add(md5, password);
    md5_add(md5, SPAN("$apr1$"));
    md5_add(md5, salt);
    for (size_t left = password.len; left > 0; left -= left < MD5_LEN ? left : MD5_LEN) {
        md5_add(md5, span_of(both, left < MD5_LEN ? left : MD5_LEN));
    }
    for (size_t bits = password.len; bits > 0; bits >>= 1) {
        md5_add(md5, bits & 1 ? span_of("\0", 1) : span_take(password, 1));
    }
    md5_end(md5, out);
}

static void apr1_stir(struct md5 *md5, struct span password, struct span salt,
                      unsigned char state[MD5_LEN])
{
    struct span before = span_of(state, MD5_LEN);

    for (unsigned round = 0; round < APR1_ROUNDS; round++) {
        md5_begin(md5);
        md5_add(md5, round & 1 ? password : before);
        md5_add(md5, round % 3 ? salt : SPAN_EMPTY);
        md5_add(md5, round % 7 ? password : SPAN_EMPTY);
        md5_add(md5, round & 1 ? before : password);
        md5_end(md5, state);
    }
}

/* Six bits for each character, least significant first; the bytes in an order of their own. */
static void apr1_text(const unsigned char state[MD5_LEN], char out[APR1_LEN])
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const unsigned char order[][3] = {
        {0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        unsigned bits = (unsigned)state[order[i][0]] << 16 | (unsigned)state[order[i][1]] << 8 |
                        state[order[i][2]];
        for (int n = 0; n < 4; n++, bits >>= 6) {
            out[len++] = digits[bits & 63];
        }
    }
    out[len++] = digits[state[11] & 63];
    out[len] = digits[state[11] >> 6];
}

static bool apr1_check(struct password_room *room, struct span password, struct span hash)
{
    struct md5 md5 = {.context = room->md5};
    struct span rest = span_skip(hash, 6);
    struct span salt = span_take(span_cut(&rest, '$'), APR1_SALT_MAX);
    unsigned char state[MD5_LEN] = {0};
    char text[APR1_LEN];

    apr1_first(&md5, password, salt, state);
    apr1_stir(&md5, password, salt, state);
    apr1_text(state, text);
    return !md5.failed && rest.len == APR1_LEN && CRYPTO_memcmp(text, rest.at, APR1_LEN) == 0;
}

/* ---- all kinds ---- */

static bool is_apr1(struct span hash)
{
    return span_starts(hash, SPAN("$apr1$"));
}

static const char *apr1_fault(struct span hash)
{
    struct span rest = span_skip(hash, 6);
    struct span salt = span_cut(&rest, '$');

    return salt.len == 0 || salt.len > APR1_SALT_MAX || rest.len != APR1_LEN
               ? "it begins like apr1, but the rest is not valid"
               : NULL;
}

/* Who knows a name, and no password, would keep a thread from all others with each comparison, and
 * the process from ending, so one has to take seconds at most. The cost is the number behind the
 * prefix, or one of ./0-9A-Za-z. */
static bool is_endless(struct span hash)
{
    static const struct {
        struct span prefix;
        uint64_t most;
    } numbers[] = {
        {SPAN_INIT("$2a$"), 16},
        {SPAN_INIT("$2b$"), 16},
        {SPAN_INIT("$2x$"), 16},
        {SPAN_INIT("$2y$"), 16},
        {SPAN_INIT("$5$rounds="), 10000000},
        {SPAN_INIT("$6$rounds="), 10000000},
        {SPAN_INIT("$sha1$"), 10000000},
        {SPAN_INIT("$md5,rounds="), 10000000},
    };
    static const struct span letters[] = {SPAN_INIT("$7$"), SPAN_INIT("$y$j"), SPAN_INIT("$gy$j")};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct span rest = span_skip(hash, numbers[i].prefix.len);
        uint64_t cost;
        if (span_starts(hash, numbers[i].prefix)) {
            return !span_to_u64(span_cut(&rest, '$'), numbers[i].most, &cost);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        struct span rest = span_skip(hash, letters[i].len);
        if (span_starts(hash, letters[i])) {
            return rest.len && rest.at[0] > 'G'; /* 2^18 or 2^19 */
        }
    }
    return false;
}

const char *password_fault(struct span hash)
{
    char setting[PASSWORD_HASH_MAX + 1];

    if (hash.len == 0 || hash.len > PASSWORD_HASH_MAX) {
        return hash.len ? "it is too long for a hash" : "there is no hash";
    }
    if (is_apr1(hash)) {
        return apr1_fault(hash);
    }
    if (span_starts(hash, SPAN("{"))) {
        return "a bare SHA-1 or another hash without salt is cracked too fast";
    }
    if (hash.at[0] != '$') {
        return "it is not a hash, or one of DES";
    }
    memcpy(setting, hash.at, hash.len);
    setting[hash.len] = '\0';
    int known = crypt_checksalt(setting);
    if (known != CRYPT_SALT_OK && known != CRYPT_SALT_METHOD_LEGACY) {
        return "libcrypt does not know this kind of hash";
    }
    if (is_endless(hash)) {
        return "verifying it would take minutes";
    }
    bool bcrypt = span_starts(hash, SPAN("$2"));
    return (bcrypt && hash.len != BCRYPT_LEN) || hash.len < APR1_LEN ? "it is cut off" : NULL;
}

bool password_check(struct password_room *room, struct span password, struct span hash)
{
    char phrase[PASSWORD_MAX + 1], setting[PASSWORD_HASH_MAX + 1];

    CHECK(password.len <= PASSWORD_MAX && hash.len <= PASSWORD_HASH_MAX);
    if (is_apr1(hash)) {
        return apr1_check(room, password, hash);
    }
    memcpy(phrase, password.at ? password.at : "", password.len);
    phrase[password.len] = '\0';
    memcpy(setting, hash.at, hash.len);
    setting[hash.len] = '\0';
    const char *made = crypt_rn(phrase, setting, &room->crypt, (int)sizeof(room->crypt));
    bool same = made && strlen(made) == hash.len && CRYPTO_memcmp(made, hash.at, hash.len) == 0;
    explicit_bzero(phrase, sizeof(phrase));
    explicit_bzero(&room->crypt, sizeof(room->crypt));
    return same;
}
