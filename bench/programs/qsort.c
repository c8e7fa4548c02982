/* Quicksort and binary search with a comparison function that is called through a pointer. */
#include "bench.h"

const char name[] = "qsort";
enum { count = 20000, times = 7 };
typedef int comparison(const void *, const void *);
static u64 items[count];

static int ascending(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return x < y ? -1 : x > y;
}

static int descending(const void *a, const void *b) { return ascending(b, a); }

static void sort(u64 *from, long n, comparison *compare) {
  while (n > 1) {
    u64 pivot = from[n / 2];
    long i = 0, j = n - 1;
    for (;;) {
      while (compare(&from[i], &pivot) < 0) i++;
      while (compare(&pivot, &from[j]) < 0) j--;
      if (i >= j) break;
      u64 x = from[i];
      from[i++] = from[j];
      from[j--] = x;
    }
    sort(from, i, compare);
    from += i;
    n -= i;
  }
}

static long search(const u64 *what, comparison *compare) {
  long low = 0, high = count;
  while (low < high) {
    long middle = (low + high) / 2;
    int order = compare(what, &items[middle]);
    if (order == 0) return middle;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return -1;
}

u64 work(void) {
  u64 random = 88172645463325252, sum = 0;
  comparison *volatile orders[] = {ascending, descending};
  for (int t = 0; t < times; t++) {
    comparison *order = orders[t & 1];
    for (u32 n = 0; n < count; n++) items[n] = next_random(&random);
    u64 some = items[count / 3];
    sort(items, count, order);
    for (u32 n = 0; n < count; n += 1999) sum = sum * 31 + items[n];
    sum += search(&some, order);
  }
  return sum;
}
