/*
 * The chunked coding is decoded by a table: the current state and the class of the next byte select
 * the next state (RFC 9112 7.1). Only two states need more than that: the size, whose digits have a
 * value, and the data, which is passed on. All other transitions are 0: the coding is broken.
 *
 *     SIZE_FIRST → SIZE → [extension …] → SIZE_LF → DATA → DATA_CR → DATA_LF → SIZE_FIRST
 *                                             └ size 0 → LINE → [trailer …] → LAST_LF → DONE
 */
#include "http/h1_body.h"

#include "base/check.h"
#include "http/chars.h"

enum {
    SIZE_DIGITS_MAX = 15,
    EXTENSION_MAX = 4096,
    TRAILERS_MAX = 8192,
    TRAILER_LINES_MAX = 64,
    /* extensions of all chunks together may have this many bytes more than the data */
    EXCESS_MAX = 16384,
    EXCESS_FREE = 16, /* extension bytes that each chunk may have besides */
};

enum state {
    BROKEN,
    SIZE_FIRST,    /* the first digit of a chunk size */
    SIZE,          /* further digits */
    EXT_OR_END,    /* white space before ";" */
    EXT_START,     /* behind ";" */
    EXT_NAME,      /* inside the name of an extension */
    EXT_NAME_END,  /* white space behind the name */
    EXT_VALUE,     /* behind "=" */
    EXT_TOKEN,     /* inside an unquoted value */
    EXT_QUOTED,    /* inside a quoted value */
    EXT_ESCAPE,    /* behind a backslash in a quoted value */
    EXT_QUOTE_END, /* behind the closing quote */
    SIZE_LF,       /* the LF of the size line */
    DATA,          /* `left` bytes of the chunk */
    DATA_CR,       /* the CR LF behind the data */
    DATA_LF,
    LINE,         /* the start of a trailer line, or the empty line */
    TRAILER_NAME, /* inside the name of a trailer */
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF, /* the LF of the empty line */
    DONE,
    STATES,
};

enum char_class {
    CTL,
    CR,
    LF,
    WHITE,
    TOKEN,
    SEMICOLON,
    COLON,
    EQUALS,
    QUOTE,
    BACKSLASH,
    TEXT,
    CLASSES
};

/* clang-format off */
static const uint8_t next_state[STATES][CLASSES] = {
    [SIZE]          = {[CR] = SIZE_LF, [WHITE] = EXT_OR_END, [SEMICOLON] = EXT_START},
    [EXT_OR_END]    = {[WHITE] = EXT_OR_END, [SEMICOLON] = EXT_START},
    [EXT_START]     = {[WHITE] = EXT_START, [TOKEN] = EXT_NAME},
    [EXT_NAME]      = {[CR] = SIZE_LF, [WHITE] = EXT_NAME_END, [TOKEN] = EXT_NAME,
                       [SEMICOLON] = EXT_START, [EQUALS] = EXT_VALUE},
    [EXT_NAME_END]  = {[WHITE] = EXT_NAME_END, [SEMICOLON] = EXT_START, [EQUALS] = EXT_VALUE},
    [EXT_VALUE]     = {[WHITE] = EXT_VALUE, [TOKEN] = EXT_TOKEN, [QUOTE] = EXT_QUOTED},
    [EXT_TOKEN]     = {[CR] = SIZE_LF, [WHITE] = EXT_OR_END, [TOKEN] = EXT_TOKEN,
                       [SEMICOLON] = EXT_START},
    [EXT_QUOTED]    = {[WHITE] = EXT_QUOTED, [TOKEN] = EXT_QUOTED, [SEMICOLON] = EXT_QUOTED,
                       [COLON] = EXT_QUOTED, [EQUALS] = EXT_QUOTED, [TEXT] = EXT_QUOTED,
                       [QUOTE] = EXT_QUOTE_END, [BACKSLASH] = EXT_ESCAPE},
    [EXT_ESCAPE]    = {[WHITE] = EXT_QUOTED, [TOKEN] = EXT_QUOTED, [SEMICOLON] = EXT_QUOTED,
                       [COLON] = EXT_QUOTED, [EQUALS] = EXT_QUOTED, [TEXT] = EXT_QUOTED,
                       [QUOTE] = EXT_QUOTED, [BACKSLASH] = EXT_QUOTED},
    [EXT_QUOTE_END] = {[CR] = SIZE_LF, [WHITE] = EXT_OR_END, [SEMICOLON] = EXT_START},
    [SIZE_LF]       = {[LF] = DATA},
    [DATA_CR]       = {[CR] = DATA_LF},
    [DATA_LF]       = {[LF] = SIZE_FIRST},
    [LINE]          = {[CR] = LAST_LF, [TOKEN] = TRAILER_NAME},
    [TRAILER_NAME]  = {[TOKEN] = TRAILER_NAME, [COLON] = TRAILER_VALUE},
    [TRAILER_VALUE] = {[CR] = TRAILER_LF, [WHITE] = TRAILER_VALUE, [TOKEN] = TRAILER_VALUE,
                       [SEMICOLON] = TRAILER_VALUE, [COLON] = TRAILER_VALUE,
                       [EQUALS] = TRAILER_VALUE, [QUOTE] = TRAILER_VALUE,
                       [BACKSLASH] = TRAILER_VALUE, [TEXT] = TRAILER_VALUE},
    [TRAILER_LF]    = {[LF] = LINE},
    [LAST_LF]       = {[LF] = DONE},
};
/* clang-format on */

