/* Every sequence here was worked out by hand from the papers; the comments say how. */
#include "letters.h"

#include <criterion/criterion.h>

Test(hitratio, fifo)
{
    /* d pushes a out though a was used last; a then pushes b out. */
    letters_expect(&policy_fifo, 3, "abcadab", NULL, "...h...");
    /* By bytes: d of 3 needs the room of a (1) and b (2). */
    letters_expect(&policy_fifo, 6, "abcdcab", "1233", "....h..");
}

Test(hitratio, what_is_larger_than_the_cache_is_not_inserted)
{
    static const struct policy *const all[] = {
        &policy_fifo,     &policy_lru,  &policy_clock,  &policy_sieve,  &policy_s3fifo,
        &policy_wtinylfu, &policy_gdsf, &policy_belady, &policy_larder,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        letters_expect(all[i], 8, "bb", "19", "..");
    }
}

Test(hitratio, lru)
{
    /* The use of a saves it from d, which pushes b out; b pushes c out. */
    letters_expect(&policy_lru, 3, "abcadabc", NULL, "...h.h..");
}

Test(hitratio, clock)
{
    /* For d, a goes round and b leaves: c a d. e takes c. f finds a unmarked: d e f. */
    letters_expect(&policy_clock, 3, "abcadefga", NULL, "...h.....");
    /* A mark is taken away when it has helped once. */
    letters_expect(&policy_clock, 3, "abcadab", NULL, "...h.h.");
}

Test(hitratio, sieve)
{
    /* For d the hand passes a and takes b. From there on it takes what is new: c, d, e, f; a stays
     * where CLOCK had lost it. */
    letters_expect(&policy_sieve, 3, "abcadefga", NULL, "...h....h");
    /* The hand begins again at the oldest when it has passed the newest: with b and c marked, too,
     * d lets it go once round, and then it takes a. */
    letters_expect(&policy_sieve, 3, "abcabcdbcd", NULL, "...hhh.hhh");
}

Test(hitratio, s3fifo)
{
    /* k moves a to main and b to the ghosts; l takes c; b comes back to main, for d; m takes e. */
    letters_expect(&policy_s3fifo, 10, "abcdefghijaklbmabc", NULL, "..........h....hh.");
    /* A cache of two has no small queue to speak of. b comes back to main beside a; d finds the
     * small queue empty and takes a from main, which leaves no ghost. */
    letters_expect(&policy_s3fifo, 2, "aabcbdab", NULL, ".h.....h");
}

Test(hitratio, wtinylfu)
{
    /* Main has room for nine, so a to i go in. j and k are not used more than who is to leave for
     * them. a is protected. j, seen twice, takes the place of b. */
    letters_expect(&policy_wtinylfu, 10, "abcdefghijkajljb", NULL, "...........h..h.");
}

Test(hitratio, wtinylfu_counts_all_who_would_leave)
{
    /* A main part of 9 (all but the window, which is of no size) with a of 5 and b of 4. c of 6
     * would need both: it must be seen more often than both together, so three times. */
    letters_expect(&policy_wtinylfu, 9, "abcccca", "546", ".....h.");
}

Test(hitratio, gdsf)
{
    /* a .2, b .25, c 1. d takes a (clock .2) and has .53. a takes b (clock .25) and has .45. b
     * takes a (clock .45). c and d were never the least. */
    letters_expect(&policy_gdsf, 10, "abcdabcd", "5413", "......hh");
    /* Ageing: a has 3. c takes b (clock 1) and has 2; d takes c (clock 2), has 3, then 4. So e
     * takes a, though a was used more often than d. */
    letters_expect(&policy_gdsf, 2, "aaabcddea", NULL, ".hh...h..");
}

Test(hitratio, belady)
{
    /* c is asked for later than a and b, and is not inserted. */
    letters_expect(&policy_belady, 2, "abcabca", NULL, "...hh.h");
}

Test(hitratio, belady_of_different_sizes)
{
    /* At c, a has 9 bytes for 2 more requests, which is more than 5 for 3: a leaves. */
    letters_expect(&policy_belady, 10, "abcbac", "915", "...h.h");
}
