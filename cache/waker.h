/* waker - a call that tells somebody that something has changed. It may only post. */
#ifndef LARDER_CACHE_WAKER_H
#define LARDER_CACHE_WAKER_H

struct waker {
    void (*wake)(void *arg); /* NULL: nobody to tell */
    void *arg;
};

#endif
