/* Arithmetic on more than 64 bits: products in a prime field, 128-bit division, a generator with 128 bits of state. */
#include "bench.h"

const char name[] = "wide";
enum { times = 200000 };

/* Numbers modulo 2^255 - 19 as five limbs of 51 bits. */
typedef struct { u64 limb[5]; } field;
static const u64 mask = (1ul << 51) - 1;

static field multiply(const field *x, const field *y) {
  u128 sum[5] = {0, 0, 0, 0, 0};
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) {
      u64 factor = i + j >= 5 ? 19 * y->limb[j] : y->limb[j];
      sum[(i + j) % 5] += (u128)x->limb[i] * factor;
    }
  field z;
  u64 carry = 0;
  for (int i = 0; i < 5; i++) {
    sum[i] += carry;
    z.limb[i] = sum[i] & mask;
    carry = sum[i] >> 51;
  }
  z.limb[0] += 19 * carry;
  return z;
}

u64 work(void) {
  field x = {{1, 2, 3, 4, 5}}, y = {{0x7a3f5c1d2b4e6, 0x123456789abcd, 0x0fedcba987654, 0x5555555555555, 0x2468ace13579b}};
  u128 state = (u128)0x853c49e6748fea9b << 64 | 0xda3e39cb94b95bdb;
  const u128 multiplier = (u128)2549297995355413924 << 64 | 4865540595714422341;
  u64 sum = 0;
  for (int t = 0; t < times; t++) {
    x = multiply(&x, &y);
    state = state * multiplier + 0x5851f42d4c957f2d;
    u64 mixed = state >> 64 ^ state, rotation = state >> 122;
    mixed = mixed >> rotation | mixed << (-rotation & 63);
    u64 divisor = (mixed | 1ul << 40) >> 8;
    sum += (state >> 70) / divisor + mixed % divisor + __builtin_popcountl(mixed) + __builtin_clzl(mixed | 1);
    sum = (sum << 7 | sum >> 57) ^ x.limb[t % 5];
  }
  return sum;
}
