#include <stddef.h>
#include <string.h>

/* All else is hidden. */
#pragma GCC visibility push(default)
#include "processor.h"
#pragma GCC visibility pop

void processor_work(const double *values, double *results, size_t size) {
    memcpy(results, values, size * sizeof *values);
}
