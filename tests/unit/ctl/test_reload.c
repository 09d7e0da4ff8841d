#include "ctl/verbs.h"

#include "base/err.h"

#include <criterion/criterion.h>

Test(reload, changes_for_people)
{
    static const char json[] =
        "{\"changes\": ["
        "{\"path\": \"name\", \"kind\": \"changed\", \"before\": \"a\", \"after\": \"b\\u001b\","
        " \"origin\": \"f:1:7\", \"by\": \"reload\"},"
        "{\"path\": \"sites\", \"kind\": \"added\", \"after\": \"{hosts: [x]}\","
        " \"origin\": \"f:2:5\", \"by\": \"reload\"},"
        "{\"path\": \"access\", \"kind\": \"moved\", \"origin\": \"f:3:5\", \"by\": \"reload\"},"
        "{\"path\": \"workers\", \"kind\": \"changed\", \"before\": \"1\", \"after\": \"2\","
        " \"origin\": \"--workers\", \"by\": \"restart\"},"
        "{\"path\": \"listen[x].address\", \"kind\": \"removed\", \"before\": \"x\","
        " \"origin\": \"f:4:1\", \"by\": \"restart\"}]}";
    static const char changes[] = "  name: a -> b?  # f:1:7\n"
                                  "+ sites: {hosts: [x]}  # f:2:5\n"
                                  "  access: the same, in another order  # f:3:5\n"
                                  "only a restart changes:\n"
                                  "  workers: 1 -> 2  # --workers\n"
                                  "- listen[x].address: x  # f:4:1\n";
    struct buf out = BUF_INIT;
    size_t count;

    cr_assert_eq(reload_render(span_str(json), false, &out, &count), 0);
    buf_append(&out, SPAN("\0"));
    struct span text = span_str(out.data);
    cr_expect(span_starts(text, SPAN("a reload would change:\n")) &&
                  span_ends(text, span_str(changes)),
              "%s", out.data);
    cr_expect_eq(count, 5);
    buf_fini(&out);
}

Test(reload, nothing_and_nonsense)
{
    struct buf out = BUF_INIT;
    size_t count = 1;

    cr_expect_eq(reload_render(SPAN("{\"changes\": []}"), true, &out, &count), 0);
    cr_expect_eq(count, 0);
    cr_expect(span_eq(buf_span(&out), SPAN("reloaded; no setting has changed\n")));
    cr_expect_eq(reload_render(SPAN("{}"), true, &out, &count), ERR_SYNTAX);
    cr_expect_eq(reload_render(SPAN("x"), true, &out, &count), ERR_SYNTAX);
    buf_fini(&out);
}
