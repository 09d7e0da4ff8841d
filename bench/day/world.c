#include "world.h"

#include "base/check.h"
#include "dnsredir/steering/geo.h"

#include <math.h>
#include <stdint.h>

/* At the busiest moment of the day everybody together wants so much of what all can serve. */
#define BUSIEST 0.55
#define FLASH_TIMES 12.0
#define FLASH_RISE 300 /* seconds */
/* Fibre is half as long again as the way of a crow, there and back at 200 km a millisecond; and the
 * last mile. */
#define MS_PER_KM (1.5 * 2 / 200)
#define LAST_MILE_MS 8

const struct place world_replicas[REPLICAS] = {
    {"new-york", 40.7, -74.0}, {"dallas", 32.8, -96.8},     {"san-jose", 37.3, -121.9},
    {"toronto", 43.7, -79.4},  {"london", 51.5, -0.1},      {"frankfurt", 50.1, 8.7},
    {"madrid", 40.4, -3.7},    {"tokyo", 35.7, 139.7},      {"singapore", 1.35, 103.8},
    {"mumbai", 19.1, 72.9},    {"sao-paulo", -23.5, -46.6}, {"bogota", 4.7, -74.1},
};

const char *const world_names[NAMES] = {"www", "live"};
static const double name_shares[NAMES] = {0.9, 0.1};

/* Where people live: weight, hours before UTC, and whether the crowd is there. */
static const struct centre {
    double latitude, longitude, people, hours;
    bool flashes;
} centres[] = {
    {40.7, -74.0, 8, -5, false},  {41.9, -87.6, 5, -6, false},  {29.8, -95.4, 4, -6, false},
    {34.1, -118.2, 7, -8, false}, {45.5, -73.6, 3, -5, false},  {47.6, -122.3, 3, -8, false},
    {51.5, -0.1, 7, 0, true},     {48.9, 2.4, 7, 1, true},      {52.5, 13.4, 6, 1, true},
    {45.5, 9.2, 5, 1, true},      {40.4, -3.7, 5, 1, true},     {52.2, 21.0, 4, 1, true},
    {35.7, 139.7, 8, 9, false},   {37.6, 127.0, 5, 9, false},   {19.1, 72.9, 6, 5.5, false},
    {28.6, 77.2, 5, 5.5, false},  {-6.2, 106.8, 4, 7, false},   {13.8, 100.5, 3, 7, false},
    {-23.5, -46.6, 7, -3, false}, {-34.6, -58.4, 4, -3, false}, {4.7, -74.1, 3, -5, false},
    {-12.0, -77.0, 3, -5, false}, {-33.4, -70.7, 2, -4, false},
};

static uint64_t random_state;

/* Above 0, below 1 (splitmix64). */
static double random_part(void)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return ((double)((x ^ (x >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static double random_normal(void)
{
    double length = sqrt(-2 * log(random_part()));

    return length * cos(2 * 3.14159265358979 * random_part());
}

static const struct centre *random_centre(void)
{
    double all = 0;

    for (size_t i = 0; i < ARRAY_LEN(centres); i++) {
        all += centres[i].people;
    }
    double left = random_part() * all;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(centres) && left >= centres[i].people) {
        left -= centres[i++].people;
    }
    return &centres[i];
}

/* A quarter at four in the morning, all at four in the afternoon … and evenings are long. */
static double of_the_hour(double hour)
{
    return 0.25 + 0.75 * pow((1 + cos((hour - 18) / 24 * 2 * 3.14159265358979)) / 2, 0.8);
}

static double flash(int at)
{
    if (at < FLASH_FROM || at >= FLASH_TO) {
        return 1;
    }
    double part = (double)(at - FLASH_FROM) / FLASH_RISE;
    return 1 + (FLASH_TIMES - 1) * (part < 1 ? part : 1);
}

double world_demand(const struct world *world, size_t client, size_t name, int at)
{
    double base = world->people[client] * of_the_hour((double)at / 3600 + world->hours[client]) *
                  name_shares[name] * world->scale;

    return name == FLASH_NAME && world->flashes[client] ? base * flash(at) : base;
}

double world_distance(const struct world *world, size_t client, size_t replica)
{
    const struct place *a = &world->clients[client], *b = &world_replicas[replica];

    return LAST_MILE_MS +
           MS_PER_KM * geo_distance(a->latitude, a->longitude, b->latitude, b->longitude);
}

/* The crowd does not count. */
static double busiest(const struct world *world)
{
    double most = 0;

    for (int at = 0; at < DAY; at += 900) {
        double all = 0;
        for (size_t i = 0; i < CLIENTS; i++) {
            all += world->people[i] * of_the_hour((double)at / 3600 + world->hours[i]);
        }
        most = all > most ? all : most;
    }
    return most;
}

void world_make(struct world *world)
{
    random_state = 1;
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct centre *centre = random_centre();
        world->clients[i] = (struct place){"", centre->latitude + 4 * random_normal(),
                                           centre->longitude + 5 * random_normal()};
        world->people[i] = 1 / pow(random_part(), 0.6); /* few are large */
        world->hours[i] = centre->hours;
        world->flashes[i] = centre->flashes;
    }
    world->scale = BUSIEST * REPLICAS * CAPACITY / busiest(world);
}
