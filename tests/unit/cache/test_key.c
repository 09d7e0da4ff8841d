#include "heads.h"

#include "base/check.h"
#include "cache/key.h"

#include <criterion/criterion.h>

static const struct sip_key secret = {.k0 = 1, .k1 = 2};

static struct cache_key primary_of(const char *uri_text, const char *zone, struct arena *arena)
{
    struct cache_key key;
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(uri_text), arena, &uri), 0, "%s", uri_text);
    key_primary(&uri, span_str(zone), &secret, arena, &key);
    return key;
}

Test(key_primary, rfc9111_2_text)
{
    static const struct {
        const char *zone, *uri, *text;
    } cases[] = {
        {"", "http://Example.NET/a", " http://example.net:80/a"},
        {"", "https://example.net", " https://example.net:443/"},
        {"", "http://example.net:8080/A%2f?b=1&a=2", " http://example.net:8080/A%2f?b=1&a=2"},
        {"cdn", "http://example.net/a?", "cdn http://example.net:80/a?"},
        {"", "http://[2001:DB8::1]/a", " http://[2001:db8::1]:80/a"},
        {"", "http://a:65535/", " http://a:65535/"},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_key key = primary_of(cases[i].uri, cases[i].zone, &arena);
        uint8_t hash[KEY_HASH_SIZE];
        cr_expect(span_eq(key.text, span_str(cases[i].text)), "%.*s", SPAN_ARGS(key.text));
        sip_hash128(&secret, key.text, hash);
        cr_expect_eq(memcmp(hash, key.hash, sizeof(hash)), 0);
    }
    arena_fini(&arena);
}

Test(key_primary, two_resources_never_meet)
{
    static const struct {
        const char *zone_a, *a, *zone_b, *b;
    } cases[] = {
        {"", "http://a/", "", "http://b/"},     {"", "http://a/", "", "https://a/"},
        {"", "http://a/", "", "http://a:81/"},  {"", "http://a/x", "", "http://a/X"},
        {"", "http://a/x", "", "http://a/x?"},  {"", "http://a/?a&b", "", "http://a/?b&a"},
        {"", "http://a/%7e", "", "http://a/~"}, {"", "http://a/", "z", "http://a/"},
        {"", "http://a/x", "", "http://a/./x"}, {"", "http://a/b/", "", "http://a/b"},
        {"", "http://a//b", "", "http://a/b"},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_key a = primary_of(cases[i].a, cases[i].zone_a, &arena);
        struct cache_key b = primary_of(cases[i].b, cases[i].zone_b, &arena);
        cr_expect(!span_eq(a.text, b.text), "%s %s", cases[i].a, cases[i].b);
        cr_expect_neq(memcmp(a.hash, b.hash, KEY_HASH_SIZE), 0);
    }
    arena_fini(&arena);
}

Test(key_vary_spec, rfc9111_4_1)
{
    static const struct {
        const char *response;
        bool usable;
        const char *spec;
    } cases[] = {
        {"", true, ""},
        {"Vary:", true, ""},
        {"Vary: Accept-Encoding", true, "accept-encoding"},
        {"Vary: Foo, BAR", true, "bar,foo"},
        {"Vary: b|Vary: a , c", true, "a,b,c"},
        {"Vary: a, A, a", true, "a"},
        {"Vary: , a,,", true, "a"},
        {"Vary: *", false, ""},
        {"Vary: *, *", false, ""},
        {"Vary: *|Vary: *", false, ""},
        {"Vary: , *", false, ""},
        {"Vary: a, *", false, ""},
        {"Vary: *, a", false, ""},
        {"Vary: a|Vary: *", false, ""},
        {"Vary: a b", false, ""}, /* no field name: better not to guess */
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct span spec;
        bool usable;
        head_response(&head, &arena, 200, cases[i].response);
        usable = key_vary_spec(&head.fields, &arena, &spec);
        cr_expect_eq(usable, cases[i].usable, "%s", cases[i].response);
        cr_expect(!usable || span_eq(spec, span_str(cases[i].spec)), "%s: %.*s", cases[i].response,
                  SPAN_ARGS(spec));
    }
    arena_fini(&arena);
}

