/* The processor's work on samples. cffi reads this file as well as the compiler: it holds plain declarations. */

/* Turns `size` values into as many results: the identity, as the original demonstrator's processor. */
void processor_work(const double *values, double *results, size_t size);
