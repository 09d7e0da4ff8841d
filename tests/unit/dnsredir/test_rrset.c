#include "dnsredir/message/rrset.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* The data of the record in hexadecimal, or "fault: " and what is wrong. */
static const char *data_of(const char *text)
{
    static struct record record;
    static char out[1024];
    struct name origin;
    const char *what = NULL;
    char *to = out;

    cr_assert_eq(name_parse_absolute(SPAN("example.com"), &origin), 0);
    if (record_parse(span_str(text), &origin, &record, &what)) {
        snprintf(out, sizeof(out), "fault: %s", what);
        return out;
    }
    *to = '\0';
    for (size_t i = 0; i < record.len && to + 3 < out + sizeof(out); i++) {
        to += sprintf(to, "%02x", record.data[i]);
    }
    return out;
}

#define FOO "03666f6f076578616d706c6503636f6d00"
#define FOO_ORG "03666f6f076578616d706c65036f726700"

/* RFC 9460 appendix D, and what it leaves out. */
Test(rrset, rfc9460_services)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"HTTPS 0 foo.example.com.", "0000" FOO},
        {"SVCB 1 .", "000100"},
        {"SVCB 16 foo.example.com. port=53", "0010" FOO "000300020035"},
        {"SVCB 1 foo key667=hello", "0001" FOO "029b000568656c6c6f"},
        {"SVCB 1 foo key667=\"hello\\210qoo\"", "0001" FOO "029b000968656c6c6fd2716f6f"},
        {"SVCB 1 foo ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
         "0001" FOO "0006002020010db800000000000000000000000120010db8000000000000000000530001"},
        {"SVCB 16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
         "0010" FOO_ORG "000000040001000400010009026832056833"
         "2d313900040004c0000201"},
        {"SVCB 16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
         "0010" FOO_ORG "0001000c08665c6f6f2c626172026832"},
        {"SVCB 16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
         "0010" FOO_ORG "0001000c08665c6f6f2c626172026832"},
        {"60 IN HTTPS 1 . no-default-alpn alpn=h2 ech=AAEC key65534", "000100"
                                                                      "00010003026832"
                                                                      "00020000"
                                                                      "00050003000102"
                                                                      "fffe0000"},
        {"SVCB 1 foo key1=\\002h2\\002h3 key2", "0001" FOO "00010006026832026833"
                                                "00020000"},
        {"SVCB 1 foo key3=\\000\\053 key4=abcd key6=abcdefghijklmnop",
         "0001" FOO "000300020035"
         "0004000461626364"
         "000600106162636465666768696a6b6c6d6e6f70"},
        {"SVCB 1 foo key0=\\000\\003 port=53", "0001" FOO "000000020003000300020035"},
        {"TYPE65 \\# 3 000100", "000100"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_str_eq(data_of(cases[i].text), cases[i].want, "%s: %s", cases[i].text,
                         data_of(cases[i].text));
    }
}

Test(rrset, rfc9460_faults)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"HTTPS", "expected a priority"},
        {"HTTPS 65536 .", "expected a priority"},
        {"HTTPS 1", "not a domain name"},
        {"HTTPS 0 foo alpn=h2", "an alias (priority 0) has no parameters; expected none"},
        {"SVCB 1 foo key123=abc key123=def", "stands there twice"},
        {"SVCB 1 foo mandatory", "no value"},
        {"SVCB 1 foo alpn", "no value"},
        {"SVCB 1 foo port", "no value"},
        {"SVCB 1 foo ipv4hint", "no value"},
        {"SVCB 1 foo ipv6hint", "no value"},
        {"SVCB 1 foo no-default-alpn=abc", "has a value"},
        {"SVCB 1 foo no-default-alpn", "without alpn"},
        {"SVCB 1 foo mandatory=key123", "not there"},
        {"SVCB 1 foo mandatory=mandatory", "no parameter"},
        {"SVCB 1 foo mandatory=key123,key123 key123=abc", "twice"},
        {"SVCB 1 foo mandatory=alpn, alpn=h2", "no parameter"},
        {"SVCB 1 foo key0", "no list"},
        {"SVCB 1 foo key0=n", "no list"},
        {"SVCB 1 foo key0=\\000\\000", "no list"},
        {"SVCB 1 foo key0=\\000\\001\\000\\001 alpn=h2", "no list"},
        {"SVCB 1 foo key0=\\000\\003\\000\\001 alpn=h2 port=53", "no list"},
        {"SVCB 1 foo key0=\\000\\001", "not there"},
        {"SVCB 1 foo key1", "other bytes"},
        {"SVCB 1 foo key1=h2", "other bytes"},
        {"SVCB 1 foo key1=\\000", "other bytes"},
        {"SVCB 1 foo key1=\\002h2\\002", "other bytes"},
        {"SVCB 1 foo key1=\\002h2\\002h", "other bytes"},
        {"SVCB 1 foo alpn=h2 key2=a", "other bytes"},
        {"SVCB 1 foo key3=1", "other bytes"},
        {"SVCB 1 foo key3=8443", "other bytes"},
        {"SVCB 1 foo key4=192.0.2.1", "other bytes"},
        {"SVCB 1 foo key4", "other bytes"},
        {"SVCB 1 foo key5", "other bytes"},
        {"SVCB 1 foo key6=abcd", "other bytes"},
        {"SVCB 1 foo key7", "other bytes"},
        {"SVCB 1 foo key8=a", "other bytes"},
        {"SVCB 1 foo alpn=h2,", "empty protocol"},
        {"SVCB 1 foo alpn=,h2", "empty protocol"},
        {"SVCB 1 foo port=65536", "not a port"},
        {"SVCB 1 foo ipv4hint=2001:db8::1", "not an IPv4 address"},
        {"SVCB 1 foo ipv4hint=192.0.2.1,", "not an IPv4 address"},
        {"SVCB 1 foo ipv6hint=192.0.2.1", "not an IPv6 address"},
        {"SVCB 1 foo ech=AAE", "not base64"},
        {"SVCB 1 foo Alpn=h2", "unknown parameter"},
        {"SVCB 1 foo key65535=x", "unknown parameter"},
        {"SVCB 1 foo key=x", "unknown parameter"},
        {"SVCB 1 foo alpn=\"h2", "quotation mark"},
        {"TYPE65 \\# 0", "a priority and a domain name"},
        {"TYPE65 \\# 2 0001", "a priority and a domain name"},
        {"TYPE65 \\# 5 0001026132", "a priority and a domain name"},
        {"TYPE64 \\# 4 0001c002", "a priority and a domain name"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = data_of(cases[i].text);
        cr_expect(strncmp(got, "fault: ", 7) == 0 && strstr(got, cases[i].want), "%s: %s",
                  cases[i].text, got);
    }
}

