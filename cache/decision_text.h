/*
 * decision_text - what stands behind a reason, in sentences for people: the rule that decided, and
 * what would have to change. Pure, static text.
 */
#ifndef LARDER_CACHE_DECISION_TEXT_H
#define LARDER_CACHE_DECISION_TEXT_H

#include "cache/decision.h"

/* "RFC 9111 4.2" or "larder": where the rule is from; and the rule. */
struct span reason_source(enum reason reason);
struct span reason_rule(enum reason reason);

/* What would let the cache answer, or keep the response. Empty when nothing has to change. */
struct span reason_remedy(enum reason reason);

/* Its bytes are what a cache could have saved, were it not for *why: of what the origin answered
 * nothing was kept, though a remedy is known; or it went through a tunnel (REASON_NONE). */
bool decision_is_savable(const struct decision *decision, enum reason *why);

#endif
