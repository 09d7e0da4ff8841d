/* Outcomes and reasons as Markdown tables, for docs/explain.md; with --remedies what each reason
 * means and what to do about it, for docs/why-not-cached.md. */
#include "base/check.h"
#include "cache/decision_text.h"

#include <stdio.h>
#include <string.h>

/* "|" would end a cell. */
static void cell(struct span text)
{
    fputs("| ", stdout);
    for (size_t i = 0; i < text.len; i++) {
        printf(text.at[i] == '|' ? "\\%c" : "%c", text.at[i]);
    }
    fputs(" ", stdout);
}

static void code(struct span text)
{
    printf("| `%.*s` ", SPAN_ARGS(text));
}

static void explained(void)
{
    fputs("| outcome | in Squid's log |\n|---|---|\n", stdout);
    for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++) {
        code(outcome_word((enum outcome)i));
        code(outcome_squid((enum outcome)i));
        puts("|");
    }
    fputs("\n| reason | which means | rule | from |\n|---|---|---|---|\n", stdout);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        code(reason_word((enum reason)i));
        cell(reason_text((enum reason)i));
        cell(reason_rule((enum reason)i));
        cell(reason_source((enum reason)i));
        puts("|");
    }
}

static void remedies(void)
{
    fputs("| reason | which means | what to do |\n|---|---|---|\n", stdout);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        struct span remedy = reason_remedy((enum reason)i);

        code(reason_word((enum reason)i));
        cell(reason_text((enum reason)i));
        cell(remedy.len > 0 ? remedy : SPAN("Nothing: all is well."));
        puts("|");
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--remedies") == 0) {
        remedies();
    } else {
        explained();
    }
    return 0;
}
