#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* All else is hidden. */
#pragma GCC visibility push(default)
#include "queue.h"
#pragma GCC visibility pop

_Static_assert(QUEUE_NAME == TABLE_NAME - 1, "a table's name has room for every name");

/* The last request of so many sources and consumers is remembered; the least recently used goes first. */
enum { LRU_SIZE = 1000 };

/* A batch, waiting or leased. */
typedef struct {
    entry entry;
    queue_batch batch;
    char source[TABLE_NAME];
    char consumer[TABLE_NAME];
    int64_t number; /* of the take that it was leased for */
    double ends;
    double values[];
} batch_node;

/* The last number of a source or a consumer, and its answer. */
typedef struct {
    entry entry;
    queue_answer answer;
} last_request;

typedef struct {
    table by_name;
    link order;
    size_t size;
} lru;

typedef struct {
    entry entry;
    int64_t samples;
} store;

struct queue {
    int64_t capacity;
    double lease_seconds;
    queue_counters counters;
    table batches;
    link waiting;
    link leases; /* in the order in which they end */
    lru sources;
    lru consumers;
    link stores;
    /* Where queue_next continues. */
    link *cursor;
    char consumer[TABLE_NAME];
    int64_t number;
};

static last_request *lru_get(const lru *self, const char *name) {
    return (last_request *)table_find(&self->by_name, name);
}

/* The request of that name, made if need be, as the most recently used. */
static last_request *lru_put(lru *self, const char *name) {
    last_request *found = lru_get(self, name);
    if (found) {
        list_remove(&found->entry.order);
    } else {
        found = calloc(1, sizeof *found);
        if (!found) {
            return NULL;
        }
        name_copy(found->entry.name, name);
        table_add(&self->by_name, &found->entry);
        self->size++;
    }
    list_append(&self->order, &found->entry.order);
    if (self->size > LRU_SIZE) {
        entry *oldest = (entry *)self->order.next;
        list_remove(&oldest->order);
        table_remove(&self->by_name, oldest);
        free(oldest);
        self->size--;
    }
    return found;
}

/* Puts the batches of overdue leases back to the front: they have waited longest. */
static void end_leases(queue *self, double now) {
    self->cursor = &self->leases;
    while (!list_empty(&self->leases)) {
        batch_node *item = (batch_node *)self->leases.next;
        if (item->ends > now) {
            return;
        }
        list_remove(&item->entry.order);
        list_prepend(&self->waiting, &item->entry.order);
        item->consumer[0] = '\0';
        self->counters.in_work -= item->batch.size;
        self->counters.queued += item->batch.size;
    }
}

static void lease(queue *self, batch_node *item, double now) {
    list_remove(&item->entry.order);
    list_append(&self->leases, &item->entry.order);
    name_copy(item->consumer, self->consumer);
    item->number = self->number;
    item->ends = now + self->lease_seconds;
    self->counters.queued -= item->batch.size;
    self->counters.in_work += item->batch.size;
}

static batch_node *copy(const queue_batch *batch) {
    size_t bytes = (size_t)batch->size * sizeof(double);
    batch_node *item = calloc(1, sizeof *item + bytes);
    if (item) {
        name_copy(item->entry.name, batch->id);
        name_copy(item->source, batch->source);
        memcpy(item->values, batch->values, bytes);
        item->batch = *batch;
        item->batch.id = item->entry.name;
        item->batch.source = item->source;
        item->batch.values = item->values;
    }
    return item;
}

/* The count of a data store, made if need be. */
static store *find_store(queue *self, const char *name) {
    for (link *item = self->stores.next; item != &self->stores; item = item->next) {
        if (strcmp(((entry *)item)->name, name) == 0) {
            return (store *)item;
        }
    }
    store *made = calloc(1, sizeof *made);
    if (made) {
        name_copy(made->entry.name, name);
        list_append(&self->stores, &made->entry.order);
    }
    return made;
}

queue *queue_new(int64_t capacity, double lease_seconds) {
    queue *self = calloc(1, sizeof *self);
    if (self) {
        self->capacity = capacity;
        self->lease_seconds = lease_seconds;
        list_begin(&self->waiting);
        list_begin(&self->leases);
        list_begin(&self->sources.order);
        list_begin(&self->consumers.order);
        list_begin(&self->stores);
        self->cursor = &self->leases;
    }
    return self;
}

