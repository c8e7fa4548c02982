/* What a bare program and its runtime know of each other. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef unsigned __int128 u128;

/* One round of the work. Every round does the same and gives the same checksum. */
u64 work(void);
/* In the report. */
extern const char name[];

/* Pseudo-random numbers (Marsaglia's xorshift). */
static inline u64 next_random(u64 *state) {
  u64 x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}
