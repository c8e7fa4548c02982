/* Keeps generating new code, as a just-in-time compiler does: functions of random arithmetic, each with a loop, written
   one after another into a buffer that is used again and again, and each called a few times. */
#include "bench.h"

const char name[] = "generate";
enum { buffer_size = 1 << 18, functions = 6000, calls = 6, turns = 12, data = 2 };
static u16 buffer[buffer_size / 2] __attribute__((aligned(4096)));
static u64 words[64];
static u64 random = 88172645463325252;

static u32 pick(u32 below) { return (next_random(&random) >> 11) % below; }

/* Register operands: %r0, %r3, %r4 and %r5 are the function's own, %r1 counts, %r2 addresses the data. */
static u32 reg(void) { return "\0\3\4\5"[pick(4)]; }

/* One instruction of two or three halfwords. */
static u16 *instruction(u16 *at) {
  static const u16 rre[] = {0xb908, 0xb909, 0xb982, 0xb980, 0xb981, 0xb90c, 0xb904, 0xb918};
  static const u8 rsy[] = {0x0a, 0x0c, 0x0d, 0x1c};
  static const u8 rxy[] = {0x04, 0x08, 0x09, 0x82, 0x24, 0x24};
  u32 r1 = reg(), r2 = reg(), place = pick(64) * 8;
  switch (pick(4)) {
  case 0:
    *at++ = rre[pick(sizeof rre / sizeof *rre)];
    *at++ = r1 << 4 | r2;
    break;
  case 1: /* ADD HALFWORD IMMEDIATE, LOAD HALFWORD IMMEDIATE */
    *at++ = 0xa700 | r1 << 4 | (pick(4) ? 0xb : 0x9);
    *at++ = pick(0x10000);
    break;
  case 2: /* shifts of 64 bits */
    *at++ = 0xeb00 | r1 << 4 | r2;
    *at++ = pick(64);
    *at++ = rsy[pick(sizeof rsy)];
    break;
  default: /* the data */
    *at++ = 0xe300 | r1 << 4;
    *at++ = data << 12 | place;
    *at++ = rxy[pick(sizeof rxy)];
  }
  return at;
}

/* A function of the number of turns and the data's address. */
static u16 *generate(u16 *at) {
  *at++ = 0xb904, *at++ = 0x0012;                 /* lgr %r1, %r2 */
  *at++ = 0xb904, *at++ = 0x0023;                 /* lgr %r2, %r3 */
  *at++ = 0xa709, *at++ = pick(0x8000);           /* lghi %r0, ... */
  *at++ = 0xa749, *at++ = pick(0x8000);
  *at++ = 0xa759, *at++ = pick(0x8000);
  u16 *loop = at;
  for (u32 n = 8 + pick(32); n; n--) at = instruction(at);
  /* A branch past an instruction: ltgr; jnz */
  *at++ = 0xb902, *at++ = reg() * 0x11;
  *at++ = 0xa774, *at++ = 4;
  *at++ = 0xa70b, *at++ = 1;
  *at = 0xa717, at[1] = loop - at, at += 2;       /* brctg %r1, loop */
  *at++ = 0xb982, *at++ = 0x0003;                 /* xgr %r0, %r3 */
  *at++ = 0xb904, *at++ = 0x0020;                 /* lgr %r2, %r0 */
  *at++ = 0x07fe;
  return at;
}

u64 work(void) {
  u64 sum = 0;
  random = 88172645463325252;
  for (int n = 0; n < 64; n++) words[n] = next_random(&random);
  u16 *at = buffer;
  for (int n = 0; n < functions; n++) {
    if (at > buffer + buffer_size / 2 - 256) at = buffer;
    u64 (*function)(u64 turns, u64 *data) = (void *)at;
    at = generate(at);
    __asm__ volatile("" : : : "memory");
    for (int k = 0; k < calls; k++) sum = sum * 31 + function(1 + pick(turns), words);
    if (pick(64) == 0) sum += function(2000, words);
  }
  for (int n = 0; n < 64; n++) sum = sum * 31 + words[n];
  return sum;
}
