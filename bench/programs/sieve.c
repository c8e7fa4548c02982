/* The sieve of Eratosthenes over bytes. */
#include "bench.h"

const char name[] = "sieve";
enum { limit = 1 << 18, times = 32 };
static u8 composite[limit];

u64 work(void) {
  u64 sum = 0;
  for (int t = 0; t < times; t++) {
    for (u32 n = 0; n < limit; n++) composite[n] = 0;
    for (u32 n = 2; n < limit; n++) {
      if (composite[n]) continue;
      sum += n;
      for (u64 m = (u64)n * n; m < limit; m += n) composite[m] = 1;
    }
  }
  return sum;
}
