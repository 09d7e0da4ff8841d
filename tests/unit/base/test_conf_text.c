/* Settings of one process, read by another. */
#include "base/conf.h"

#include "base/err.h"

#include <criterion/criterion.h>

Test(conf_text, what_is_written_is_read)
{
    struct conf_setting settings[] = {
        {"a.b", "tab\there, line\nand \\ back", "x\\n", "file.yaml:1:2", true, false, false},
        {"list", "", "", "default", false, true, false},
        {"part", "{a: b}", "", "--set part", false, false, true},
    };
    struct conf_flat flat = {settings, ARRAY_LEN(settings)}, back;
    char program[] = "p", option[] = "--set", value[] = "a=\tb\n";
    char *argv[] = {program, option, value, NULL};
    struct conf_command command;
    struct buf text = BUF_INIT;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    conf_write_command(3, argv, "/var/lib/a\tb", &text);
    conf_write_settings(&flat, &text);
    cr_assert_eq(conf_read_settings(buf_span(&text), &arena, &back), 0);
    cr_assert_eq(back.count, flat.count);
    for (size_t i = 0; i < flat.count; i++) {
        cr_expect_str_eq(back.at[i].path, settings[i].path);
        cr_expect_str_eq(back.at[i].shown, settings[i].shown);
        cr_expect_str_eq(back.at[i].same, settings[i].same);
        cr_expect_str_eq(back.at[i].origin, settings[i].origin);
        cr_expect_eq(back.at[i].by_reload, settings[i].by_reload);
        cr_expect_eq(back.at[i].is_item, settings[i].is_item);
        cr_expect_eq(back.at[i].is_part, settings[i].is_part);
    }
    cr_assert_eq(conf_read_command(buf_span(&text), &arena, &command), 0);
    cr_expect_str_eq(command.folder, "/var/lib/a\tb");
    cr_assert_eq(command.count, 2);
    cr_expect_str_eq(command.arguments[0], "--set");
    cr_expect_str_eq(command.arguments[1], "a=\tb\n");
    buf_fini(&text);
    arena_fini(&arena);
}

Test(conf_text, what_is_no_list_of_settings_is_refused)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", 0},
        {"# c\n#x\ty\n", 0},
        {"rv\ta\tb\tc\td\n", 0},
        {"\ta\tb\tc\td\n", 0},
        {"rv\ta\tb\tc\td", ERR_SYNTAX},      /* cut off */
        {"rv\ta\tb\tc\n", ERR_SYNTAX},       /* too few */
        {"rv\ta\tb\tc\td\te\n", ERR_SYNTAX}, /* too many */
        {"rv\ta\\x\tb\tc\td\n", ERR_SYNTAX}, /* no such escape */
        {"rv\ta\tb\tc\td\\\n", ERR_SYNTAX},  /* half of one */
        {"{\"json\": 1}\n", ERR_SYNTAX},
    };
    struct conf_command command;
    struct conf_flat flat;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(conf_read_settings(span_str(cases[i].text), &arena, &flat), cases[i].err,
                     "%zu", i);
    }
    cr_expect_eq(conf_read_settings(SPAN("rv\ta\0\tb\tc\td\n"), &arena, &flat), ERR_SYNTAX);
    cr_expect_eq(conf_read_command(SPAN("#argument\t--x\n"), &arena, &command), ERR_SYNTAX);
    cr_expect_eq(conf_read_command(SPAN("#folder\t/a\\q\n"), &arena, &command), ERR_SYNTAX);
    arena_fini(&arena);
}
