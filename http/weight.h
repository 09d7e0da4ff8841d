/*
 * weight - members of Accept-* fields and how much each is wanted (RFC 9110 12.4.2). Pure.
 */
#ifndef LARDER_HTTP_WEIGHT_H
#define LARDER_HTTP_WEIGHT_H

#include "base/span.h"

enum { WEIGHT_MAX = 1000 };

/* The weight of a member such as "de-AT;q=0.7" in thousandths, and in *what its value without
 * parameters, which borrows from the member. WEIGHT_MAX if it has no weight, 0 if that is no
 * valid one. */
unsigned weight_of_member(struct span member, struct span *what);

#endif
