/* rewrite_json - finds strings that are links. A string before a colon is a key (RFC 8259 4). Of
 * the nesting only the depth is kept, and where the relevant object is, so memory is bounded. */
#include "http/chars.h"
#include "proxy/mirror/rewrite_parts.h"

enum { OUTSIDE, STRING, ESCAPE, HEX };
enum { KEY_NONE, KEY_PARENT, KEY_LINK };

/* Which objects have links: those `extra` brackets below the value of `parent`. */
static const struct shape {
    struct span parent, link;
    unsigned extra;
} shapes[] = {
    [REWRITE_NPM] = {SPAN_INIT("dist"), SPAN_INIT("tarball"), 0},
    [REWRITE_PIP_JSON] = {SPAN_INIT("files"), SPAN_INIT("url"), 1},
};

/* ---- strings ---- */

static void character(struct rewriter *rewriter, int c)
{
    if (rewriter->match.on) {
        rewrite_feed(rewriter, c);
    } else {
        rewrite_word_add(rewriter, c);
    }
}

/* The character for an escape; -1: none that a link has. */
static int escaped(char c)
{
    return c == '/' || c == '\\' || c == '"' ? c : -1;
}

static void in_hex(struct rewriter *rewriter, char c)
{
    unsigned value = char_is(c, CHAR_HEX) ? char_hex_value(c) : 0xffff; /* no character */

    rewrite_put(rewriter, c);
    rewriter->hex = rewriter->hex << 4 | value;
    if (--rewriter->hex_left == 0) {
        rewriter->state = STRING;
        character(rewriter, rewriter->hex < 0x80 ? (int)rewriter->hex : -1);
    }
}

static void in_escape(struct rewriter *rewriter, char c)
{
    rewrite_put(rewriter, c);
    if (c == 'u') {
        rewriter->state = HEX;
        rewriter->hex_left = 4;
        rewriter->hex = 0;
        return;
    }
    rewriter->state = STRING;
    character(rewriter, escaped(c));
}

static void in_string(struct rewriter *rewriter, char c)
{
    if (c == '"') {
        rewrite_decide(rewriter);
        rewrite_put(rewriter, c);
        rewriter->state = OUTSIDE;
        rewriter->after_string = true;
        return;
    }
    rewrite_put(rewriter, c);
    if (c == '\\') {
        rewriter->state = ESCAPE;
    } else {
        character(rewriter, (unsigned char)c);
    }
}

/* ---- between them ---- */

static void begin_string(struct rewriter *rewriter)
{
    const struct shape *shape = &shapes[rewriter->format];
    bool there = rewriter->parent && rewriter->depth == rewriter->parent + shape->extra;

    rewriter->state = STRING;
    rewrite_word_begin(rewriter);
    if (rewriter->key == KEY_LINK && there) {
        rewrite_begin(rewriter);
    }
}

static int key_of(const struct rewriter *rewriter)
{
    const struct shape *shape = &shapes[rewriter->format];

    return rewrite_word_is(rewriter, shape->parent) ? KEY_PARENT
           : rewrite_word_is(rewriter, shape->link) ? KEY_LINK
                                                    : KEY_NONE;
}

static void outside(struct rewriter *rewriter, char c)
{
    int key = KEY_NONE;

    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return;
    case '"':
        begin_string(rewriter);
        break;
    case ':':
        key = rewriter->after_string ? key_of(rewriter) : KEY_NONE;
        break;
    case '{':
    case '[':
        rewriter->depth++;
        if (rewriter->key == KEY_PARENT && rewriter->parent == 0) {
            rewriter->parent = rewriter->depth;
        }
        break;
    case '}':
    case ']':
        rewriter->parent = rewriter->depth == rewriter->parent ? 0 : rewriter->parent;
        rewriter->depth -= rewriter->depth > 0;
        break;
    }
    rewriter->key = key;
    rewriter->after_string = false;
}

void rewrite_json(struct rewriter *rewriter, char c)
{
    switch (rewriter->state) {
    case STRING:
        in_string(rewriter, c);
        break;
    case ESCAPE:
        in_escape(rewriter, c);
        break;
    case HEX:
        in_hex(rewriter, c);
        break;
    default:
        rewriter->out[rewriter->written++] = c;
        outside(rewriter, c);
        break;
    }
}

/* Inside other strings: everything up to their end, or a backslash. */
size_t rewrite_json_dull(const struct rewriter *rewriter, struct span in)
{
    size_t i = 0;

    if (rewriter->state == STRING && rewriter->word.len > sizeof(rewriter->word.text)) {
        while (i < in.len && in.at[i] != '"' && in.at[i] != '\\') {
            i++;
        }
    }
    return i;
}
