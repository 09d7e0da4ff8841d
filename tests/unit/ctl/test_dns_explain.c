#include "ctl/verbs.h"

#include "base/err.h"

#include <criterion/criterion.h>

Test(dns_explain, a_page_for_people)
{
    static const char json[] =
        "{\"name\": \"www.ex.\", \"type\": \"A\", \"client\": \"10.1.0.0/16\","
        " \"match\": \"the name\", \"zone\": \"ex.\", \"owner\": \"*.ex.\", \"wildcard\": true,"
        " \"policy\": {\"kind\": \"nearest\", \"ttl\": 30, \"answers\": 0},"
        " \"steered\": \"www.ex.\", \"redirected\": false,"
        " \"ranking\": {\"origin\": \"nearest.map\", \"scope\": 16, \"prefix\": \"10.1.0.0/16\"},"
        " \"level\": \"up, and not too full\", \"spilled\": true, \"candidates\": ["
        "{\"replica\": \"fra\", \"state\": \"up\", \"keeps\": 0.4, \"of_fair_share\": 1.5,"
        "  \"verdict\": \"passed over\", \"why\": \"too full for this client\"},"
        "{\"replica\": \"n\\u001byc\", \"state\": \"up\", \"keeps\": 1, \"verdict\": \"given\"}],"
        " \"resolved\": false, \"scope\": 16, \"answer\": {\"rcode\": \"NOERROR\", \"records\": ["
        "{\"name\": \"www.ex.\", \"type\": \"A\", \"ttl\": 30, \"data\": \"192.0.2.1\"}]}}";
    static const char want[] =
        "question    www.ex. A for 10.1.0.0/16\n"
        "zone        ex.: the name, by *.ex.\n"
        "policy      nearest, ttl 30 s\n"
        "ranking     nearest.map, 10.1.0.0/16, the same for all in the client's /16\n"
        "replicas     1 fra              passed over: too full for this client (150 % of its "
        "share, "
        "keeps 40 % of its clients)\n"
        "             2 n?yc             given\n"
        "choice      up, and not too full; a better one was too full for this client\n"
        "answer      NOERROR, scope 16\n"
        "            www.ex. 30 A 192.0.2.1\n";
    struct buf out = BUF_INIT;

    cr_assert_eq(dns_explain_render(span_str(json), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want, "%s", out.data);
    buf_fini(&out);
}

Test(dns_explain, a_name_without_the_type)
{
    struct buf out = BUF_INIT;

    cr_assert_eq(dns_explain_render(SPAN("{\"name\": \"a.ex.\", \"match\": \"the name\","
                                         " \"zone\": \"ex.\", \"type\": \"TLSA\","
                                         " \"client\": \"::1/128\", \"scope\": 0, \"answer\":"
                                         " {\"rcode\": \"NOERROR\", \"records\": []}}"),
                                    &out),
                 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_not_null(strstr(out.data, "NOERROR, scope 0, no records of this type\n"), "%s",
                       out.data);
    buf_fini(&out);
}

Test(dns_explain, what_is_resolved)
{
    struct buf out = BUF_INIT;

    cr_assert_eq(dns_explain_render(SPAN("{\"name\": \"a.\", \"match\": \"no zone of ours\","
                                         " \"type\": \"A\", \"client\": \"::1/128\","
                                         " \"resolved\": true}"),
                                    &out),
                 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, "question    a. A for ::1/128\n"
                               "zone        no zone of ours\n"
                               "answer      what the resolver finds\n");
    buf_fini(&out);
    cr_expect_eq(dns_explain_render(SPAN("{\"program\": 1}"), &out), ERR_SYNTAX);
    cr_expect_eq(dns_explain_render(SPAN("nonsense"), &out), ERR_SYNTAX);
    buf_fini(&out);
}

Test(dns_explain, the_question)
{
    struct ctl_options options = {.client = "10.1.0.0/16", .type = "AAAA"};
    struct buf out = BUF_INIT;

    dns_explain_path(&options, "a b&c=\xc3.example", &out);
    cr_expect_str_eq(out.data,
                     "/explain?name=a%20b%26c%3D%C3.example&client=10.1.0.0/16&type=AAAA");
    buf_fini(&out);
}