static enum char_class classify(char c)
{
    switch (c) {
    case '\r':
        return CR;
    case '\n':
        return LF;
    case ' ':
    case '\t':
        return WHITE;
    case ';':
        return SEMICOLON;
    case ':':
        return COLON;
    case '=':
        return EQUALS;
    case '"':
        return QUOTE;
    case '\\':
        return BACKSLASH;
    }
    return char_is(c, CHAR_TOKEN) ? TOKEN : char_is(c, CHAR_VALUE) ? TEXT : CTL;
}

void h1_body_init(struct h1_body *body, const struct http_head *head)
{
    CHECK(head->framing != BODY_STREAM);
    *body = (struct h1_body){.framing = head->framing,
                             .state = SIZE_FIRST,
                             .may_pad = head->status != 0}; /* only responses may */
    if (head->framing == BODY_LENGTH) {
        body->left = (uint64_t)head->content_length;
    }
}

/* Begins a size line, with the chunk's allowance for extensions. */
static void begin_size(struct h1_body *body, uint8_t digit)
{
    body->left = digit;
    body->digits = 1;
    body->overhead = 0;
}

static enum state take_digit(struct h1_body *body, char c)
{
    uint8_t digit = char_hex_value(c);

    if (body->state == SIZE_FIRST) {
        begin_size(body, digit);
        return SIZE;
    }
    if (++body->digits > SIZE_DIGITS_MAX) {
        return BROKEN;
    }
    body->left = body->left << 4 | digit;
    return SIZE;
}

/* The size line is complete. Is its extension too long for the data that it announces? Many tiny
 * chunks with long extensions would cost the receiver more than the sender. */
static enum state end_size(struct h1_body *body)
{
    uint64_t allowance = EXCESS_FREE + (body->left > EXCESS_MAX ? EXCESS_MAX : 2 * body->left);
    uint64_t weight = (uint64_t)body->excess + body->overhead;

    body->excess = (uint32_t)(weight > allowance ? weight - allowance : 0);
    body->overhead = 0;
    if (body->excess > EXCESS_MAX) {
        return BROKEN;
    }
    return body->left ? DATA : LINE;
}

