#include "http/websocket.h"

#include <criterion/criterion.h>

#include "base/check.h"

Test(websocket, the_key_is_a_nonce_in_base64_rfc6455_4_1)
{
    uint8_t nonce[WEBSOCKET_NONCE];
    char key[WEBSOCKET_KEY];

    memcpy(nonce, "the sample nonce", sizeof(nonce));
    websocket_key(nonce, key);
    cr_expect(span_eq(span_of(key, sizeof(key)), SPAN("dGhlIHNhbXBsZSBub25jZQ==")));
    memset(nonce, 0xff, sizeof(nonce));
    websocket_key(nonce, key);
    cr_expect(span_eq(span_of(key, sizeof(key)), SPAN("/////////////////////w==")));
}

/* The first is of the RFC, the others were computed by hashlib. */
Test(websocket, the_answer_to_a_key_rfc6455_4_2_2)
{
    static const struct {
        const char *key, *accept;
    } cases[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"EREREREREREREREREREREQ==", "KNA/oxCTDuT6bK7/rIMPuSB/t8k="},
        {"IiIiIiIiIiIiIiIiIiIiIg==", "YN3qSXLrcTj8x/nRqX0R8YOQClk="},
        {"MzMzMzMzMzMzMzMzMzMzMw==", "9QzwuTZMhR62zLLqOGqKflERmaA="},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char accept[WEBSOCKET_ACCEPT];
        websocket_accept(span_str(cases[i].key), accept);
        cr_expect(span_eq(span_of(accept, sizeof(accept)), span_str(cases[i].accept)), "%zu: %.28s",
                  i, accept);
    }
}
