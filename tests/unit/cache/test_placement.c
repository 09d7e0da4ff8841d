#include "base/err.h"
#include "cache/store/placement.h"

#include <criterion/criterion.h>

static const struct sip_key secret = {1, 2};

static struct placement_member member(uint8_t number, uint64_t size)
{
    return (struct placement_member){.uuid = {number}, .seat = number * 7919u, .size = size};
}

static size_t shares_of(const struct placement *placement, uint8_t number)
{
    size_t count = 0;

    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        uint8_t has = placement->shares[i].member;
        count += has != PLACEMENT_NOBODY && placement->members[has].uuid[0] == number;
    }
    return count;
}

static bool near(size_t value, size_t wanted)
{
    return value > wanted - wanted / 8 && value < wanted + wanted / 8;
}

Test(placement, goes_by_size)
{
    static struct placement p;
    struct placement_member equal[] = {member(1, 100), member(2, 100), member(3, 100)};
    struct placement_member other[] = {member(1, 100), member(2, 300)};

    placement_init(&p, &secret);
    placement_begin(&p, 5, equal, 3, false);
    cr_expect_eq(p.era, 1);
    for (uint8_t i = 1; i <= 3; i++) {
        cr_expect(near(shares_of(&p, i), PLACEMENT_SHARES / 3), "%zu", shares_of(&p, i));
    }
    placement_init(&p, &secret);
    placement_begin(&p, 5, other, 2, false);
    cr_expect(near(shares_of(&p, 1), PLACEMENT_SHARES / 4), "%zu", shares_of(&p, 1));
}

Test(placement, who_goes_takes_only_his_own_shares_along)
{
    static struct placement p, before;
    struct placement_member three[] = {member(1, 100), member(2, 100), member(3, 100)};
    struct placement_member two[] = {member(3, 100), member(1, 100)};

    placement_init(&p, &secret);
    placement_begin(&p, 5, three, 3, false);
    before = p;
    placement_begin(&p, 6, two, 2, false);
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        uint8_t was = before.members[before.shares[i].member].uuid[0];
        uint8_t is = p.members[p.shares[i].member].uuid[0];
        cr_assert(was == 2 ? is != 2 : is == was);
        cr_assert_eq(p.shares[i].since, was == 2 ? 2 : 1);
    }
    cr_expect(near(shares_of(&p, 1), PLACEMENT_SHARES / 2));

    /* Back again: the shares return, and what was stored under them before is not found. */
    placement_begin(&p, 7, three, 3, false);
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        uint8_t was = before.members[before.shares[i].member].uuid[0];
        cr_assert_eq(p.members[p.shares[i].member].uuid[0], was);
        cr_assert_eq(p.shares[i].since, was == 2 ? 3 : 1);
    }
}

Test(placement, a_new_store_on_the_same_seat_moves_nobody_else)
{
    static struct placement p, before;
    struct placement_member three[] = {member(1, 100), member(2, 100), member(3, 100)};

    placement_init(&p, &secret);
    placement_begin(&p, 5, three, 3, false);
    before = p;
    three[1].uuid[0] = 9;
    cr_expect_not(placement_is_of(&p, three, 3));
    placement_begin(&p, 6, three, 3, false);
    cr_expect(placement_is_of(&p, three, 3));
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        cr_assert_eq(p.shares[i].member, before.shares[i].member);
        cr_assert_eq(p.shares[i].since, p.shares[i].member == 1 ? 2 : 1);
    }
}

Test(placement, who_was_alone_keeps_what_stays_his)
{
    static struct placement p;
    struct placement_member two[] = {member(2, 100), member(1, 100)};

    placement_init(&p, &secret);
    placement_alone(&p, &two[1]);
    placement_begin(&p, 5, two, 2, false);
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        cr_assert_eq(p.shares[i].since, p.shares[i].member == 1 ? 0 : 1);
    }
    placement_begin(&p, 6, two, 2, true);
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        cr_assert_eq(p.shares[i].since, 2, "forgotten");
    }
}

Test(placement, knows_its_past_and_no_other)
{
    static struct placement p, past, other;
    struct placement_member two[] = {member(1, 100), member(2, 100)};

    placement_init(&p, &secret);
    placement_init(&past, &secret);
    cr_expect(placement_knows(&p, &past), "nothing was written");
    placement_begin(&p, 5, two, 2, false);
    past = other = p;
    placement_begin(&p, 6, two, 1, false);
    placement_begin(&other, 7, two + 1, 1, false);
    cr_expect(placement_knows(&p, &p));
    cr_expect(placement_knows(&p, &past));
    cr_expect_not(placement_knows(&past, &p));
    cr_expect_not(placement_knows(&p, &other));
    cr_expect_not(placement_knows(&other, &p));
    for (uint64_t i = 0; i < 3; i++) {
        placement_begin(&p, 10 + i, two, 1, false);
    }
    cr_expect_not(placement_knows(&p, &other));
    cr_expect(placement_knows(&p, &past));
}

Test(placement, the_same_back_again)
{
    static struct placement p, back;
    struct placement_member three[] = {member(1, 100), member(2, 50), member(3, 1)};
    struct buf bytes = BUF_INIT;

    placement_init(&p, &secret);
    placement_begin(&p, 5, three, 3, false);
    placement_begin(&p, 6, three, 2, false);
    placement_encode(&p, &bytes);
    cr_assert_eq(placement_decode(&back, buf_span(&bytes)), 0);
    cr_expect_eq(back.era, 2);
    cr_expect_eq(back.secret.k1, 2);
    cr_expect_arr_eq(back.eras, p.eras, sizeof(p.eras));
    cr_expect(placement_is_of(&back, three, 2));
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        cr_assert_eq(back.shares[i].member, p.shares[i].member);
        cr_assert_eq(back.shares[i].since, p.shares[i].since);
    }
    struct span all = buf_span(&bytes);
    for (size_t i = 0; i < all.len; i += 97) {
        cr_assert_eq(placement_decode(&back, span_take(all, i)), ERR_CORRUPT, "cut");
    }
    for (size_t i = 0; i < all.len; i += 31) {
        char *at = bytes.data + i;
        *at ^= 4;
        cr_assert_eq(placement_decode(&back, all), ERR_CORRUPT, "a bit flipped at %zu", i);
        *at ^= 4;
    }
    buf_fini(&bytes);
}
