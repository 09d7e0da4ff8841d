/*
 * page_text - what pages made by ourselves say, in the languages that are built in. Pure, static
 * text in UTF-8.
 */
#ifndef LARDER_PROXY_CLIENT_PAGE_TEXT_H
#define LARDER_PROXY_CLIENT_PAGE_TEXT_H

#include "cache/decision.h"

enum page_language { PAGE_EN, PAGE_DE, PAGE_FR, PAGE_RU, PAGE_LANGUAGES };

/* Tags of the languages, in their order. */
extern const struct span page_language_tags[PAGE_LANGUAGES];

/* Of a status, in few words. */
struct span page_title(int status, enum page_language language);
/* What has happened, and what can be done: sentences. What no translation is there for is said in
 * English; what nothing can be done about is empty. */
struct span page_what(enum reason reason, enum page_language language);
struct span page_todo(enum reason reason, enum page_language language);

/* Labels of the small print: "Reason", "Incident", "Proxy", "Host". */
enum page_label { LABEL_HOST, LABEL_REASON, LABEL_INCIDENT, LABEL_PROXY, LABELS };
struct span page_label(enum page_label label, enum page_language language);

#endif