Test(key_vary_spec, a_list_without_end_is_not_usable)
{
    struct http_head head;
    struct arena arena;
    struct span spec;

    arena_init(&arena, NULL, 0);
    head_response(&head, &arena, 200, "");
    for (int i = 0; i < 64; i++) {
        fields_add(&head.fields, SPAN("Vary"), arena_printf(&arena, "f%d", i));
    }
    cr_expect(key_vary_spec(&head.fields, &arena, &spec));
    fields_add(&head.fields, SPAN("Vary"), SPAN("f64"));
    cr_expect(!key_vary_spec(&head.fields, &arena, &spec));
    arena_fini(&arena);
}

Test(key_same_vary, rfc9111_4_1_after_a_304)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"", "", true},
        {"", "Vary:", true},
        {"Vary: Foo", "Vary: foo", true},
        {"Vary: a, b", "Vary: B|Vary: A", true},
        {"", "Vary: Foo", false},
        {"Vary: Foo", "", false},
        {"Vary: Foo", "Vary: Foo, Bar", false},
        {"Vary: Foo", "Vary: *", false},
        {"Vary: *", "Vary: *", false},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head a, b;
        head_response(&a, &arena, 200, cases[i].a);
        head_response(&b, &arena, 304, cases[i].b);
        cr_expect_eq(key_same_vary(&a.fields, &b.fields, &arena), cases[i].same, "%s / %s",
                     cases[i].a, cases[i].b);
    }
    arena_fini(&arena);
}

static struct cache_key variant_of(const char *spec, const char *request, struct arena *arena)
{
    struct cache_key primary = primary_of("http://a/", "", arena);
    struct cache_key key;
    struct http_head head;

    head_request(&head, arena, METHOD_GET, request);
    key_variant(&primary, span_str(spec), &head.fields, &secret, arena, &key);
    return key;
}

