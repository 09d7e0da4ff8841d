/*
 * page_text - the texts of error pages in the languages that are built in. Pure; static, UTF-8.
 */
#ifndef LARDER_PROXY_CLIENT_PAGE_TEXT_H
#define LARDER_PROXY_CLIENT_PAGE_TEXT_H

#include "cache/decision.h"

enum page_language { PAGE_EN, PAGE_DE, PAGE_FR, PAGE_RU, PAGE_LANGUAGES };

/* Language tags, in the order of enum page_language. */
extern const struct span page_language_tags[PAGE_LANGUAGES];

/* A short title for a status. */
struct span page_title(int status, enum page_language language);
/* What has happened, and what the user can do: sentences. English where a translation is missing;
 * page_todo() is empty where nothing can be done. */
struct span page_what(enum reason reason, enum page_language language);
struct span page_todo(enum reason reason, enum page_language language);

/* Labels of the small print, such as "Reason". */
enum page_label { LABEL_HOST, LABEL_REASON, LABEL_INCIDENT, LABEL_PROXY, LABELS };
struct span page_label(enum page_label label, enum page_language language);

#endif
