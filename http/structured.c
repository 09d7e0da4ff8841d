/*
 * RFC 8941 4.2 without recursion: an inner list contains only items, so two nested loops are
 * enough. A reader that fails empties `rest`, so that all further reads stop at once.
 */
#include "http/structured.h"

#include "http/chars.h"

enum { INTEGER_DIGITS = 15, DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

struct sf_dictionary sf_dictionary(struct span text)
{
    return (struct sf_dictionary){.rest = text};
}

static bool fail(struct sf_dictionary *d)
{
    d->bad = true;
    d->rest = SPAN_EMPTY;
    return false;
}

/* The next byte; NUL at the end, which no rule accepts. */
static char peek(const struct sf_dictionary *d)
{
    if (d->rest.len == 0) {
        return '\0';
    }
    return d->rest.at[0];
}

static void skip(struct sf_dictionary *d, size_t n)
{
    d->rest = span_skip(d->rest, n);
}

static bool take(struct sf_dictionary *d, char c)
{
    if (peek(d) != c || d->rest.len == 0) {
        return false;
    }
    skip(d, 1);
    return true;
}

static void skip_spaces(struct sf_dictionary *d)
{
    while (take(d, ' ')) {
    }
}

static void skip_ows(struct sf_dictionary *d)
{
    while (take(d, ' ') || take(d, '\t')) {
    }
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(ascii_lower(c));
}

static bool is_key_char(char c)
{
    return is_lower(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool is_token_char(char c)
{
    return char_is(c, CHAR_TOKEN) || c == ':' || c == '/';
}

static bool is_base64_char(char c)
{
    return is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* Takes bytes from the front as long as `accepts` is true. */
static struct span take_while(struct sf_dictionary *d, bool (*accepts)(char))
{
    size_t len = 0;

    while (len < d->rest.len && accepts(d->rest.at[len])) {
        len++;
    }
    struct span taken = span_take(d->rest, len);
    skip(d, len);
    return taken;
}

static bool read_key(struct sf_dictionary *d, struct span *key)
{
    if (!is_lower(peek(d)) && peek(d) != '*') {
        return fail(d);
    }
    *key = take_while(d, is_key_char);
    return true;
}

static bool read_number(struct sf_dictionary *d, struct sf_member *out)
{
    bool negative = take(d, '-');
    struct span digits = take_while(d, ascii_is_digit);
    uint64_t value;

    if (digits.len > INTEGER_DIGITS || !span_to_u64(digits, INT64_MAX, &value)) {
        return fail(d);
    }
    out->type = SF_INTEGER;
    out->integer = negative ? -(int64_t)value : (int64_t)value;
    if (take(d, '.')) {
        struct span fraction = take_while(d, ascii_is_digit);
        out->type = SF_DECIMAL;
        if (digits.len > DECIMAL_DIGITS || fraction.len == 0 || fraction.len > FRACTION_DIGITS) {
            return fail(d);
        }
    }
    return true;
}

/* Length of one character inside a string; 2 for an escaped one; 0: not allowed. */
static size_t string_char_len(struct span text)
{
    if (text.at[0] != '\\') {
        return text.at[0] == ' ' || char_is(text.at[0], CHAR_VISIBLE) ? 1 : 0;
    }
    return text.len > 1 && (text.at[1] == '"' || text.at[1] == '\\') ? 2 : 0;
}

static bool read_string(struct sf_dictionary *d, struct sf_member *out)
{
    struct span rest = span_skip(d->rest, 1);
    size_t len = 0;

    while (len < rest.len && rest.at[len] != '"') {
        size_t n = string_char_len(span_skip(rest, len));
        if (n == 0) {
            return fail(d);
        }
        len += n;
    }
    if (len == rest.len) {
        return fail(d);
    }
    out->type = SF_STRING;
    out->text = span_take(rest, len);
    d->rest = span_skip(rest, len + 1);
    return true;
}

static bool read_bytes(struct sf_dictionary *d, struct sf_member *out)
{
    skip(d, 1);
    out->type = SF_BYTES;
    out->text = take_while(d, is_base64_char);
    return take(d, ':') || fail(d);
}

static bool read_boolean(struct sf_dictionary *d, struct sf_member *out)
{
    skip(d, 1);
    out->type = SF_BOOLEAN;
    out->integer = peek(d) == '1';
    return take(d, '0') || take(d, '1') || fail(d);
}

static bool read_bare_item(struct sf_dictionary *d, struct sf_member *out)
{
    char first = peek(d);

    switch (first) {
    case '"':
        return read_string(d, out);
    case ':':
        return read_bytes(d, out);
    case '?':
        return read_boolean(d, out);
    default:
        break;
    }
    if (first == '-' || ascii_is_digit(first)) {
        return read_number(d, out);
    }
    if (!is_alpha(first) && first != '*') {
        return fail(d);
    }
    out->type = SF_TOKEN;
    out->text = take_while(d, is_token_char);
    return true;
}

/* Parameters are ignored, but must be well-formed. */
static bool read_parameters(struct sf_dictionary *d)
{
    struct sf_member ignored;

    while (take(d, ';')) {
        skip_spaces(d);
        if (!read_key(d, &ignored.key) || (take(d, '=') && !read_bare_item(d, &ignored))) {
            return false;
        }
    }
    return true;
}

static bool read_inner_list(struct sf_dictionary *d, struct sf_member *out)
{
    struct sf_member ignored;

    skip(d, 1);
    skip_spaces(d);
    while (!take(d, ')')) {
        if (!read_bare_item(d, &ignored) || !read_parameters(d)) {
            return false;
        }
        if (peek(d) != ' ' && peek(d) != ')') {
            return fail(d);
        }
        skip_spaces(d);
    }
    out->type = SF_LIST;
    return true;
}

static bool read_value(struct sf_dictionary *d, struct sf_member *out)
{
    if (!take(d, '=')) {
        out->type = SF_BOOLEAN;
        out->integer = 1;
    } else if (peek(d) == '(' ? !read_inner_list(d, out) : !read_bare_item(d, out)) {
        return false;
    }
    return read_parameters(d);
}

/* Members are separated by a comma, which must be followed by another member. */
static bool read_separator(struct sf_dictionary *d)
{
    if (!d->begun) {
        d->begun = true;
        skip_spaces(d);
        return d->rest.len > 0;
    }
    skip_ows(d);
    if (d->rest.len == 0) {
        return false;
    }
    if (!take(d, ',')) {
        return fail(d);
    }
    skip_ows(d);
    return d->rest.len > 0 || fail(d);
}

bool sf_dictionary_next(struct sf_dictionary *dictionary, struct sf_member *member)
{
    *member = (struct sf_member){0};
    return read_separator(dictionary) && read_key(dictionary, &member->key) &&
           read_value(dictionary, member);
}
