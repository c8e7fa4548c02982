/* SHA-256 (FIPS 180-4) of a long message. */
#include "bench.h"

const char name[] = "sha256";
enum { size = 1 << 16, times = 16 };
static u32 k[64], state[8];
static u8 data[size];

/* The constants are the first 32 bits of the fractional parts of the cube and square roots of the first primes. */
static u32 fraction(u64 prime, int cube) {
  /* The largest x with x^2 <= p * 2^64, or x^3 <= p * 2^96, bit by bit. */
  u64 root = 0;
  for (int bit = 36; bit >= 0; bit--) {
    u64 x = root | 1ul << bit;
    if (cube) {
      /* x^3 has at most 111 bits. */
      if ((u128)x * x * x <= (u128)prime << 96) root = x;
    } else if ((u128)x * x <= (u128)prime << 64) root = x;
  }
  return root;
}

static inline u32 rotate(u32 x, int n) { return x >> n | x << (32 - n); }

static void compress(const u8 *block) {
  u32 w[64], s[8];
  for (int t = 0; t < 16; t++) w[t] = (u32)block[4 * t] << 24 | block[4 * t + 1] << 16 | block[4 * t + 2] << 8 | block[4 * t + 3];
  for (int t = 16; t < 64; t++) {
    u32 a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  for (int n = 0; n < 8; n++) s[n] = state[n];
  for (int t = 0; t < 64; t++) {
    u32 e = s[4], a = s[0];
    u32 t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + k[t] + w[t];
    u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6], s[6] = s[5], s[5] = e, s[4] = s[3] + t1;
    s[3] = s[2], s[2] = s[1], s[1] = a, s[0] = t1 + t2;
  }
  for (int n = 0; n < 8; n++) state[n] += s[n];
}

u64 work(void) {
  int count = 0;
  for (u64 p = 2; count < 64; p++) {
    int prime = 1;
    for (u64 d = 2; d * d <= p; d++) prime &= p % d != 0;
    if (!prime) continue;
    if (count < 8) state[count] = fraction(p, 0);
    k[count++] = fraction(p, 1);
  }
  u64 random = 88172645463325252;
  for (u32 n = 0; n < size; n++) data[n] = next_random(&random);
  for (int t = 0; t < times; t++)
    for (u32 n = 0; n < size; n += 64) compress(data + n);
  return (u64)state[0] << 32 | state[7];
}
