#include "base/check.h"
#include "base/err.h"
#include "dnsredir/message/name.h"

#include <criterion/criterion.h>

static struct name name_of(const char *text)
{
    struct name name;

    cr_assert_eq(name_parse_absolute(span_str(text), &name), 0, "%s", text);
    return name;
}

Test(name_parse, rfc1035_5_1)
{
    struct name origin = name_of("example.net");
    static const struct {
        const char *text;
        const char *want; /* NULL: refused */
    } cases[] = {
        {".", "."},
        {"@", "example.net."},
        {"www", "www.example.net."},
        {"www.example.org.", "www.example.org."},
        {"WWW.Example.ORG.", "www.example.org."},
        {"a\\.b", "a\\.b.example.net."},
        {"a\\046b", "a\\.b.example.net."},
        {"\\000\\255.", "\\000\\255."},
        {"*", "*.example.net."},
        {"", NULL},
        {"..", NULL},
        {".a", NULL},
        {"a..b", NULL},
        {"a\\", NULL},
        {"a\\25", NULL},
        {"a\\256", NULL},
        {"a234567890123456789012345678901234567890123456789012345678901234", NULL},
        {"a23456789012345678901234567890123456789012345678901234567890123.",
         "a23456789012345678901234567890123456789012345678901234567890123."},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct name name;
        char text[NAME_TEXT_MAX];
        int err = name_parse(span_str(cases[i].text), &origin, &name);
        cr_expect_eq(err == 0, cases[i].want != NULL, "%s", cases[i].text);
        if (err == 0 && cases[i].want) {
            cr_expect_str_eq(name_text(&name, text), cases[i].want, "%s", cases[i].text);
        }
    }
}

Test(name_parse, rfc1035_2_3_4_at_most_255_bytes)
{
    char text[300];
    struct name name;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 2 ? '.' : 'a';
    }
    cr_expect_eq(name_parse_absolute(span_of(text, 254), &name), 0);
    cr_expect_eq(name.len, 255);
    cr_expect_eq(name.labels, 127);
    cr_expect_neq(name_parse_absolute(span_of(text, 256), &name), 0);
    cr_expect_eq(name_parse_absolute(SPAN("."), &name), 0);
    cr_expect_eq(name_parse_absolute(SPAN("@"), &name), ERR_SYNTAX, "there is no origin");
}

Test(name_read, rfc1035_4_1_4)
{
    const struct {
        const char *what;
        struct span packet;
        size_t at;
        const char *want; /* NULL: refused */
        size_t end;
    } cases[] = {
        {"plain", SPAN("\3www\2ex\0"), 0, "www.ex.", 8},
        {"upper case is lowered", SPAN("\3WwW\2eX\0"), 0, "www.ex.", 8},
        {"the root", SPAN("\0"), 0, ".", 1},
        {"a pointer back", SPAN("\2ex\0\3www\xc0\0"), 4, "www.ex.", 10},
        {"a pointer to a pointer", SPAN("\2ex\0\1a\xc0\0\1b\xc0\4"), 8, "b.a.ex.", 12},
        {"a pointer alone", SPAN("\2ex\0\xc0\0"), 4, "ex.", 6},
        {"a pointer to itself", SPAN("\xc0\0"), 0, NULL, 0},
        {"a pointer to its own name", SPAN("\1a\xc0\0"), 0, NULL, 0},
        {"a pointer forward", SPAN("\xc0\2\1a\0"), 0, NULL, 0},
        {"two pointers at each other", SPAN("\xc0\2\xc0\0"), 2, NULL, 0},
        {"labels that run back into the pointer", SPAN("\1a\1b\xc0\2"), 2, NULL, 0},
        {"a pointer cut off", SPAN("\1a\0\xc0"), 3, NULL, 0},
        {"a pointer past the end", SPAN("\xc1\xff"), 0, NULL, 0},
        {"label type 01", SPAN("\x41\x61\0"), 0, NULL, 0},
        {"label type 10", SPAN("\x81\x61\0"), 0, NULL, 0},
        {"a label cut off", SPAN("\5www"), 0, NULL, 0},
        {"no end", SPAN("\3www"), 0, NULL, 0},
        {"nothing", SPAN(""), 0, NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_in in = wire_in_of(cases[i].packet.at, cases[i].packet.len);
        struct name name;
        char text[NAME_TEXT_MAX];
        in.at += cases[i].at;
        int err = name_read(&in, &name);
        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].what);
        if (!err && cases[i].want) {
            cr_expect_str_eq(name_text(&name, text), cases[i].want, "%s", cases[i].what);
            cr_expect_eq(wire_in_offset(&in), cases[i].end, "%s", cases[i].what);
        }
    }
}

