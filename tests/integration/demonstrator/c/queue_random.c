/* Random operations on the queue, whose memory a sanitizer watches and whose ledger this program checks.
 * Arguments: a seed and the number of operations. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"

enum { CAPACITY = 300, LARGEST = 40, SOURCES = 1500 };

static uint64_t state;

static int64_t chance(int64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((state >> 33) % (uint64_t)below);
}

static char id[QUEUE_NAME + 1];

/* Some name, short, long or of an unlucky shape. */
static const char *name(char kind, int64_t number) {
    static char text[QUEUE_NAME + 1];
    int pad = number % 7 ? 0 : 100;
    snprintf(text, sizeof text, "%c%0*" PRId64, kind, pad, number);
    return text;
}

static const char *id_of(int64_t source, int64_t first) {
    snprintf(id, sizeof id, "%.120s:%" PRId64, name('s', source), first);
    return id;
}

static void put(queue *tested, int64_t *firsts) {
    int64_t source = chance(4) ? chance(3) : chance(SOURCES);
    int32_t size = (int32_t)chance(LARGEST) + 1;
    /* Just as large as it says, so that a read beyond its end is seen. */
    double *values = malloc((size_t)size * sizeof *values);
    if (!values) {
        abort();
    }
    for (int32_t index = 0; index < size; index++) {
        values[index] = (double)size;
    }
    firsts[source] += chance(3);
    queue_batch batch = {.id = id_of(source, firsts[source]), .source = name('s', source), .values = values, .size = size};
    batch.first = firsts[source];
    queue_answer answer;
    queue_put(tested, &batch, false, &answer);
    free(values);
}

static bool read_all(queue *tested) {
    const queue_batch *batch;
    while ((batch = queue_next(tested))) {
        if (batch->values[batch->size - 1] != (double)batch->size || strlen(batch->id) < strlen(batch->source)) {
            return false;
        }
    }
    return true;
}

int main(int count, char **arguments) {
    if (count != 3) {
        return 2;
    }
    state = strtoull(arguments[1], NULL, 10);
    int64_t operations = strtoll(arguments[2], NULL, 10);
    static int64_t firsts[SOURCES];
    double now = 0;
    queue *tested = queue_new(CAPACITY, 5.0);
    if (!tested) {
        return 2;
    }
    for (int64_t done = 0; done < operations; done++) {
        now += (double)chance(100) / 100;
        queue_answer answer;
        switch (chance(5)) {
        case 0:
        case 1:
            put(tested, firsts);
            break;
        case 2:
            queue_lease(tested, name('c', chance(8) ? chance(3) : chance(SOURCES)), done - chance(2), chance(200), now, &answer);
            if (!read_all(tested)) {
                return 1;
            }
            break;
        case 3: {
            int64_t source = chance(3);
            queue_ack(tested, id_of(source, firsts[source] - chance(30)), name('d', chance(5)));
            break;
        }
        default:
            /* To read on after something else was asked is wrong, and still must not touch freed memory. */
            read_all(tested);
        }
        queue_counters counters = queue_count(tested, now);
        int64_t stored = 0, samples;
        for (size_t index = 0; queue_stored(tested, index, &samples); index++) {
            stored += samples;
        }
        if (counters.produced != stored + counters.queued + counters.in_work + counters.refused ||
            counters.queued + counters.in_work > CAPACITY) {
            return 1;
        }
        if (done == operations - 1) {
            printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", counters.produced, stored, counters.refused);
        }
    }
    queue_free(tested);
    queue_free(NULL);
    return 0;
}
