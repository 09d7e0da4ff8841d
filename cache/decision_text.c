#include "cache/decision_text.h"

#include "base/check.h"

struct text {
    const char *source, *rule, *remedy;
};

/* clang-format off */
static const struct text texts[REASON_COUNT] = {
    [REASON_NONE] = {"", "", ""},
    [REASON_FRESH] = {"RFC 9111 4.2",
        "a response is fresh while its age is below its lifetime; the origin need not be asked", ""},
    [REASON_NOT_STORED] = {"RFC 9111 4",
        "only a stored response can answer; without one the request goes to the origin",
        "Request it once through the proxy; the response decides whether it is stored."},
    [REASON_VARY_MISS] = {"RFC 9111 4.1",
        "a stored response answers only requests with the same values of the headers that its Vary names",
        "Send the same values as earlier requests did; at the origin, name fewer headers in Vary."},
    [REASON_STALE] = {"RFC 9111 4.2.4",
        "a response whose age has reached its lifetime is validated with the origin before it is used",
        "At the origin, send a longer max-age, or stale-while-revalidate so that the stale response is served while it is validated."},
    [REASON_STALE_WHILE_REVALIDATE] = {"RFC 5861 3",
        "for that many seconds after its lifetime, a response is served at once and validated in the background", ""},
    [REASON_STALE_IF_ERROR] = {"RFC 9111 4.2.4, RFC 5861 4",
        "a stale response may be used when the origin cannot be reached or answers with an error", ""},
    [REASON_ORIGIN_SILENT] = {"RFC 9111 4.2.4",
        "if a stale response may be used when the origin fails, no request waits for an origin that let an earlier one wait in vain and has not answered since", ""},
    [REASON_STALE_REQUEST] = {"RFC 9111 5.2.1.2", "a request with max-stale accepts a stale response", ""},
    [REASON_MUST_REVALIDATE] = {"RFC 9111 5.2.2.2, 5.2.2.8, 5.2.2.10",
        "a stale response with must-revalidate, proxy-revalidate or s-maxage is never used without validation",
        "At the origin, send a longer lifetime; without these directives, the stale response could be used when the origin fails."},
    [REASON_NO_CACHE] = {"RFC 9111 5.2.2.4",
        "a response with no-cache is stored, but validated before each use",
        "At the origin, send max-age instead of no-cache."},
    [REASON_REQUEST_NO_CACHE] = {"RFC 9111 5.2.1.4, 5.4",
        "a request with no-cache (or Pragma: no-cache) asks for validation, whatever is stored",
        "The client must not send it (a browser's reload does), or set `cache: {clients-may-bypass: no}` to ignore it."},
    [REASON_REQUEST_MAX_AGE] = {"RFC 9111 5.2.1.1",
        "a request with max-age refuses responses that are older; max-age=0 refuses all without validation",
        "The client must not send it (a browser's reload does); or send immutable at the origin, or set `cache: {clients-may-bypass: no}`."},
    [REASON_REQUEST_MIN_FRESH] = {"RFC 9111 5.2.1.3",
        "a request with min-fresh refuses a response that will become stale within that time",
        "Send a longer lifetime at the origin, or a request without min-fresh."},
    [REASON_REQUEST_NO_STORE] = {"RFC 9111 5.2.1.5", "a request with no-store forbids storing its response",
        "The client must not send it."},
    [REASON_ONLY_IF_CACHED] = {"RFC 9111 5.2.1.7",
        "a request with only-if-cached is answered from the cache or with 504",
        "Request it once without only-if-cached."},
    [REASON_METHOD] = {"RFC 9111 4",
        "only GET and HEAD are answered from the cache, and only GET fills it",
        "Use GET if the request changes nothing."},
    [REASON_UPGRADE] = {"RFC 9110 7.8",
                        "a request that changes its connection to another protocol goes to the "
                        "origin on a connection of its own",
                        NULL},
    [REASON_REQUEST_BODY] = {"RFC 9110 9.3.1",
        "what a GET or HEAD with a body means depends on more than its URL", "Send it without a body."},
    [REASON_PLACE] = {"larder",
        "an origin may let X-Forwarded-Host, X-Original-URL, X-HTTP-Method-Override and the like change its response; they are not part of the cache key, so the response is not for other clients",
        "The client, or whatever adds the header on the way, must not send it; X-Forwarded-For does no harm."},
    [REASON_RANGE] = {"RFC 9111 3.3",
        "a single range requested while the URL has a pass mark is passed on and not stored",
        "Nothing: the next response is stored if it may be shared."},
    [REASON_CONDITIONAL] = {"RFC 9111 4.3.2",
        "If-Match is for the origin to evaluate, and so is an If-Unmodified-Since that does not hold",
        "To read, use If-None-Match or If-Modified-Since."},
    [REASON_AUTHORIZATION] = {"RFC 9111 3.5",
        "a response to a request with Authorization is shared only if it has public, s-maxage or must-revalidate",
        "If everybody may see the response, send public or s-maxage at the origin."},
    [REASON_RESPONSE_NO_STORE] = {"RFC 9111 5.2.2.5", "a response with no-store is not stored",
        "At the origin, leave out no-store; with no-cache, the response is stored and validated before each use."},
    [REASON_PRIVATE] = {"RFC 9111 5.2.2.7", "a response with private is for one user, not for a shared cache",
        "If everybody may see the response, leave out private at the origin; naming headers (private=\"x\") does not help."},
    [REASON_NO_LIFETIME] = {"RFC 9111 3, 4.2",
        "a response with neither a lifetime nor a validator could never be reused",
        "At the origin, send Cache-Control: max-age=SECONDS, or a validator (ETag or Last-Modified)."},
    [REASON_STATUS] = {"RFC 9111 3, 4.2.2, RFC 9110 15.1",
        "responses with this status are stored only if they state a lifetime, and some never",
        "At the origin, send Cache-Control: max-age=SECONDS with it."},
    [REASON_MUST_UNDERSTAND] = {"RFC 9111 5.2.2.3",
        "a response with must-understand is not stored if the cache does not know its status",
        "At the origin, use a status of RFC 9110, or leave out must-understand."},
    [REASON_VARY_STAR] = {"RFC 9111 4.1", "Vary: * means that no later request can be known to match; so does a Vary that names the header in which `forwarded` puts the client's address",
        "At the origin, name only the request headers that really change the response."},
    [REASON_PARTIAL] = {"RFC 9111 3.3",
        "part of a response is stored only if it can be recognised as belonging to the same whole as others",
        "At the origin, send a strong ETag, and Content-Range with the complete length."},
    [REASON_PARTIAL_MISS] = {"RFC 9111 3.4",
        "the stored part of a response is used, and only the missing ranges are requested", ""},
    [REASON_SET_COOKIE] = {"RFC 9111 7.3",
        "a response that sets a cookie is stored only if it states a lifetime and the site allows it",
        "At the origin, do not set cookies on responses that are for everybody, or state a lifetime with max-age or s-maxage."},
    [REASON_TOO_LARGE] = {"larder",
        "a response above `store: {object-max}` or a quarter of the store is not stored, nor is one whose headers, after validations added to them, exceed `limits`",
        "Raise `object-max` or the size of the store; or `limits` if its headers are too large."},
    [REASON_INCOMPLETE] = {"RFC 9111 3.3",
        "a response that was cut off is not stored as a complete one",
        "The origin, or something on the way to it, broke the connection: see the origin's log."},
    [REASON_INVALIDATED] = {"RFC 9111 4.4",
        "a request that changes the resource makes everything stored for its URL unusable, including what is still being fetched",
        "Nothing: the next request fetches it anew."},
    [REASON_OVERTAKEN] = {"RFC 9111 4",
        "of two responses to the same request, the more recent one is stored, whichever was complete first",
        "Nothing: the newer one is stored."},
    [REASON_PASS_MARK] = {"larder",
        "for two minutes after a response that may not be shared, requests for its URL do not wait for each other",
        "Change what made the response unshareable; the mark then disappears by itself."},
    [REASON_STORE_BUSY] = {"larder", "if the disk falls behind or fails, responses are not stored, but still served",
        "Look at larder_store_dirty_bytes and larder_store_commit_errors_total in /metrics."},
    [REASON_MEMORY] = {"larder",
        "above 7/8 of `memory`, responses pass through without being stored; above all of it, nothing more is fetched, and what an origin has left waiting for five seconds is given up",
        "Raise `memory`; larder_memory_bytes in /metrics shows what it is used for."},
    [REASON_STORED] = {"RFC 9111 3", "nothing forbids storing the response", ""},
    [REASON_VALIDATED] = {"RFC 9111 4.3.4", "a 304 renews the stored response", ""},
    [REASON_ACCESS] = {"larder", "the first rule of `access` that matches the request decides; if none does, it is denied",
        "Add a rule to `access` that allows the request, before the one that denies it."},
    [REASON_CREDENTIALS] = {"RFC 9110 11.7.1", "a rule of `access` names users or groups, and the request has no credentials",
        "The client has to send the name and password of one of the `users`."},
    [REASON_WRONG_PASSWORD] = {"RFC 9110 11.7.1", "the request's name and password do not match the file of `users`",
        "Correct them at the client; `htpasswd -v FILE NAME` checks a password."},
    [REASON_AUTH_BUSY] = {"larder", "verifying a password is slow by design, and only a limited number of requests may wait for it",
        "Try again later; hashes of a lower cost in the file of `users` are verified faster."},
    [REASON_AUTH_GUESSES] = {"larder", "after 20 wrong passwords, a client may try only one a second",
        "Wait; and find out which client guesses passwords."},
    [REASON_QUOTA] = {"larder", "who has received `limits: {quota}` bytes in a period gets no more before the next one begins",
        "Wait for the next period, or raise `quota`; with `slow`, transfers would continue slowly."},
    [REASON_TARGET_ADDRESS] = {"larder",
        "loopback, link-local, multicast and cloud metadata addresses, and those of this machine, cannot be reached through the proxy unless `allow-targets` lists them",
        "Add the address to `allow-targets` if clients should reach it."},
    [REASON_TARGET_PRIVATE] = {"larder",
        "with `private-targets: deny`, no private network can be reached through the proxy, under any name, except those in `allow-targets`",
        "Add the network to `allow-targets`, such as `allow-targets: [192.168.0.0/16]`, if clients should reach it."},
    [REASON_TARGET_OWN] = {"larder",
        "the proxy's own listeners, its `admin` port and that of larder-dns can never be reached through the proxy, whatever `allow-targets` lists: clients would appear there as this machine, which may do more",
        "Connect to that port directly, without the proxy."},
    [REASON_TARGET_PORT] = {"larder",
        "CONNECT reaches only `connect-ports`; other methods reach 80, 443 and the ports from 1024 on",
        "For CONNECT, add the port to `connect-ports`."},
    [REASON_NO_SITE] = {"RFC 9112 3.2.2",
        "a request without a full URL is for a site, and no site is configured for this host",
        "Add the host to `sites`, or request the full URL, as clients of a proxy do."},
    [REASON_LOOP] = {"RFC 9110 7.6.3", "a request whose Via or CDN-Loop names this proxy has been here before",
        "Find out what leads back here: an origin's address, or a second proxy with the same `name`."},
    [REASON_BAD_REQUEST] = {"RFC 9112 2.2", "a request that two parsers could read differently is refused",
        "The client has to send a correct request; the response says what is wrong."},
    [REASON_DNS] = {"RFC 9110 15.6", "the origin's name has no address, or no name server answered in time",
        "Check that the name resolves on this machine, and that `nameservers` are right."},
    [REASON_DNS_BUSY] = {"RFC 9110 15.6.4",
        "each worker looks up at most 1024 names at once, and for one client no more than it leaves for others",
        "Check that the `nameservers` answer; and find out which client asks for so many names."},
    [REASON_CONNECT] = {"RFC 9110 15.6", "no address of the origin accepted the connection",
        "Check that the origin is up and can be reached from this machine."},
    [REASON_TLS_HANDSHAKE] = {"RFC 9110 15.6.3", "the origin does not use TLS on this port, or shares no version (1.2, 1.3) or cipher with the proxy",
        "The log says why (`origin_tls_failed`); `openssl s_client -connect HOST:PORT` shows what it offers."},
    [REASON_TLS_CERTIFICATE] = {"RFC 9110 4.3.4", "the origin's certificate is not signed by an authority that the system, or the site's `ca`, trusts",
        "Have the origin send its complete chain, install `ca-certificates`, or name the origin's authority as the site's `ca`."},
    [REASON_TLS_EXPIRED] = {"RFC 9110 4.3.4", "today is not within the dates of the origin's certificate",
        "The origin needs a new certificate, or this machine's clock is wrong."},
    [REASON_TLS_NAME] = {"RFC 9110 4.3.4", "the certificate does not contain the name in the URL or of the site's origin",
        "Use a name that is in the certificate, in the URL or in `origins`."},
    [REASON_ORIGIN_TIMEOUT] = {"RFC 9110 15.6.5", "the origin did not begin its response within `timeouts: {first-byte}`",
        "Make the origin faster, or raise `timeouts: {first-byte}`."},
    [REASON_ORIGIN_CLOSED] = {"RFC 9110 15.6.3", "the origin accepted the request, but closed the connection before its response headers were complete",
        "See the origin's log: it may have crashed, or it refuses such requests."},
    [REASON_REDIRECT] = {"larder", "a mirror follows up to 5 redirects, to http or https, from https only to https, and only to addresses that a client could request",
        "See where the origin redirects to; an internal address needs `allow-targets`."},
    [REASON_DIGEST] = {"larder", "a body requested by digest is compared with it before its last byte is sent, and is not stored if it differs",
        "The origin, or something on the way, has damaged it: compare it with what the registry sends directly."},
    [REASON_PULL] = {"larder", "an oci mirror pulls anonymously, so that it may give everybody what it has stored",
        "Pull it from the registry directly; see docs/mirrors.md."},
    [REASON_ORIGIN_BROKEN] = {"RFC 9110 15.6.3", "the origin's response is not valid HTTP, or could be read in two ways",
        "See the origin's log."},
    [REASON_CLIENT_GONE] = {"larder", "the client closed the connection before it was answered", ""},
    [REASON_OVERLOAD] = {"larder", "the proxy is stopping, or has reached a limit of its own", "Try again later."},
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
    if (decision->outcome == OUTCOME_COLLAPSED) {
        return false; /* whether the response is stored is decided by the request that fetches it */
    }
    *why = kept == REASON_NONE || kept == REASON_PASS_MARK ? decision->reason : kept;
    return *why != REASON_METHOD && *why != REASON_UPGRADE && *why != REASON_VALIDATED &&
           *why != REASON_STORED && reason_remedy(*why).len > 0;
}
