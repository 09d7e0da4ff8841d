/* rewrite_html - finds `href` of <a> and <base> with the necessary part of HTML's tokenizer (HTML
 * 13.2.5). */
#include "proxy/mirror/rewrite_parts.h"

enum {
    TEXT,
    OPEN,         /* "<" */
    DECLARATION,  /* "<!" */
    DECLARATION2, /* "<!-" */
    COMMENT,
    COMMENT_END1, /* "-" */
    COMMENT_END2, /* "--" */
    IGNORED,      /* up to ">" */
    TAG,          /* its name */
    BETWEEN,      /* attributes */
    NAME,         /* of one */
    AFTER_NAME,
    BEFORE_VALUE,
    VALUE,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
    char lower = ascii_lower(c);

    return lower >= 'a' && lower <= 'z';
}

static int opened(struct rewriter *rewriter, char c)
{
    if (is_letter(c)) {
        rewrite_word_begin(rewriter);
        rewrite_word_add(rewriter, ascii_lower(c));
        return TAG;
    }
    return c == '!' ? DECLARATION : c == '/' || c == '?' ? IGNORED : c == '<' ? OPEN : TEXT;
}

static int in_comment(const struct rewriter *rewriter, char c)
{
    if (c == '-') {
        return rewriter->state == COMMENT ? COMMENT_END1 : COMMENT_END2;
    }
    return c == '>' && rewriter->state == COMMENT_END2 ? TEXT : COMMENT;
}

static int in_tag(struct rewriter *rewriter, char c)
{
    if (!is_blank(c) && c != '/' && c != '>') {
        rewrite_word_add(rewriter, ascii_lower(c));
        return TAG;
    }
    rewriter->is_link_tag =
        rewrite_word_is(rewriter, SPAN("a")) || rewrite_word_is(rewriter, SPAN("base"));
    return c == '>' ? TEXT : BETWEEN;
}

static int between(struct rewriter *rewriter, char c)
{
    if (is_blank(c) || c == '/') {
        return BETWEEN;
    }
    if (c == '>') {
        return TEXT;
    }
    rewrite_word_begin(rewriter);
    rewrite_word_add(rewriter, ascii_lower(c));
    return NAME;
}

static int after_name(struct rewriter *rewriter, char c)
{
    if (c == '=') {
        return BEFORE_VALUE;
    }
    return is_blank(c) ? AFTER_NAME : between(rewriter, c);
}

static int in_name(struct rewriter *rewriter, char c)
{
    if (!is_blank(c) && c != '/' && c != '>' && c != '=') {
        rewrite_word_add(rewriter, ascii_lower(c));
        return NAME;
    }
    rewriter->is_link = rewriter->is_link_tag && rewrite_word_is(rewriter, SPAN("href"));
    return after_name(rewriter, c);
}

static int step(struct rewriter *rewriter, char c)
{
    switch (rewriter->state) {
    case OPEN:
        return opened(rewriter, c);
    case DECLARATION:
        return c == '-' ? DECLARATION2 : c == '>' ? TEXT : IGNORED;
    case DECLARATION2:
        return c == '-' ? COMMENT : c == '>' ? TEXT : IGNORED;
    case COMMENT:
    case COMMENT_END1:
    case COMMENT_END2:
        return in_comment(rewriter, c);
    case IGNORED:
        return c == '>' ? TEXT : IGNORED;
    case TAG:
        return in_tag(rewriter, c);
    case BETWEEN:
        return between(rewriter, c);
    case NAME:
        return in_name(rewriter, c);
    case AFTER_NAME:
        return after_name(rewriter, c);
    default:
        return c == '<' ? OPEN : TEXT;
    }
}

static void value_byte(struct rewriter *rewriter, char c)
{
    bool ends = rewriter->quote ? c == rewriter->quote : is_blank(c) || c == '>';

    if (ends) {
        rewrite_decide(rewriter);
        rewrite_put(rewriter, c);
        rewriter->state = c == '>' && !rewriter->quote ? TEXT : BETWEEN;
        return;
    }
    rewrite_put(rewriter, c);
    rewrite_feed(rewriter, (unsigned char)c);
}

/* The first byte after "=". */
static void before_value(struct rewriter *rewriter, char c)
{
    if (is_blank(c) || c == '>') {
        rewrite_put(rewriter, c);
        rewriter->state = c == '>' ? TEXT : BEFORE_VALUE;
        return;
    }
    bool quoted = c == '"' || c == '\'';
    rewriter->quote = quoted ? c : '\0';
    rewriter->state = VALUE;
    if (quoted) {
        rewrite_put(rewriter, c);
    }
    if (rewriter->is_link) {
        rewrite_begin(rewriter);
    }
    if (!quoted) {
        value_byte(rewriter, c);
    }
}

void rewrite_html(struct rewriter *rewriter, char c)
{
    if (rewriter->state == VALUE) {
        value_byte(rewriter, c);
    } else if (rewriter->state == BEFORE_VALUE) {
        before_value(rewriter, c);
    } else {
        rewrite_put(rewriter, c);
        rewriter->state = step(rewriter, c);
    }
}

/* Outside of tags: everything up to the next tag. */
size_t rewrite_html_dull(const struct rewriter *rewriter, struct span in)
{
    return rewriter->state == TEXT ? span_find(in, '<') : 0;
}
