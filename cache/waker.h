/* waker - whom to tell that something has come. What it calls must only post. */
#ifndef LARDER_CACHE_WAKER_H
#define LARDER_CACHE_WAKER_H

struct waker {
    void (*wake)(void *arg); /* NULL: nobody to tell */
    void *arg;
};

#endif
