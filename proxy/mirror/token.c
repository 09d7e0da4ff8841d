#include "proxy/mirror/token.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdint.h>

enum { TOKENS_MAX = 64 };

struct token {
    char *text; /* the repository followed by the token; NULL: unused */
    size_t repository_len, token_len;
    int64_t until;
};

struct tokens {
    struct token at[TOKENS_MAX];
    size_t next; /* to be replaced next */
};

struct tokens *tokens_new(void)
{
    return xcalloc(1, sizeof(struct tokens));
}

void tokens_free(struct tokens **tokens)
{
    for (size_t i = 0; *tokens && i < TOKENS_MAX; i++) {
        free((*tokens)->at[i].text);
    }
    free(*tokens);
    *tokens = NULL;
}

static size_t find(const struct tokens *tokens, struct span repository)
{
    size_t i = 0;

    while (i < TOKENS_MAX &&
           !(tokens->at[i].text &&
             span_eq(span_of(tokens->at[i].text, tokens->at[i].repository_len), repository))) {
        i++;
    }
    return i;
}

struct span tokens_find(const struct tokens *tokens, struct span repository, int64_t now)
{
    size_t i = find(tokens, repository);

    if (i == TOKENS_MAX || tokens->at[i].until <= now) {
        return SPAN_EMPTY;
    }
    return span_of(tokens->at[i].text + tokens->at[i].repository_len, tokens->at[i].token_len);
}

void tokens_drop(struct tokens *tokens, struct span repository)
{
    size_t i = find(tokens, repository);

    if (i < TOKENS_MAX) {
        free(tokens->at[i].text);
        tokens->at[i] = (struct token){0};
    }
}

void tokens_keep(struct tokens *tokens, struct span repository, struct span token, int64_t until)
{
    tokens_drop(tokens, repository);
    struct token *place = &tokens->at[tokens->next++ % TOKENS_MAX];
    free(place->text);
    place->text = xmalloc(repository.len + token.len);
    memcpy(place->text, repository.at, repository.len);
    memcpy(place->text + repository.len, token.at, token.len);
    place->repository_len = repository.len;
    place->token_len = token.len;
    place->until = until;
}
