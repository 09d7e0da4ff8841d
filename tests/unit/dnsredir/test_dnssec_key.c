#include "base/buf.h"
#include "base/err.h"
#include "dnsredir/zone/dnssec.h"

#include "verify.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The key of RFC 6605 6.1. */
static const char rfc_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEIBlOkp0PzrvsQuUbpriFCLiWbXl09s9Dv6JNbN/BLepkoAoGCCqGSM49\n"
                              "AwEHoUQDQgAEGojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF6\n"
                              "4cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==\n"
                              "-----END EC PRIVATE KEY-----\n";

static char path[] = "/tmp/larder-key-XXXXXX";
static char fault[DNSSEC_FAULT_MAX];

static void write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void set_up(void)
{
    close(mkstemp(path));
}

static void tear_down(void)
{
    unlink(path);
}

static struct dnssec_key *load(void)
{
    struct dnssec_key *key;

    cr_assert_eq(dnssec_key_load(path, &key, fault), 0, "%s", fault);
    return key;
}

static void name_in(const char *text, struct name *out)
{
    cr_assert_eq(name_parse_absolute(span_str(text), out), 0);
}

static void add_record(struct arena *arena, struct rrset **set, const struct name *apex,
                       const char *text)
{
    struct record *record = calloc(1, sizeof(*record));
    const char *what;

    record->ttl = 3600;
    cr_assert_eq(record_parse(span_str(text), apex, record, &what), 0);
    cr_assert_eq(rrset_add(arena, set, record), 0);
    free(record);
}

TestSuite(dnssec_key, .init = set_up, .fini = tear_down);

Test(dnssec_key, rfc6605_6_1_tag_and_ds)
{
    static const uint8_t want[] =
        "\xd9\x60\x0d\x02"
        "\xb4\xc8\xc1\xfe\x2e\x74\x77\x12\x7b\x27\x11\x56\x56\xad\x62\x56"
        "\xf4\x24\x62\x5b\xf5\xc1\xe2\x77\x0c\xe6\xd6\xe3\x7d\xf6\x1d\x17";
    uint8_t ds[DS_DATA_LEN];
    struct name apex;

    write_file(rfc_key, 0600);
    struct dnssec_key *key = load();
    name_in("example.net", &apex);
    dnssec_ds(&apex, key, ds);
    cr_assert_eq(key->tag, 55648);
    cr_assert_arr_eq(ds, want, sizeof(ds));
    dnssec_key_free(&key);
}

Test(dnssec_key, rfc6605_6_1_the_canonical_form_is_what_was_signed)
{
    static const uint8_t signature[] =
        "\xab\x1e\xb0\x2d\x8a\xa6\x87\xe9\x7d\xa0\x22\x93\x37\xaa\x88\x73"
        "\xe6\xf0\xeb\x26\xbe\x28\x9f\x28\x33\x3d\x18\x3f\x5d\x3b\x7a\x95"
        "\xc0\xc8\x69\xad\xfb\x74\x8d\xae\xe3\xc5\x28\x6e\xed\x66\x82\xc1"
        "\x2e\x55\x33\x18\x6b\xac\xed\x9c\x26\xc1\x67\xa9\xeb\xae\x95\x0b";
    struct signing zone = {.key_count = 1, .validity = 86400};
    struct signature dates = {.inception = 1281607479, .expiration = 1284026679};
    struct arena arena;
    struct rrset *set = NULL;
    struct name owner;
    size_t len;

    arena_init(&arena, NULL, 0);
    write_file(rfc_key, 0600);
    zone.keys[0] = load();
    name_in("example.net", &zone.apex);
    name_in("www.example.net", &owner);
    add_record(&arena, &set, &zone.apex, "A 192.0.2.1");
    struct signable what = {&zone, zone.keys[0], &owner, set};
    uint8_t *bytes = dnssec_canonical(&what, &dates, &len);
    cr_assert(verify_bytes(zone.keys[0], span_of(bytes, len), signature));
    bytes[len - 1] ^= 1;
    cr_assert_not(verify_bytes(zone.keys[0], span_of(bytes, len), signature));
    free(bytes);
    dnssec_key_free(&zone.keys[0]);
    arena_fini(&arena);
}

