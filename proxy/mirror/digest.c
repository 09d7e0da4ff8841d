#include "proxy/mirror/digest.h"

#include "base/check.h"
#include "base/mem.h"

#include <openssl/evp.h>

struct digest {
    EVP_MD_CTX *context;
    struct span hex;
    bool holds; /* `held` is set */
    char held;  /* the last byte so far */
    char gone;  /* the one before the bytes taken last, which may pass on with them */
};

struct digest *digest_new(struct span hex)
{
    struct digest *digest = xcalloc(1, sizeof(*digest));

    digest->hex = hex;
    digest->context = EVP_MD_CTX_new();
    CHECK(digest->context && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
    return digest;
}

void digest_free(struct digest **digest)
{
    if (*digest) {
        EVP_MD_CTX_free((*digest)->context);
        free(*digest);
        *digest = NULL;
    }
}

void digest_take(struct digest *digest, struct span bytes, struct span out[2])
{
    CHECK(bytes.len && EVP_DigestUpdate(digest->context, bytes.at, bytes.len) == 1);
    digest->gone = digest->held;
    out[0] = digest->holds ? span_of(&digest->gone, 1) : SPAN_EMPTY;
    out[1] = span_take(bytes, bytes.len - 1);
    digest->held = bytes.at[bytes.len - 1];
    digest->holds = true;
}

bool digest_ends(struct digest *digest, struct span *last)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool same = true;

    CHECK(EVP_DigestFinal_ex(digest->context, sum, &len) == 1 &&
          digest->hex.len == 2 * (size_t)len);
    for (size_t i = 0; i < len; i++) {
        same &= digest->hex.at[2 * i] == digits[sum[i] >> 4];
        same &= digest->hex.at[2 * i + 1] == digits[sum[i] & 15];
    }
    *last = same && digest->holds ? span_of(&digest->held, 1) : SPAN_EMPTY;
    return same;
}
