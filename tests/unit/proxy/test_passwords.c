#include "base/check.h"
#include "base/err.h"
#include "proxy/access/credentials.h"
#include "proxy/access/passwords.h"
#include "proxy/access/users.h"

#include <criterion/criterion.h>

#define BCRYPT "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"
#define YESCRYPT "$y$j75$saltsaltsalt$EJVmvLaWqQibNwAKXpgavjVqkjgw4EyKMKuwMa4X504"

/* Made by openssl passwd and by libcrypt. */
Test(password_check, vectors)
{
    static const struct {
        const char *password, *hash;
    } cases[] = {
        {"password", "$apr1$r31.....$ARC3pREO82RIm0aQ2zszC0"},
        {"", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie."},
        {"a", "$apr1$x$16j9.5e7KiXmuYFAYpPJM/"},
        {"exactly-16-bytes", "$apr1$12345678$/HD6rBCS5EZ8xjerj9m2w0"},
        {"a password longer than thirty-two bytes, in all",
         "$apr1$12345678$W/ENhB4GcJONrJDsEGAAF."},
        {"gr\xc3\xbc\xc3\x9f"
         "e",
         "$apr1$zz$jxi8ml5tOfgfUA8zrMfvW."},
        {"password", BCRYPT},
        {"password", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"},
        {"password", YESCRYPT},
        {"password", "$5$saltsalt$gOjOtoMpVhru2uyjeJSEc/JaLQWOXMNmlOnj6T4AtC."},
        {"password", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"},
    };
    struct password_room *room = password_room_new();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span password = span_str(cases[i].password), hash = span_str(cases[i].hash);
        char wrong[64];
        cr_expect_null(password_fault(hash), "%s", cases[i].hash);
        cr_expect(password_check(room, password, hash), "%s", cases[i].hash);
        memcpy(wrong, cases[i].password, password.len);
        wrong[password.len] = 'x';
        cr_expect(!password_check(room, span_of(wrong, password.len + 1), hash), "%s",
                  cases[i].hash);
        if (password.len) {
            wrong[0] ^= 1;
            cr_expect(!password_check(room, span_of(wrong, password.len), hash));
            cr_expect(!password_check(room, SPAN_EMPTY, hash));
        }
    }
    password_room_free(&room);
    cr_expect_null(room);
}

Test(password_fault, what_cannot_be_compared)
{
    static const char *const hashes[] = {
        "",
        "secret",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "rqXexS6ZhobKA",
        "$apr1$",
        "$apr1$abcdefgh$short",
        "$apr1$$L.PT565ESX4Tp2bqNs7Ie.",
        "$apr1$ninechars$L.PT565ESX4Tp2bqNs7Ie.",
        "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzd",
        "$nothing$known$to.anybody.at.all.here",
    };
    char longer[300];

    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        cr_expect_not_null(password_fault(span_str(hashes[i])), "%s", hashes[i]);
    }
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "$6$", 3);
    cr_expect_not_null(password_fault(span_of(longer, sizeof(longer))));
}

Test(password_fault, what_would_take_minutes_to_compare)
{
#define SHA_TAIL "$abcdefgh$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BCRYPT_TAIL "abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzd2"
#define SCRYPT_TAIL "$V3KMV3KMV3KMV3KMV3KMV/$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    static const struct {
        const char *hash;
        bool good;
    } cases[] = {
        {"$5$rounds=10000000" SHA_TAIL, true},   {"$5$rounds=10000001" SHA_TAIL, false},
        {"$6$rounds=999999999" SHA_TAIL, false}, {"$sha1$4000000000" SHA_TAIL, false},
        {"$2y$16$" BCRYPT_TAIL, true},           {"$2y$17$" BCRYPT_TAIL, false},
        {"$2b$31$" BCRYPT_TAIL, false},          {"$7$GU..../...." SCRYPT_TAIL, true},
        {"$7$HU..../...." SCRYPT_TAIL, false},   {"$y$jFT" SCRYPT_TAIL, true},
        {"$y$jHT" SCRYPT_TAIL, false},           {"$gy$jzT" SCRYPT_TAIL, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *fault = password_fault(span_str(cases[i].hash));
        cr_expect_eq(fault == NULL, cases[i].good, "%s: %s", cases[i].hash, fault ? fault : "good");
    }
}

