#include "dnsredir/zone/denial.h"

#include "verify.h"

#include <criterion/criterion.h>

#define X62                                                                                        \
    "\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\" \
    "255\\255\\255"                                                                                \
    "\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\" \
    "255\\255\\255"                                                                                \
    "\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255\\" \
    "255\\255"

static struct name name_of(const char *text)
{
    struct name name;

    cr_assert_eq(name_parse_absolute(span_str(text), &name), 0, "%s", text);
    return name;
}

Test(denial, rfc4470_4_the_ends_of_the_interval)
{
    static const struct {
        const char *name, *before, *after;
        bool above;
    } cases[] = {
        {"b.ex", "a" X62 ".ex.", "b\\000.ex.", false},
        {"*.ex", "\\)" X62 ".ex.", "*\\000.ex.", false},
        {"a.ex", "`" X62 ".ex.", "a\\000.ex.", false},
        {"[.ex", "\\@" X62 ".ex.", "[\\000.ex.", false}, /* upper case is none of its own */
        {"\\000.ex", "ex.", "\\000\\000.ex.", true},
        {"x.b.ex", "w" X62 ".b.ex.", "x\\000.b.ex.", false},
        {"\\255.ex", "\\254" X62 ".ex.", "\\255\\000.ex.", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct name name = name_of(cases[i].name);
        struct name apex = name_of("ex");
        struct name before, after;
        char text[NAME_TEXT_MAX];
        cr_expect_eq(denial_cover(&name, &apex, &before, &after), cases[i].above);
        cr_expect_str_eq(name_text(&before, text), cases[i].before, "%s", cases[i].name);
        cr_expect_str_eq(name_text(&after, text), cases[i].after, "%s", cases[i].name);
    }
}

static uint32_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

/* A label of few different bytes, so that names come close to each other. */
static size_t put_label(uint8_t *wire, size_t room)
{
    static const uint8_t bytes[] = {0, 1, '@', '[', 'a', 'b', 'z', 0xfe, 0xff};
    static const size_t lens[] = {1, 1, 1, 2, 2, 3, 62, 63};
    size_t len = lens[draw(ARRAY_LEN(lens))];

    if (len + 1 > room) {
        return 0;
    }
    wire[0] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        wire[1 + i] = len > 3 && i < len - 2 ? 0xff : bytes[draw(ARRAY_LEN(bytes))];
    }
    return len + 1;
}

static void random_name(struct name *out)
{
    uint8_t wire[NAME_MAX_LEN + 1];
    size_t len = 0;

    for (unsigned labels = 1 + draw(5); labels > 0; labels--) {
        len += put_label(wire + len, NAME_MAX_LEN - 4 - len);
    }
    if (len == 0) {
        wire[0] = 1;
        wire[1] = 'a';
        len = 2;
    }
    memcpy(wire + len, "\2ex", 4);
    name_load(out, wire);
}

/* A name near another: one of its labels changed, longer or shorter. */
static void neighbour(const struct name *name, struct name *out)
{
    uint8_t wire[NAME_MAX_LEN + 70];
    size_t len = draw(2) ? put_label(wire, 66) : 0;
    unsigned skip = draw(2);

    memcpy(wire + len, name->at + name->label[skip], name->len - name->label[skip]);
    if (len + name->len - name->label[skip] > NAME_MAX_LEN || (skip && name->labels < 3)) {
        *out = *name;
    } else {
        name_load(out, wire);
    }
}

Test(denial, nothing_else_is_in_the_interval)
{
    struct name apex = name_of("ex");
    unsigned inside = 0;

    state = 4470;
    for (unsigned i = 0; i < 3000; i++) {
        struct name name, before, after, next;
        random_name(&name);
        denial_cover(&name, &apex, &before, &after);
        cr_assert_lt(compare_names(&before, &name), 0);
        cr_assert(name_eq(&after, &apex) || compare_names(&name, &after) < 0);
        denial_next(&name, &apex, &next);
        cr_assert(name_eq(&next, &apex) || compare_names(&name, &next) < 0);
        for (unsigned n = 0; n < 20; n++) {
            struct name other;
            neighbour(&name, &other);
            if (!name_is_below(&other, &apex) || other.labels == apex.labels) {
                continue;
            }
            bool behind = compare_names(&before, &other) < 0;
            bool ahead = name_eq(&after, &apex) || compare_names(&other, &after) < 0;
            if (behind && ahead && !name_is_below(&other, &before)) {
                cr_assert(name_is_below(&other, &name), "and what is below it");
                inside++;
            }
            cr_assert(!(name_is_below(&other, &name) && !(behind && ahead)));
            cr_assert(!(compare_names(&name, &other) < 0 &&
                        (name_eq(&next, &apex) || compare_names(&other, &next) < 0)),
                      "nothing lies between a name and its next one");
        }
    }
    cr_assert_gt(inside, 1000, "names below were among them");
}

Test(denial, rfc4034_4_3_types)
{
    static const uint8_t want[] = "\xc0\x0c\x00\x2f\x00\x01\x00\x01\x51\x80\x00\x37"
                                  "\4host\7example\3com\0"
                                  "\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b\0\0\0\0\0\0\0\0\0\0\0\0"
                                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20";
    struct denial_types types = {0};
    struct name next = name_of("host.example.com");
    uint8_t room[NSEC_MAX];
    struct rrset nsec;

    denial_add(&types, 1234);
    denial_add(&types, TYPE_MX);
    denial_add(&types, TYPE_A);
    denial_add(&types, TYPE_NSEC);
    denial_add(&types, TYPE_RRSIG);
    denial_add(&types, TYPE_MX);
    cr_assert_eq(types.count, 5);
    denial_nsec(&next, &types, 86400, room, &nsec);
    cr_assert_eq(nsec.len, sizeof(want) - 1);
    cr_assert_arr_eq(nsec.wire, want, nsec.len);
}

Test(denial, names_that_could_lie_in_an_interval_are_not_allowed)
{
    struct name good = name_of("a.b.ex"), bad = name_of("a.x\\255.ex");

    cr_assert(denial_allows(&good));
    cr_assert_not(denial_allows(&bad));
}