/* Labels are copied by words, and the last one must take nothing from what lies behind the name. */
Test(name_read, labels_of_every_length_are_lowered)
{
    for (unsigned len = 1; len <= NAME_MAX_LABEL; len++) {
        uint8_t packet[2 * NAME_MAX_LABEL + 8];
        struct wire_out out = wire_out_of(packet, sizeof(packet));
        for (unsigned part = 0; part < 2; part++) {
            wire_put_u8(&out, (uint8_t)len);
            for (unsigned i = 0; i < len; i++) {
                wire_put_u8(&out, (uint8_t)('?' + (part ? len + i : i) % 32));
            }
        }
        wire_put_u8(&out, 0);
        struct wire_in in = wire_in_of(packet, wire_out_len(&out));
        struct name name;
        cr_assert_eq(name_read(&in, &name), 0);
        cr_assert_eq(wire_left(&in), 0);
        cr_assert_eq(name.len, wire_out_len(&out));
        cr_assert_eq(name.labels, 2);
        cr_assert_eq(name.label[1], len + 1);
        for (unsigned i = 0; i < name.len; i++) {
            cr_assert_eq(name.at[i], (uint8_t)ascii_lower((char)packet[i]), "%u of %u", i, len);
        }
    }
}

Test(name_read, names_made_long_by_pointers_are_refused)
{
    uint8_t packet[2048];
    struct wire_out out = wire_out_of(packet, sizeof(packet));
    size_t previous = 0;
    struct name name;

    wire_put_bytes(&out, "\0", 1);
    for (int i = 0; i < 5; i++) {
        size_t at = wire_out_len(&out);
        wire_put_u8(&out, 63);
        for (int n = 0; n < 63; n++) {
            wire_put_u8(&out, 'x');
        }
        wire_put_u16(&out, (uint16_t)(0xc000 | previous));
        previous = at;
        struct wire_in in = wire_in_of(packet, wire_out_len(&out));
        in.at += at;
        cr_expect_eq(name_read(&in, &name) == 0, i < 3, "%d labels of 63", i + 1);
    }
}

Test(name, suffixes_and_order)
{
    struct name www = name_of("www.cdn.example.net");
    struct name zone = name_of("CDN.example.net");
    struct name other = name_of("xcdn.example.net");
    struct name suffix;

    cr_expect(name_is_below(&www, &zone));
    cr_expect(name_is_below(&zone, &zone));
    cr_expect_not(name_is_below(&zone, &www));
    cr_expect_not(name_is_below(&other, &zone), "labels are compared, not characters");
    cr_expect_eq(name_common(&www, &other), 2);
    name_suffix(&www, 1, &suffix);
    cr_expect(name_eq(&suffix, &zone));
    name_suffix(&www, 4, &suffix);
    cr_expect_eq(suffix.len, 1);
}

Test(name_hash, a_suffix_hashes_like_the_name_itself)
{
    struct name www = name_of("a-rather-long-label.www.cdn.example.net");
    uint64_t hashes[NAME_MAX_LABELS + 1];

    name_hash_suffixes(&www, hashes);
    for (unsigned i = 0; i <= www.labels; i++) {
        struct name suffix;
        name_suffix(&www, i, &suffix);
        cr_expect_eq(name_hash(&suffix), hashes[i], "%u", i);
    }
    struct name a = name_of("ab.c");
    struct name b = name_of("a.bc");
    cr_expect_neq(name_hash(&a), name_hash(&b));
}