/* ---- users ---- */

static struct users *read_users(const char *passwords, const char *groups, struct buf *errors)
{
    struct users *users;
    struct buf warnings = BUF_INIT;

    users_read("passwd", span_str(passwords), "group", span_str(groups), errors, &warnings, &users);
    buf_append(errors, buf_span(&warnings));
    buf_append(errors, SPAN("\0"));
    buf_fini(&warnings);
    return users;
}

Test(users, files_as_htpasswd_and_apache_write_them)
{
    struct buf errors = BUF_INIT;
    struct users *users = read_users("# people\r\n"
                                     "anna:" BCRYPT "\r\n"
                                     "\n"
                                     "b\xc3\xa4r:" YESCRYPT ":more:fields\n"
                                     "  carl smith:$apr1$x$16j9.5e7KiXmuYFAYpPJM/",
                                     "teachers: anna  b\xc3\xa4r anna\n"
                                     "# none\n"
                                     "pupils:\tnobody\n"
                                     "teachers: nobody\n",
                                     &errors);

    cr_assert_not_null(users);
    cr_expect_str_eq(errors.data, "group:3: there is no user \"nobody\"\n"
                                  "group:4: there is no user \"nobody\"\n");
    cr_expect_eq(users_count(users), 3);
    const struct user *anna = users_find(users, SPAN("anna"));
    cr_assert_not_null(anna);
    cr_expect(span_eq(anna->hash, SPAN(BCRYPT)));
    cr_expect(user_is_in(anna, SPAN("teachers")));
    cr_expect(!user_is_in(anna, SPAN("teacher")));
    cr_expect(!user_is_in(anna, SPAN("")));
    cr_expect(!user_is_in(anna, SPAN("pupils")));
    cr_expect(span_eq(anna->groups, SPAN("teachers ")), "once");
    cr_expect_not_null(users_find(users, SPAN("carl smith")));
    cr_expect_null(users_find(users, SPAN("Anna")));
    cr_expect_null(users_find(users, SPAN("")));
    struct span decoy = users_decoy(users, SPAN("mallory"));
    cr_expect(decoy.len && span_eq(decoy, users_decoy(users, SPAN("mallory"))));
    users_unref(&users);
    users_unref(&users);
    buf_fini(&errors);
}

Test(users, what_is_wrong_is_told_by_line_and_no_hash_is_shown)
{
    struct buf errors = BUF_INIT;
    struct users *users = read_users("anna:" BCRYPT "\n"
                                     "anna:" YESCRYPT "\n"
                                     "no colon\n"
                                     ":" BCRYPT "\n"
                                     "dora:{SHA}secrethash=\n",
                                     "no colon\n: anna\n", &errors);

    cr_expect_null(users);
    cr_expect_str_eq(
        errors.data,
        "passwd:2: \"anna\" is listed twice; expected one line for each name\n"
        "passwd:3: no colon; expected NAME:HASH as htpasswd writes it\n"
        "passwd:4: no name of at most 255 bytes before the colon\n"
        "passwd:5: the password of \"dora\" cannot be checked: a bare SHA-1 or another hash "
        "without salt is cracked too fast; expected a hash from htpasswd -B or mkpasswd\n"
        "group:1: no group; expected NAME: USER USER ...\n"
        "group:2: no group; expected NAME: USER USER ...\n");
    buf_fini(&errors);
}

Test(users, nobody_at_all)
{
    struct buf errors = BUF_INIT;
    struct users *users = read_users("", "", &errors);

    cr_assert_not_null(users);
    cr_expect_eq(users_decoy(users, SPAN("anna")).len, 0);
    cr_expect_null(users_find(users, SPAN("anna")));
    users_unref(&users);
    buf_fini(&errors);
}

