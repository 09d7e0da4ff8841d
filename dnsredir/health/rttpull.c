#include "dnsredir/health/rttpull.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>

void rtt_pull_begin(struct rtt_pull *pull, const char *host, rtt_visit *visit, void *arg)
{
    pull->under_way = true;
    rtt_reader_begin(&pull->reader, visit, arg);
    snprintf(pull->request, sizeof(pull->request),
             "GET /rtt?epoch=%016" PRIx64 "&since=%" PRIu64
             " HTTP/1.1\r\nHost: %s\r\nUser-Agent: larder-dns\r\n\r\n",
             pull->epoch, pull->next, host);
}

void rtt_pull_break(struct rtt_pull *pull, const char *fault, uint64_t now, uint64_t interval)
{
    if (pull->under_way) {
        pull->under_way = false;
        pull->fault = fault;
        pull->due = now + RTT_PULL_PATIENCE * interval;
    }
}

static const char *fault_of(const struct reply *reply, int err)
{
    if (err == ERR_TOO_LARGE) {
        return "its report of round trips is too long";
    }
    if (err) {
        return "its report of round trips makes no sense";
    }
    if (reply->status == 404) {
        return "it reports no round trips";
    }
    if (reply->status != 200) {
        return "it refuses to report round trips";
    }
    return reply->keep ? NULL : "its report of round trips has no length, or is too long";
}

bool rtt_pull_take(struct rtt_pull *pull, const struct reply *reply, int done, uint64_t now,
                   uint64_t interval)
{
    int err = done < 0 ? done : 0;

    if (!err && reply->status == 200) {
        err = rtt_reader_take(&pull->reader, reply->body);
    }
    if (!err && !done) {
        return false;
    }
    const char *fault = fault_of(reply, err);
    if (!fault && rtt_reader_end(&pull->reader)) {
        fault = "its report of round trips is cut off";
    }
    if (fault) {
        rtt_pull_break(pull, fault, now, interval);
        return true;
    }
    pull->under_way = false;
    pull->fault = NULL;
    pull->epoch = pull->reader.epoch;
    pull->next = pull->reader.next;
    pull->due = pull->reader.more ? now : now + interval;
    pull->reports++;
    pull->lines += pull->reader.lines;
    return true;
}

void rtt_pull_adopt(struct rtt_pull *pull, const struct rtt_pull *before)
{
    pull->epoch = before->epoch;
    pull->next = before->next;
    pull->due = before->due;
    pull->fault = before->fault;
    pull->reports = before->reports;
    pull->lines = before->lines;
}