void queue_free(queue *self) {
    if (self) {
        list_free(&self->waiting);
        list_free(&self->leases);
        list_free(&self->sources.order);
        list_free(&self->consumers.order);
        list_free(&self->stores);
        free(self);
    }
}

queue_outcome queue_put(queue *self, const queue_batch *batch, bool closed, queue_answer *answer) {
    last_request *last = lru_get(&self->sources, batch->source);
    if (last && batch->first <= last->answer.last) {
        *answer = last->answer;
        return batch->first == last->answer.last ? QUEUE_DONE : QUEUE_STALE;
    }
    if (closed) {
        return QUEUE_CLOSED;
    }
    /* One that is held was put before, by a source that is not remembered. */
    bool held = table_find(&self->batches, batch->id) != NULL;
    int64_t room = self->capacity - self->counters.queued - self->counters.in_work;
    batch_node *item = NULL;
    if (!held && batch->size <= room) {
        item = copy(batch);
        if (!item) {
            return QUEUE_NO_MEMORY;
        }
    }
    last = lru_put(&self->sources, batch->source);
    if (!last) {
        free(item);
        return QUEUE_NO_MEMORY;
    }
    last->answer = (queue_answer){.last = batch->first};
    if (held) {
        last->answer.accepted = batch->size;
        *answer = last->answer;
        return QUEUE_DONE;
    }
    self->counters.produced += batch->size;
    if (item) {
        table_add(&self->batches, &item->entry);
        list_append(&self->waiting, &item->entry.order);
        self->counters.queued += batch->size;
        last->answer.accepted = batch->size;
    } else {
        self->counters.refused += batch->size;
        last->answer.refused = batch->size;
    }
    *answer = last->answer;
    return QUEUE_DONE;
}

queue_outcome queue_lease(queue *self, const char *consumer, int64_t number, int64_t most, double now,
                          queue_answer *answer) {
    end_leases(self, now);
    last_request *last = lru_get(&self->consumers, consumer);
    answer->last = last ? last->answer.last : -1;
    if (number < answer->last) {
        return QUEUE_STALE;
    }
    bool again = number == answer->last;
    if (!again) {
        if (list_empty(&self->waiting)) {
            return QUEUE_EMPTY;
        }
        last = lru_put(&self->consumers, consumer);
        if (!last) {
            return QUEUE_NO_MEMORY;
        }
        last->answer.last = number;
    }
    name_copy(self->consumer, consumer);
    self->number = number;
    if (again) {
        self->cursor = self->leases.next;
        return QUEUE_DONE;
    }
    link *before = self->leases.previous;
    batch_node *item = (batch_node *)self->waiting.next;
    do {
        most -= item->batch.size;
        lease(self, item, now);
        item = (batch_node *)self->waiting.next;
    } while (!list_empty(&self->waiting) && item->batch.size <= most);
    self->cursor = before->next;
    return QUEUE_DONE;
}

const queue_batch *queue_next(queue *self) {
    while (self->cursor != &self->leases) {
        batch_node *item = (batch_node *)self->cursor;
        self->cursor = self->cursor->next;
        if (item->number == self->number && strcmp(item->consumer, self->consumer) == 0) {
            return &item->batch;
        }
    }
    return NULL;
}

queue_outcome queue_ack(queue *self, const char *id, const char *name) {
    batch_node *item = (batch_node *)table_find(&self->batches, id);
    if (!item) {
        return QUEUE_DONE;
    }
    store *acked = find_store(self, name);
    if (!acked) {
        return QUEUE_NO_MEMORY;
    }
    acked->samples += item->batch.size;
    /* It waits again if its lease has ended because the processor was late. */
    *(item->consumer[0] ? &self->counters.in_work : &self->counters.queued) -= item->batch.size;
    self->cursor = &self->leases;
    table_remove(&self->batches, &item->entry);
    list_remove(&item->entry.order);
    free(item);
    return QUEUE_DONE;
}

queue_counters queue_count(queue *self, double now) {
    end_leases(self, now);
    return self->counters;
}

const char *queue_stored(const queue *self, size_t index, int64_t *samples) {
    const link *item = self->stores.next;
    while (index-- && item != &self->stores) {
        item = item->next;
    }
    if (item == &self->stores) {
        return NULL;
    }
    *samples = ((const store *)item)->samples;
    return ((const entry *)item)->name;
}
