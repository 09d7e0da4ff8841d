/*
 * remedy - what whoever runs the process can do about an error of a store's directory. For logs.
 */
#ifndef LARDER_CACHE_STORE_REMEDY_H
#define LARDER_CACHE_STORE_REMEDY_H

const char *remedy_for(int err);

#endif