Test(dnssec_key, rfc4034_6_3_order_and_repetition)
{
    static const uint8_t records[4][16] = {
        "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\3", "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\1",
        "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\3", "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\2"};
    const uint8_t *turned[] = {records[0], records[1], records[2], records[3]};
    const uint8_t *other[] = {records[3], records[0], records[1]};
    uint8_t room[64], again[64];
    struct rrset set, same;

    dnssec_gather(turned, 4, 16, room, &set);
    dnssec_gather(other, 3, 16, again, &same);
    cr_assert_eq(set.count, 3);
    cr_assert_eq(set.len, 48);
    cr_assert_eq(set.type, TYPE_A);
    cr_assert_eq(set.ttl, 30);
    cr_assert_eq(room[15], 1);
    cr_assert_eq(room[31], 2);
    cr_assert_eq(room[47], 3);
    cr_assert_arr_eq(room, again, 48);
}

Test(dnssec_key, dates_allow_for_late_clocks_and_are_not_all_the_same)
{
    struct signing zone = {.key_count = 1, .validity = 800000};
    struct arena arena;
    struct rrset *set = NULL;
    struct signature one, other;
    struct name owner;

    arena_init(&arena, NULL, 0);
    write_file(rfc_key, 0600);
    zone.keys[0] = load();
    name_in("ex", &zone.apex);
    add_record(&arena, &set, &zone.apex, "A 192.0.2.1");
    name_in("a.ex", &owner);
    cr_assert_eq(dnssec_sign(&(struct signable){&zone, zone.keys[0], &owner, set}, 1000, &one), 0);
    name_in("b.ex", &owner);
    cr_assert_eq(dnssec_sign(&(struct signable){&zone, zone.keys[0], &owner, set}, 1000, &other),
                 0);
    cr_assert_eq(one.inception, 1000u - DNSSEC_SKEW, "modulo 2^32: RFC 4034 3.1.5");
    cr_assert(one.expiration <= 801000 && one.expiration >= 701000);
    cr_assert_neq(one.expiration, other.expiration);
    cr_assert_eq(dnssec_left(&one, 1000), one.expiration - 1000);
    cr_assert_eq(dnssec_left(&one, one.expiration), 0);
    cr_assert_eq(dnssec_left(&one, 1000u - DNSSEC_SKEW - 1), 0, "not yet");
    dnssec_key_free(&zone.keys[0]);
    arena_fini(&arena);
}

Test(dnssec_key, is_made_for_its_owner_alone_and_never_twice)
{
    uint8_t signature[DNSSEC_SIGNATURE_LEN];
    struct stat status;

    cr_assert_neq(dnssec_key_make(path, fault), 0, "the file is there");
    unlink(path);
    cr_assert_eq(dnssec_key_make(path, fault), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    struct dnssec_key *key = load();
    cr_assert_eq(dnssec_key_sign(key, SPAN("some bytes"), signature), 0);
    cr_assert(verify_bytes(key, SPAN("some bytes"), signature));
    cr_assert_not(verify_bytes(key, SPAN("some byte"), signature));
    dnssec_key_free(&key);
    cr_assert_null(key);
}

Test(dnssec_key, files_that_are_refused)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *want;
    } cases[] = {
        {rfc_key, 0644, "others can get at the key (mode 0644); expected 0640 or 0600"},
        {rfc_key, 0660, "others can get at the key (mode 0660); expected 0640 or 0600"},
        {"", 0600, "no private key in PEM"},
        {"-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n", 0600,
         "no private key in PEM"},
        /* Ed25519 */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
         "-----END PRIVATE KEY-----\n",
         0600, "not a key on the curve P-256"},
        /* the public half of another key */
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MHcCAQEEIBlOkp0PzrvsQuUbpriFCLiWbXl09s9Dv6JNbN/BLepkoAoGCCqGSM49\n"
         "AwEHoUQDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/\n"
         "m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
         "-----END EC PRIVATE KEY-----\n",
         0600, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dnssec_key *key = NULL;
        write_file(cases[i].text, cases[i].mode);
        cr_expect_neq(dnssec_key_load(path, &key, fault), 0, "%zu", i);
        cr_expect_null(key);
        cr_expect(span_starts(span_str(fault), span_str(cases[i].want)), "%s", fault);
        cr_expect_null(strstr(fault, "MHcC"), "never a word of the file");
    }
    unlink(path);
    struct dnssec_key *key;
    cr_expect_eq(dnssec_key_load(path, &key, fault), -ENOENT);
    cr_expect_eq(dnssec_key_load("/tmp", &key, fault), ERR_SYNTAX);
}

Test(dnssec_key, a_group_may_read_it)
{
    write_file(rfc_key, 0640);
    struct dnssec_key *key = load();
    dnssec_key_free(&key);
}
