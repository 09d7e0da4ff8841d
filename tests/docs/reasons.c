/* Outcomes, fwd and reasons as Markdown tables, for docs/explain.md. */
#include "base/check.h"
#include "cache/decision_text.h"

#include <stdio.h>

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

int main(void)
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
    return 0;
}
