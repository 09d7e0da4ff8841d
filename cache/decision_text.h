/*
 * decision_text - explains reasons to people: the rule behind each, and what would have to change.
 * Pure, static text.
 */
#ifndef LARDER_CACHE_DECISION_TEXT_H
#define LARDER_CACHE_DECISION_TEXT_H

#include "cache/decision.h"

/* Where the rule comes from ("RFC 9111 4.2" or "larder"), and the rule. */
struct span reason_source(enum reason reason);
struct span reason_rule(enum reason reason);

/* What would let the cache answer, or store the response. Empty: nothing has to change. */
struct span reason_remedy(enum reason reason);

/* Could a cache have saved these bytes? True if a fetched response was not stored for *why, and
 * that has a remedy; or if they went through a tunnel (*why is REASON_NONE). */
bool decision_is_savable(const struct decision *decision, enum reason *why);

#endif