#define HEX10 "0123456789abcdef0123"

/* RFC 8659 4.1 */
Test(rrset, authorities)
{
    cr_expect_str_eq(data_of("CAA 0 issue ca.test"), "0005697373756563612e74657374");
    cr_expect_str_eq(data_of("CAA 128 issue \";\""), "800569737375653b");
    cr_expect_str_eq(data_of("CAA 0 issue \"\""), "00056973737565");
    cr_expect_not_null(strstr(data_of("CAA 0 issue"), "expected a value"));
    cr_expect_not_null(strstr(data_of("CAA 0 issue ;"), "expected a value"));
    cr_expect_str_eq(data_of("CAA 0 tag1 x"), "00047461673178");
    cr_expect_not_null(strstr(data_of("CAA 0 is-sue x"), "letters and digits"));
}

/* RFC 4034 5.1.4, RFC 4509, RFC 6605 2 */
Test(rrset, digests_of_keys)
{
    static const char cut[] = "the digest has another length";

    cr_expect_str_eq(data_of("DS 1 13 1 " HEX10 HEX10), "00010d01" HEX10 HEX10);
    cr_expect_str_eq(data_of("DS 1 13 2 " HEX10 HEX10 HEX10 "0000"),
                     "00010d02" HEX10 HEX10 HEX10 "0000");
    cr_expect_not_null(strstr(data_of("DS 1 13 1 " HEX10), cut));
    cr_expect_not_null(strstr(data_of("DS 1 13 2 " HEX10 HEX10 HEX10 "00"), cut));
    cr_expect_not_null(strstr(data_of("DS 1 13 4 " HEX10 HEX10 HEX10 HEX10 HEX10), cut));
    cr_expect_str_eq(data_of("DS 1 13 250 00ff"), "00010dfa00ff");
}

#define HEX32 HEX10 HEX10 HEX10 "0000"

/* RFC 1035 5.1 */
Test(rrset, escapes)
{
    static const char *const bad[] = {
        "TXT \\256",         "TXT \"a\\999\"",        "TXT \\12", "TXT \\1a2", "TXT a\\",
        "CAA 0 issue \\300", "HTTPS 1 . key667=\\300"};

    cr_expect_str_eq(data_of("TXT \\255\\000\\\\\\\"\\a"), "05ff005c2261");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_str_eq(
            data_of(bad[i]),
            "fault: expected a character or three digits, up to 255, behind a backslash", "%s",
            bad[i]);
    }
}

/* RFC 4255 3.2, RFC 6698 2.2 */
Test(rrset, fingerprints)
{
    cr_expect_str_eq(data_of("SSHFP 4 2 0123456789ABCDEF0123 " HEX10 HEX10 "0000"), "0402" HEX32);
    cr_expect_str_eq(data_of("TLSA 3 1 1 " HEX32), "030101" HEX32);
    cr_expect_str_eq(data_of("TLSA 3 1 2 " HEX32 HEX32), "030102" HEX32 HEX32);
    cr_expect_str_eq(data_of("TLSA 3 0 0 0a0b"), "0300000a0b"); /* a certificate, not a digest */
    cr_expect_str_eq(data_of("SSHFP 4 6 0a0b"), "04060a0b");
    cr_expect_str_eq(data_of("TYPE52 \\# 35 030101 " HEX32), "030101" HEX32);
    cr_expect_not_null(strstr(data_of("SSHFP 4 2"), "hexadecimal digits"));
    cr_expect_not_null(strstr(data_of("TLSA 3 1 00"), "hexadecimal digits"));
    cr_expect_not_null(strstr(data_of("TLSA 3 256 1 00"), "usage, selector"));
}

/* RFC 4255 3.1.2, RFC 6594 4.1, RFC 6698 7.4 */
Test(rrset, fingerprints_of_another_length)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"TLSA 3 1 1 " HEX10 HEX10 HEX10 "00", "32 bytes for matching type 1"},
        {"TLSA 3 1 1 " HEX32 "00", "32 bytes for matching type 1"},
        {"TLSA 3 1 2 " HEX32, "64 for 2"},
        {"SSHFP 4 1 " HEX32, "20 bytes for fingerprint type 1"},
        {"SSHFP 4 2 " HEX10 HEX10, "32 for 2"},
        {"TYPE52 \\# 4 03010100", "32 bytes for matching type 1"},
        {"TYPE52 \\# 2 0301", "no digest"},
        {"TYPE44 \\# 3 040200", "32 for 2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = data_of(cases[i].text);
        cr_expect(strncmp(got, "fault: ", 7) == 0 && strstr(got, cases[i].want), "%s: %s",
                  cases[i].text, got);
    }
}
