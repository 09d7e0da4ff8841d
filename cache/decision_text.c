#include "cache/decision_text.h"

#include "base/check.h"

struct text {
    const char *source, *rule, *remedy;
};

/* clang-format off */
static const struct text texts[REASON_COUNT] = {
    [REASON_NONE] = {"", "", ""},
    [REASON_FRESH] = {"RFC 9111 4.2",
        "a response is fresh while its age is below its lifetime, and then needs no question to the origin", ""},
    [REASON_NOT_STORED] = {"RFC 9111 4",
        "only a stored response can answer; without one the request goes to the origin",
        "Ask for it once through the proxy; whether it is kept depends on the response."},
    [REASON_VARY_MISS] = {"RFC 9111 4.1",
        "a stored response answers only requests whose fields named in its Vary have the same values",
        "Send the same values as the requests before; at the origin, name fewer fields in Vary."},
    [REASON_STALE] = {"RFC 9111 4.2.4",
        "a response whose age has reached its lifetime is validated with the origin before it is used",
        "A longer max-age, or stale-while-revalidate to answer while the validation goes on."},
    [REASON_STALE_WHILE_REVALIDATE] = {"RFC 5861 3",
        "for so many seconds after its lifetime a response answers at once while it is validated in the background", ""},
    [REASON_STALE_IF_ERROR] = {"RFC 9111 4.2.4, RFC 5861 4",
        "a stale response may be used when the origin cannot be reached or answers with an error", ""},
    [REASON_ORIGIN_SILENT] = {"RFC 9111 4.2.4",
        "where a stale response may be used when the origin fails, nobody waits for one that let a request wait in vain and has not answered since", ""},
    [REASON_STALE_REQUEST] = {"RFC 9111 5.2.1.2", "with max-stale a request accepts a stale response", ""},
    [REASON_MUST_REVALIDATE] = {"RFC 9111 5.2.2.2, 5.2.2.8, 5.2.2.10",
        "with must-revalidate, proxy-revalidate or s-maxage a stale response is never used without validation",
        "A longer lifetime; without these directives it could be used stale when the origin fails."},
    [REASON_NO_CACHE] = {"RFC 9111 5.2.2.4",
        "a response with no-cache is kept, and validated before each use",
        "Leave no-cache out, and say max-age instead."},
    [REASON_REQUEST_NO_CACHE] = {"RFC 9111 5.2.1.4, 5.4",
        "with no-cache (or Pragma: no-cache) a request asks for validation whatever is stored",
        "The client must not send it (a reload does); `cache: {clients-may-bypass: no}` ignores it."},
    [REASON_REQUEST_MAX_AGE] = {"RFC 9111 5.2.1.1",
        "a request with max-age refuses responses that are older; max-age=0 refuses all without validation",
        "The client must not send it (a reload does); immutable in the response, or `cache: {clients-may-bypass: no}`."},
    [REASON_REQUEST_MIN_FRESH] = {"RFC 9111 5.2.1.3",
        "with min-fresh a request refuses a response that will be stale so soon",
        "A longer lifetime, or a request without it."},
    [REASON_REQUEST_NO_STORE] = {"RFC 9111 5.2.1.5", "with no-store a request forbids to keep its response",
        "The client must not send it."},
    [REASON_ONLY_IF_CACHED] = {"RFC 9111 5.2.1.7",
        "with only-if-cached a request is answered from the store or with 504",
        "Ask for it once without only-if-cached."},
    [REASON_METHOD] = {"RFC 9111 4",
        "only GET and HEAD are answered from the cache, and only GET fills it",
        "Use GET where nothing is to be changed."},
    [REASON_UPGRADE] = {"RFC 9110 7.8",
                        "a request that changes its connection to another protocol goes to the "
                        "origin on a connection of its own",
                        NULL},
    [REASON_REQUEST_BODY] = {"RFC 9110 9.3.1",
        "a GET or HEAD with a body has a meaning that its URL does not tell", "Send it without a body."},
    [REASON_PLACE] = {"larder",
        "an origin may answer by X-Forwarded-Host, X-Original-URL, X-HTTP-Method-Override and their like, which are in no key: what one client says there is not for others",
        "The client must not send it, or what adds it on the way; X-Forwarded-For does no harm."},
    [REASON_RANGE] = {"RFC 9111 3.3",
        "a range that is asked for alone, behind a pass mark, is passed on and not kept",
        "The next one is kept when the response may be shared."},
    [REASON_CONDITIONAL] = {"RFC 9111 4.3.2",
        "If-Match and If-Unmodified-Since are for the origin to evaluate",
        "For reading, use If-None-Match or If-Modified-Since."},
    [REASON_AUTHORIZATION] = {"RFC 9111 3.5",
        "a response to a request with Authorization is shared only with public, s-maxage or must-revalidate",
        "If everybody may have it, say public or s-maxage at the origin."},
    [REASON_RESPONSE_NO_STORE] = {"RFC 9111 5.2.2.5", "a response with no-store is not kept",
        "Leave no-store out; no-cache keeps it and validates before each use."},
    [REASON_PRIVATE] = {"RFC 9111 5.2.2.7", "a response with private is for one user, not for a shared cache",
        "If everybody may have it, leave private out; naming fields (private=\"x\") does not help."},
    [REASON_NO_LIFETIME] = {"RFC 9111 3, 4.2",
        "a response with neither a lifetime nor a validator could never be used again",
        "Send Cache-Control: max-age=SECONDS, or a validator (ETag or Last-Modified)."},
    [REASON_STATUS] = {"RFC 9111 3, 4.2.2, RFC 9110 15.1",
        "this status may be kept only for a lifetime that the response states, and some never",
        "Send Cache-Control: max-age=SECONDS with it."},
    [REASON_MUST_UNDERSTAND] = {"RFC 9111 5.2.2.3",
        "with must-understand a status that the cache does not know is not kept",
        "Use a status of RFC 9110, or leave must-understand out."},
    [REASON_VARY_STAR] = {"RFC 9111 4.1", "Vary: * says that nothing in a request can select this response, and so does Vary on the field in which forwarded: puts the client's address",
        "Name the request fields that really change the response."},
    [REASON_PARTIAL] = {"RFC 9111 3.3",
        "a part of a response is kept only when it can be told to be of the same whole as others",
        "Send a strong ETag, and Content-Range with the whole length."},
    [REASON_PARTIAL_MISS] = {"RFC 9111 3.4",
        "what is stored of a response is used, and only the missing ranges are asked for", ""},
    [REASON_SET_COOKIE] = {"RFC 9111 7.3",
        "a response that sets a cookie is kept only when it states a lifetime, and the site allows it",
        "Do not set cookies on responses for everybody, or state a lifetime with max-age or s-maxage."},
    [REASON_TOO_LARGE] = {"larder",
        "a response above `store: {object-max}`, or a quarter of the store, is not kept, nor one whose head has grown above `limits` by what answers to validations added",
        "Raise `object-max` or the size of the store; or `limits` when it is the head."},
    [REASON_INCOMPLETE] = {"RFC 9111 3.3",
        "a response that broke off is not kept as a complete one",
        "The origin, or the way to it, broke the connection: see its log."},
    [REASON_INVALIDATED] = {"RFC 9111 4.4",
        "a request that changed the URL makes everything stored for it unusable, also what is under way",
        "Nothing: the next request fetches it anew."},
    [REASON_OVERTAKEN] = {"RFC 9111 4",
        "of two responses to the same request the more recent one is kept, whichever came whole first",
        "Nothing: the newer one is stored."},
    [REASON_PASS_MARK] = {"larder",
        "after a response that may not be shared, requests for its URL do not wait for each other for two minutes",
        "What made the response unshareable has to change; then the mark goes by itself."},
    [REASON_STORE_BUSY] = {"larder", "a disk that is behind, or fails, stops storing and never serving",
        "See /metrics: larder_store_dirty_bytes and larder_store_commit_errors_total."},
    [REASON_MEMORY] = {"larder",
        "above 7/8 of `memory` responses pass without being kept, above all of it nothing more is fetched",
        "Raise `memory`; see /metrics: larder_memory_bytes says for what it is used."},
    [REASON_STORED] = {"RFC 9111 3", "nothing forbids to keep the response", ""},
    [REASON_VALIDATED] = {"RFC 9111 4.3.4", "a 304 renews the stored response", ""},
    [REASON_ACCESS] = {"larder", "the first rule of `access` that holds for the request decides; at the end stands deny",
        "Add a rule to `access` that allows the request, before the one that denies it."},
    [REASON_CREDENTIALS] = {"RFC 9110 11.7.1", "a rule of `access` names users or groups, and the request does not say who asks",
        "The client has to send the name and the password of one of `users`."},
    [REASON_WRONG_PASSWORD] = {"RFC 9110 11.7.1", "what the request says is no name with its password in the file of `users`",
        "Correct it at the client; `htpasswd -v FILE NAME` tries a password."},
    [REASON_AUTH_BUSY] = {"larder", "comparing a password takes long on purpose, and only so many may wait for it",
        "Ask again later; hashes of a lower cost in the file of `users` are compared faster."},
    [REASON_AUTH_GUESSES] = {"larder", "after 20 wrong passwords one client may try one a second",
        "Wait; and see which client it is that guesses."},
    [REASON_QUOTA] = {"larder", "who has had `limits: {quota}` bytes in a period gets no more before the next one",
        "Wait for the next period, or raise `quota`; with `slow` it would go on slowly."},
    [REASON_TARGET_ADDRESS] = {"larder",
        "loopback, link-local, multicast, cloud metadata and our own addresses are no targets unless `allow-targets` has them",
        "Add the address to `allow-targets`, if clients are meant to reach it."},
    [REASON_TARGET_PRIVATE] = {"larder",
        "with `private-targets: deny` nobody is led into a private network, whatever name leads there, but for what `allow-targets` has",
        "Add the network to `allow-targets`, such as `allow-targets: [192.168.0.0/16]`, if clients are meant to reach it."},
    [REASON_TARGET_OWN] = {"larder",
        "where the proxy listens itself, and its `admin` and that of larder-dns, are reached directly and never through it, whatever `allow-targets` has: who comes from this machine may do more",
        "Ask the port itself, without the proxy."},
    [REASON_TARGET_PORT] = {"larder",
        "CONNECT reaches only `connect-ports`; other methods 80, 443 and the ports from 1024 on",
        "For CONNECT, add the port to `connect-ports`."},
    [REASON_NO_SITE] = {"RFC 9112 3.2.2",
        "a request that names no full URL is for a site, and none is configured for this host",
        "Add the host to `sites`, or ask for the full URL."},
    [REASON_LOOP] = {"RFC 9110 7.6.3", "a request whose Via or CDN-Loop names this proxy has been here already",
        "See what leads back here: an origin's address, or a second proxy with the same `name`."},
    [REASON_BAD_REQUEST] = {"RFC 9112 2.2", "a request that two parsers could read differently is refused",
        "The client has to send it as the RFC says; the answer names what is wrong."},
    [REASON_DNS] = {"RFC 9110 15.6", "the origin's name has no address, or no server tells it in time",
        "See whether the name resolves on this machine, and `nameservers`."},
    [REASON_DNS_BUSY] = {"RFC 9110 15.6.4",
        "each worker asks for 1024 names at once, and for no more of one client than are left for others",
        "See whether `nameservers` answer; and see which client it is that asks for so many names."},
    [REASON_CONNECT] = {"RFC 9110 15.6", "no address of the origin took the connection",
        "See whether the origin is up, and reachable from this machine."},
    [REASON_TLS_HANDSHAKE] = {"RFC 9110 15.6.3", "the origin does not speak TLS there, or nothing that we speak: 1.2 or 1.3 with today's ciphers",
        "The log says why (`origin_tls_failed`); `openssl s_client -connect HOST:PORT` shows what it offers."},
    [REASON_TLS_CERTIFICATE] = {"RFC 9110 4.3.4", "nobody whom the system's store, or the site's `ca`, trusts has signed the origin's certificate",
        "Have the origin send its whole chain, install `ca-certificates`, or name its authority as the site's `ca`."},
    [REASON_TLS_EXPIRED] = {"RFC 9110 4.3.4", "today is not within the dates of the origin's certificate",
        "The origin needs a new certificate; or this machine's clock is wrong."},
    [REASON_TLS_NAME] = {"RFC 9110 4.3.4", "the name in the URL, or of the site's origin, is not among those in the certificate",
        "Ask for a name that is, or name it in `origins`."},
    [REASON_ORIGIN_TIMEOUT] = {"RFC 9110 15.6.5", "the origin did not begin its answer within `timeouts: {first-byte}`",
        "A faster origin, or a longer `timeouts: {first-byte}`."},
    [REASON_ORIGIN_CLOSED] = {"RFC 9110 15.6.3", "the origin took the request, and closed the connection before the head of its answer was complete",
        "See the origin's log: it may have crashed, or refuse such requests."},
    [REASON_REDIRECT] = {"larder", "a mirror follows 5 redirects, to http or https, from https only to https, and to addresses that a client might ask for",
        "See where the origin leads to; an address inside needs `allow-targets`."},
    [REASON_DIGEST] = {"larder", "a body under a digest is compared with it before its last byte goes on, and is not kept if it is another",
        "The origin, or something on the way, has damaged it: compare with what the registry itself sends."},
    [REASON_PULL] = {"larder", "an oci mirror pulls as nobody in particular, so that it may give what it has to everybody",
        "Pull it from the registry itself; see docs/mirrors.md."},
    [REASON_ORIGIN_BROKEN] = {"RFC 9110 15.6.3", "the origin's answer is no HTTP, or could be read in two ways",
        "See the origin's log."},
    [REASON_CLIENT_GONE] = {"larder", "the client closed the connection before it was answered", ""},
    [REASON_OVERLOAD] = {"larder", "the proxy is stopping, or at a limit of its own", "Ask again later."},
};
/* clang-format on */

struct span reason_source(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return span_str(texts[reason].source);
}

struct span reason_rule(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return span_str(texts[reason].rule);
}

struct span reason_remedy(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return span_str(texts[reason].remedy);
}

bool decision_is_savable(const struct decision *decision, enum reason *why)
{
    enum reason kept = decision->store_reason;

    *why = REASON_NONE;
    if (decision->outcome == OUTCOME_TUNNEL) {
        return decision->reason != REASON_UPGRADE;
    }
    if (decision_is_hit(decision) || decision->fwd_status == 0 || decision->stored) {
        return false;
    }
    *why = kept == REASON_NONE || kept == REASON_PASS_MARK ? decision->reason : kept;
    return *why != REASON_METHOD && *why != REASON_UPGRADE && *why != REASON_VALIDATED &&
           *why != REASON_STORED && reason_remedy(*why).len > 0;
}
