/* The bounded queue. cffi reads this file as well as the compiler: it holds plain declarations, and nothing includes
 * it twice. Names are at most QUEUE_NAME characters, which the caller has checked. One thread at a time. */

#define QUEUE_NAME 159

typedef struct queue queue;

typedef enum {
    QUEUE_DONE,
    QUEUE_EMPTY,     /* nothing waits */
    QUEUE_STALE,     /* the source or consumer has sent a later number: see queue_answer.last */
    QUEUE_CLOSED,    /* nothing new is accepted */
    QUEUE_NO_MEMORY, /* nothing was changed */
} queue_outcome;

typedef struct {
    const char *id;     /* unique */
    const char *source;
    int64_t first;      /* number of the first sample, not negative */
    double created_at;
    const double *values;
    int32_t size;       /* number of values */
} queue_batch;

typedef struct {
    int64_t last;
    int32_t accepted;
    int32_t refused;
} queue_answer;

typedef struct {
    int64_t produced;
    int64_t queued;
    int64_t in_work;
    int64_t refused;
} queue_counters;

/* Null when there is no memory. */
queue *queue_new(int64_t capacity, double lease_seconds);
void queue_free(queue *self);

/* Accepts a batch or refuses it as a whole; a repeated one gets its first answer again, also when nothing new is
 * accepted because the queue is closed. */
queue_outcome queue_put(queue *self, const queue_batch *batch, bool closed, queue_answer *answer);

/* Leases batches of at most `most` samples in total, or a single larger one; the same number gets the same ones again.
 * They are then read one by one with queue_next, until it returns null, before any other call. */
queue_outcome queue_lease(queue *self, const char *consumer, int64_t number, int64_t most, double now,
                          queue_answer *answer);
const queue_batch *queue_next(queue *self);

/* Removes a batch whose result is in this data store; an unknown one is ignored. */
queue_outcome queue_ack(queue *self, const char *id, const char *store);

/* The counters of all samples so far. */
queue_counters queue_count(queue *self, double now);

/* The data stores that have acknowledged batches, by index from 0, and how many samples; null beyond the last. */
const char *queue_stored(const queue *self, size_t index, int64_t *samples);
