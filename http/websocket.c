/*
 * The answer to a key is a SHA-1 (RFC 3174) in base 64 (RFC 4648 4). It only proves that its sender
 * has read the request, so the weakness of SHA-1 does not matter.
 */
#include "http/websocket.h"

#include "base/check.h"

enum { BLOCK = 64, DIGEST = 20, ROUNDS = 80 };

/* ---- SHA-1 ---- */

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static void expand(const uint8_t *block, uint32_t words[ROUNDS])
{
    for (size_t i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (size_t i = 16; i < ROUNDS; i++) {
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
}

static uint32_t mix(size_t round, uint32_t b, uint32_t c, uint32_t d)
{
    if (round < 20) {
        return ((b & c) | (~b & d)) + 0x5a827999;
    }
    if (round < 40) {
        return (b ^ c ^ d) + 0x6ed9eba1;
    }
    if (round < 60) {
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    }
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void digest_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[ROUNDS];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    expand(block, words);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* SHA-1 of a text that fits into two blocks together with its end mark and length. */
static void sha1(struct span text, uint8_t out[DIGEST])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[2 * BLOCK] = {0};
    size_t len = text.len + 9 <= BLOCK ? BLOCK : sizeof(blocks);
    uint64_t bits = 8 * (uint64_t)text.len;

    CHECK(text.len + 9 <= sizeof(blocks));
    memcpy(blocks, text.at, text.len);
    blocks[text.len] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        blocks[len - 1 - i] = (uint8_t)(bits >> (8 * i));
    }
    for (size_t at = 0; at < len; at += BLOCK) {
        digest_block(state, blocks + at);
    }
    for (size_t i = 0; i < DIGEST; i++) {
        out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

/* ---- base 64 ---- */

/* Writes (len + 2) / 3 * 4 characters. */
static void encode(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < len ? bytes[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = i + 1 < len ? digits[group >> 6 & 63] : '=';
        *out++ = i + 2 < len ? digits[group & 63] : '=';
    }
}

/* ---- the fields ---- */

void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE], char out[WEBSOCKET_KEY])
{
    encode(nonce, WEBSOCKET_NONCE, out);
}

void websocket_accept(struct span key, char out[WEBSOCKET_ACCEPT])
{
    static const struct span suffix = SPAN_INIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    char text[WEBSOCKET_KEY + 36];
    uint8_t digest[DIGEST];

    CHECK(key.len == WEBSOCKET_KEY && sizeof(text) == WEBSOCKET_KEY + suffix.len);
    memcpy(text, key.at, key.len);
    memcpy(text + key.len, suffix.at, suffix.len);
    sha1(span_of(text, sizeof(text)), digest);
    encode(digest, sizeof(digest), out);
}