static bool count_overhead(struct h1_body *body, enum state next)
{
    if (next >= EXT_OR_END && next <= EXT_QUOTE_END) {
        return ++body->overhead <= EXTENSION_MAX;
    }
    if (next >= TRAILER_NAME && next <= TRAILER_LF) {
        return ++body->overhead <= TRAILERS_MAX;
    }
    return true;
}

/* Processes one byte of framing and returns the next state. */
static enum state step(struct h1_body *body, char c)
{
    if ((body->state == SIZE_FIRST || body->state == SIZE) && char_is(c, CHAR_HEX)) {
        return take_digit(body, c);
    }
    enum state next = (enum state)next_state[body->state][classify(c)];
    if (body->state == EXT_OR_END && c == '\r' && body->may_pad) {
        next = SIZE_LF;
    }
    if (body->state == SIZE_LF && next == DATA) {
        return end_size(body);
    }
    if (next == TRAILER_LF && ++body->lines > TRAILER_LINES_MAX) {
        return BROKEN;
    }
    return count_overhead(body, next) ? next : BROKEN;
}

/* Lends the part of the input that belongs to the body. */
static enum h1_body_result lend(struct h1_body *body, struct span bytes, struct span *data)
{
    size_t len = bytes.len < body->left ? bytes.len : (size_t)body->left;

    *data = span_take(bytes, len);
    body->left -= len;
    return len ? H1_BODY_DATA : H1_BODY_MORE;
}

static bool is_in_trailers(enum state state)
{
    return state >= LINE && state <= LAST_LF;
}

/* Has the trailer section any fields? */
static bool has_trailers(const struct h1_body *body)
{
    return body->lines || (body->state >= TRAILER_NAME && body->state <= TRAILER_LF);
}

static enum h1_body_result next_chunked(struct h1_body *body, struct span bytes, size_t *used,
                                        struct span *data)
{
    size_t i = 0;
    size_t framing = 0; /* bytes of framing before the trailers */

    while (i < bytes.len && body->state != DATA && body->state != DONE && body->state != BROKEN) {
        framing += !is_in_trailers((enum state)body->state);
        body->state = (uint8_t)step(body, bytes.at[i++]);
    }
    *used = i;
    if (body->state == BROKEN) {
        return H1_BODY_BAD;
    }
    if (i > framing && has_trailers(body)) {
        *data = span_skip(span_take(bytes, i), framing);
        return H1_BODY_TRAILERS;
    }
    if (body->state == DONE) {
        return H1_BODY_END;
    }
    if (body->state != DATA) {
        return H1_BODY_MORE;
    }
    enum h1_body_result result = lend(body, span_skip(bytes, i), data);
    *used += data->len;
    if (body->left == 0) {
        body->state = DATA_CR;
    }
    return result;
}

enum h1_body_result h1_body_next(struct h1_body *body, struct span bytes, size_t *used,
                                 struct span *data)
{
    enum h1_body_result result = H1_BODY_END;

    *used = 0;
    *data = SPAN_EMPTY;
    switch (body->framing) {
    case BODY_NONE:
        return H1_BODY_END;
    case BODY_LENGTH:
        if (body->left) {
            result = lend(body, bytes, data);
        }
        *used = data->len;
        return result;
    case BODY_CHUNKED:
        return next_chunked(body, bytes, used, data);
    case BODY_CLOSE:
        *used = bytes.len;
        *data = bytes;
        return bytes.len ? H1_BODY_DATA : H1_BODY_MORE;
    case BODY_STREAM:
        break;
    }
    UNREACHABLE();
}

bool h1_body_awaits_data(const struct h1_body *body)
{
    return body->framing != BODY_CHUNKED || body->state == DATA;
}

bool h1_body_eof_is_end(const struct h1_body *body)
{
    switch (body->framing) {
    case BODY_NONE:
    case BODY_CLOSE:
        return true;
    case BODY_LENGTH:
        return body->left == 0;
    case BODY_CHUNKED:
        return body->state == DONE;
    case BODY_STREAM:
        break;
    }
    UNREACHABLE();
}
