#include "table.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void list_begin(link *list) {
    list->previous = list->next = list;
}

bool list_empty(const link *list) {
    return list->next == list;
}

static void insert(link *before, link *item) {
    item->previous = before;
    item->next = before->next;
    before->next->previous = item;
    before->next = item;
}

void list_append(link *list, link *item) {
    insert(list->previous, item);
}

void list_prepend(link *list, link *item) {
    insert(list, item);
}

void list_remove(link *item) {
    item->previous->next = item->next;
    item->next->previous = item->previous;
}

void name_copy(char *to, const char *from) {
    size_t length = strlen(from);
    if (length >= TABLE_NAME) {
        length = TABLE_NAME - 1;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

void list_free(link *list) {
    while (!list_empty(list)) {
        link *item = list->next;
        list_remove(item);
        free(item);
    }
}

/* FNV-1a */
static size_t bucket_of(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash % TABLE_BUCKETS;
}

entry *table_find(const table *self, const char *name) {
    entry *item = self->buckets[bucket_of(name)];
    while (item && strcmp(item->name, name) != 0) {
        item = item->chained;
    }
    return item;
}

void table_add(table *self, entry *item) {
    entry **bucket = &self->buckets[bucket_of(item->name)];
    item->chained = *bucket;
    *bucket = item;
}

void table_remove(table *self, entry *item) {
    entry **place = &self->buckets[bucket_of(item->name)];
    while (*place != item) {
        place = &(*place)->chained;
    }
    *place = item->chained;
}