/* ---- Proxy-Authorization ---- */

Test(credentials_parse, rfc7617_2)
{
    static const struct {
        const char *value;
        const char *name, *password; /* NULL: an error */
        int err;
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame", 0},
        {"basic   dGVzdDoxMjPCow==  ", "test", "123\xc2\xa3", 0},
        {"BASIC YTo=", "a", "", 0},
        {"Basic YTo", "a", "", 0},
        {"Basic YTpiOmM=", "a", "b:c", 0},
        {"Basic YTpi", "a", "b", 0},
        {"Basic /////zo=", "\xff\xff\xff\xff", "", 0},
        {"Basic", NULL, NULL, ERR_SYNTAX},
        {"Basic ", NULL, NULL, ERR_SYNTAX},
        {"Basic =", NULL, NULL, ERR_SYNTAX},
        {"Basic ====", NULL, NULL, ERR_SYNTAX},
        {"Basic Og==", NULL, NULL, ERR_SYNTAX},         /* no name */
        {"Basic QWxhZGRpbg==", NULL, NULL, ERR_SYNTAX}, /* no colon */
        {"Basic YQA6Yg==", NULL, NULL, ERR_SYNTAX},     /* a NUL in the name */
        {"Basic YTpiAGM=", NULL, NULL, ERR_SYNTAX},     /* a NUL in the password */
        {"Basic YQo6Yg==", NULL, NULL, ERR_SYNTAX},     /* a line end */
        {"Basic YTp/", NULL, NULL, ERR_SYNTAX},         /* DEL */
        {"Basic YTpi YTpi", NULL, NULL, ERR_SYNTAX},
        {"Basic YTp=", NULL, NULL, ERR_SYNTAX}, /* bits that stand for nothing */
        {"Basic YTo=x", NULL, NULL, ERR_SYNTAX},
        {"Basic YT=o", NULL, NULL, ERR_SYNTAX},
        {"Basic YTpiY", NULL, NULL, ERR_SYNTAX},
        {"Basic YTpi, Basic YTpi", NULL, NULL, ERR_SYNTAX},
        {"Bearer YTpi", NULL, NULL, ERR_UNSUPPORTED},
        {"Digest username=\"a\"", NULL, NULL, ERR_UNSUPPORTED},
        {"", NULL, NULL, ERR_UNSUPPORTED},
        {"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", NULL, NULL, ERR_UNSUPPORTED},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct credentials out;
        int err = credentials_parse(span_str(cases[i].value), &arena, &out);
        cr_assert_eq(err, cases[i].err, "%s", cases[i].value);
        if (cases[i].name) {
            cr_expect(span_eq(out.name, span_str(cases[i].name)), "%s", cases[i].value);
            cr_expect(span_eq(out.password, span_str(cases[i].password)), "%s", cases[i].value);
        }
    }
    arena_fini(&arena);
}

Test(credentials_parse, what_is_too_long)
{
    char value[8192] = "Basic ";
    struct credentials out;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    memset(value + 6, 'A', sizeof(value) - 6);
    cr_expect_eq(credentials_parse(span_of(value, sizeof(value)), &arena, &out), ERR_TOO_LARGE);
    for (size_t i = 6; i < 6 + 4 * 90; i += 4) {
        memcpy(value + i, "YWFh", 4); /* a name of 270 */
    }
    memcpy(value + 6 + 360, "YTpi", 4);
    cr_expect_eq(credentials_parse(span_of(value, 6 + 364), &arena, &out), ERR_TOO_LARGE);
    memcpy(value + 6, "YTph", 4); /* a password of 360 */
    cr_expect_eq(credentials_parse(span_of(value, 6 + 364), &arena, &out), ERR_TOO_LARGE);
    arena_fini(&arena);
}
