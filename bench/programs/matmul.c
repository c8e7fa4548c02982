/* Product of matrices of doubles; the elements are small integers, so that every order of adding gives the same. */
#include "bench.h"

const char name[] = "matmul";
enum { size = 96, times = 12 };
static double a[size][size], b[size][size], c[size][size];

u64 work(void) {
  u64 random = 88172645463325252;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      a[i][j] = (int)(next_random(&random) & 0xff) - 128;
      b[i][j] = (int)(next_random(&random) & 0xff) / 4.0;
    }
  double sum = 0;
  for (int t = 0; t < times; t++) {
    for (int i = 0; i < size; i++)
      for (int j = 0; j < size; j++) {
        double s = 0;
        for (int k = 0; k < size; k++) s += a[i][k] * b[k][j];
        c[i][j] = s;
      }
    for (int i = 0; i < size; i++) sum += c[i][(i + t) % size];
    a[t][t] += 1;
  }
  return (u64)(long)(sum * 4);
}
