/* Doubly linked lists, and hash tables that find an entry by its name. */

#pragma once

#include <stdbool.h>

enum { TABLE_NAME = 160, TABLE_BUCKETS = 4096 };

/* A list is a link of its own, first and last at once. */
typedef struct link {
    struct link *previous;
    struct link *next;
} link;

/* The first member of every struct in a table; `order` is its place in a list. */
typedef struct entry {
    link order;
    struct entry *chained;
    char name[TABLE_NAME];
} entry;

typedef struct {
    entry *buckets[TABLE_BUCKETS];
} table;

void list_begin(link *list);
bool list_empty(const link *list);
void list_append(link *list, link *item);
void list_prepend(link *list, link *item);
void list_remove(link *item);
/* Frees all items; each is the beginning of what was allocated. */
void list_free(link *list);

/* Copies a name, cut to what fits. */
void name_copy(char *to, const char *from);

/* The entry of that name that was added last, or null. */
entry *table_find(const table *self, const char *name);
void table_add(table *self, entry *item);
void table_remove(table *self, entry *item);