Test(key_variant, rfc9111_4_1_matching)
{
    static const struct {
        const char *spec, *a, *b;
        bool same;
    } cases[] = {
        {"foo", "Foo: 1", "Foo: 1", true},
        {"foo", "Foo: 1", "Foo: 2", false},
        {"foo", "Foo: 1", "Foo: 1|Other: 3", true},
        {"foo", "Foo: 1", "", false},
        {"foo", "", "", true},
        {"foo", "", "Foo:", false},
        {"foo", "", "Foo: -", false},
        {"foo", "Foo: a", "Foo: A", false},
        {"bar,foo", "Foo: 1|Bar: 2", "Bar: 2|Foo: 1", true},
        {"bar,foo", "Foo: 1|Bar: 2", "Bar: 1|Foo: 2", false},
        {"bar,baz,foo", "Foo: 1|Bar: 2|Baz: 3", "Baz: 3|Foo: 1|Bar: 2", true},
        {"bar,baz,foo", "Foo: 1|Bar: 2|Baz: 3", "Baz: 4|Foo: 1|Bar: 2", false},
        {"bar,foo", "Foo: 1", "Bar: 1", false},
        /* lines joined, white space around commas dropped */
        {"foo", "Foo: 1, 2", "Foo: 1|Foo: 2", true},
        {"foo", "Foo: 1, 2", "Foo: 1,2", true},
        {"foo", "Foo: 1, 2", "Foo: 1 \t,  2", true},
        {"foo", "Foo: 1, 2", "Foo: 2, 1", false},
        {"foo", "Foo: 1", "Foo:|Foo: 1", false},
        {"foo", "Foo:", "Foo:|Foo:", false},
        {"foo", "Foo: , 1", "Foo:|Foo: 1", true},
        {"foo", "Foo: 1 2", "Foo: 12", false},
        {"foo", "Foo: 1 2", "Foo: 1  2", false},
        {"foo", "Foo: 1,2", "Foo: 1,,2", false},
        {"foo", "Foo: \"a, b\"", "Foo: \"a,b\"", false},
        {"foo", "Foo: \"a ,b\"", "Foo: \"a,b\"", false},
        {"foo", "Foo: \"a\\\" , b\" , c", "Foo: \"a\\\" , b\",c", true},
        {"foo", "Foo: \"a\\\" , b\"", "Foo: \"a\\\",b\"", false},
        /* Accept-Language: case, white space, order of equal weights */
        {"accept-language", "Accept-Language: en, de", "Accept-Language: EN,DE", true},
        {"accept-language", "Accept-Language: en, de", "Accept-Language: de, en", true},
        {"accept-language", "Accept-Language: en", "Accept-Language: en;q=1.0", true},
        {"accept-language", "Accept-Language: en;q=0.5, de", "Accept-Language: de, en ; Q=0.500",
         true},
        {"accept-language", "Accept-Language: en;q=0.5, de;q=0.4",
         "Accept-Language: de;q=0.5, en;q=0.4", false},
        {"accept-language", "Accept-Language: en;q=0.5", "Accept-Language: en;q=0.6", false},
        {"accept-language", "Accept-Language: en", "Accept-Language: fr", false},
        {"accept-language", "Accept-Language: en", "", false},
        {"accept-language", "Accept-Language: en;1000", "Accept-Language: en", false},
        {"accept-language", "Accept-Language: en;q=2", "Accept-Language: en", false},
        {"accept-language", "Accept-Language: en;x=1, de", "Accept-Language: en;x=1,de", true},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_key a = variant_of(cases[i].spec, cases[i].a, &arena);
        struct cache_key b = variant_of(cases[i].spec, cases[i].b, &arena);
        cr_expect_eq(span_eq(a.text, b.text), cases[i].same, "%s / %s", cases[i].a, cases[i].b);
        cr_expect_eq(memcmp(a.hash, b.hash, KEY_HASH_SIZE) == 0, cases[i].same, "%s / %s",
                     cases[i].a, cases[i].b);
    }
    arena_fini(&arena);
}

Test(key_variant, text_as_the_header_says)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    struct cache_key key = variant_of("accept,foo", "Foo: 1 , 2", &arena);
    cr_expect(span_eq(key.text, SPAN(" http://a:80/\naccept,foo\n-\n=1,2")), "%.*s",
              SPAN_ARGS(key.text));
    arena_fini(&arena);
}

Test(key_variant, more_languages_than_any_reader_knows)
{
    struct arena arena;
    char value[2000] = "Accept-Language: a";

    arena_init(&arena, NULL, 0);
    for (int i = 0; i < 300; i++) {
        strcat(value, ",b;q=");
    }
    struct cache_key key = variant_of("accept-language", value, &arena);
    cr_expect_gt(key.text.len, 1000);
    arena_fini(&arena);
}

/* With a look behind each of them, so many would take hours. */
Test(key_variant, white_space_is_looked_at_once)
{
    enum { BLANKS = 4 << 20 };
    struct cache_key primary;
    struct cache_key key;
    struct http_head head;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    primary = primary_of("http://a/", "", &arena);
    head_request(&head, &arena, METHOD_GET, "");
    char *value = arena_alloc(&arena, BLANKS + 2);
    memset(value, ' ', BLANKS + 2);
    value[0] = value[BLANKS + 1] = 'x';
    fields_add(&head.fields, SPAN("Foo"), span_of(value, BLANKS + 2));
    key_variant(&primary, SPAN("foo"), &head.fields, &secret, &arena, &key);
    cr_expect_gt(key.text.len, BLANKS);
    arena_fini(&arena);
}
