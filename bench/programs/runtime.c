/* Runs the work of a bare program, timed by the TOD clock, and reports on the console through SCLP. */
#include "bench.h"

extern const struct { u32 rounds, dat, circumstances; } parameters;
extern struct { u64 checksum, microseconds; } results[];
void service_call(u32 command, void *block);

static u64 clock(void) {
  u64 tod;
  __asm__ volatile("stckf %0" : "=Q"(tod) : : "cc");
  return tod >> 12;
}

enum { segments = 32, pages = 256 };
static u64 segment_table[2048] __attribute__((aligned(16384)));
static u64 page_tables[segments][pages] __attribute__((aligned(2048)));

/* Translation on: virtual equals real in the first 32 MiB, in pages of 4 KiB. */
static void translate(void) {
  for (u64 s = 0; s < 2048; s++) segment_table[s] = 0x20;
  for (u64 s = 0; s < segments; s++) {
    segment_table[s] = (u64)page_tables[s];
    for (u64 p = 0; p < pages; p++) page_tables[s][p] = s << 20 | p << 12;
  }
  u64 asce = (u64)segment_table | 3;
  u8 mask;
  __asm__ volatile("lctlg %%c1, %%c1, %1\n\tstosm %0, 4" : "=Q"(mask) : "Q"(asce) : "memory");
}

enum { keys = 1, per_set_up = 2, watchpoint = 4 };

/* Access-control bits 9, fetch protection; reference and change are zero. */
static void set_keys(void) {
  for (u64 frame = 0; frame < segments * pages; frame++)
    __asm__ volatile("sske %0, %1" : : "d"(0x98), "a"(frame << 12) : "memory");
}

/* Stores to a doubleword that nobody uses are to be events; they are if PSW bit 1 is one. */
static void set_up_events(void) {
  static u64 controls[3];
  controls[0] = 0x20000000;
  controls[1] = controls[2] = (segments * pages - 1ull) << 12;
  __asm__ volatile("lctlg %%c9, %%c11, %0" : : "Q"(controls[0]), "m"(controls));
}

void measure(void) {
  u8 mask;
  if (parameters.dat) translate();
  if (parameters.circumstances & (per_set_up | watchpoint)) set_up_events();
  if (parameters.circumstances & watchpoint) __asm__ volatile("stosm %0, 0x40" : "=Q"(mask) : : "memory");
  for (u32 round = 0; round < parameters.rounds; round++) {
    if (parameters.circumstances & keys) {
      set_keys();
      __asm__ volatile("spka 0x90" : : : "memory");
    }
    u64 start = clock();
    results[round].checksum = work();
    results[round].microseconds = clock() - start;
  }
}

/* Service-call control blocks, in SCLP's words. */
static struct {
  u16 length;
  u8 function, control[3];
  u16 response;
  u8 data[4088];
} block __attribute__((aligned(4096)));

static u16 call(u32 command, u32 length) {
  block.length = length;
  block.function = 0;
  block.response = 0;
  service_call(command, &block);
  return block.response;
}

static u8 *put(u8 *at, u64 value, int bytes) {
  while (bytes--) *at++ = value >> 8 * bytes;
  return at;
}

static u8 ebcdic(u8 c) {
  if (c >= '0' && c <= '9') return 0xf0 + c - '0';
  if (c >= 'a' && c <= 'i') return 0x81 + c - 'a';
  if (c >= 'j' && c <= 'r') return 0x91 + c - 'j';
  if (c >= 's' && c <= 'z') return 0xa2 + c - 's';
  return 0x40;
}

enum { write_event_data = 0x00760005, write_event_mask = 0x00780005, vt220 = 0x1a, message = 0x02 };

static u16 write_event(u8 type, u8 *end) {
  u8 *at = put(block.data, end - block.data, 2);
  put(put(at, type, 1), 0, 3);
  return call(write_event_data, end - (u8 *)&block);
}

static void print(const u8 *line, u32 length) {
  u8 *at = block.data + 6;
  for (u32 n = 0; n < length; n++) *at++ = line[n];
  at = put(at, 0x0d0a, 2);
  if ((write_event(vt220, at) & 0xff) == 0x20) return;
  /* Without a VT220: a message data block with a general object and a message text object. */
  at = block.data + 6;
  u8 *mdb = at;
  at = put(put(put(put(at, 12 + 56 + 10 + length, 2), 1, 2), 0xd4c4c240, 4), 1, 4);
  at = put(put(at, 56, 2), 1, 2);
  while (at < mdb + 12 + 56) *at++ = 0;
  at = put(put(put(put(at, 10 + length, 2), 4, 2), 0x1000, 2), 0, 4);
  for (u32 n = 0; n < length; n++) *at++ = ebcdic(line[n]);
  write_event(message, at);
}

/* A line for each round: "bench", name, round, checksum and microseconds, numbers in hexadecimal. */
void report(void) {
  u8 *at = put(put(block.data, 0, 2), 4, 2);
  put(put(put(at, 0, 4), 1u << (32 - vt220) | 1u << (32 - message), 4), 0, 8);
  call(write_event_mask, 8 + 20);
  for (u32 round = 0; round < parameters.rounds; round++) {
    u8 line[80];
    u32 n = 0;
    for (const char *c = "bench "; *c;) line[n++] = *c++;
    for (const char *c = name; *c;) line[n++] = *c++;
    const u64 numbers[] = {round, results[round].checksum, results[round].microseconds};
    for (u32 k = 0; k < 3; k++) {
      line[n++] = ' ';
      for (int shift = k == 0 ? 4 : 60; shift >= 0; shift -= 4) line[n++] = "0123456789abcdef"[numbers[k] >> shift & 15];
    }
    print(line, n);
  }
}

/* The compiler may call these. */
void *memcpy(void *to, const void *from, u64 n) {
  u8 *t = to;
  for (const u8 *f = from; n--;) *t++ = *f++;
  return to;
}

void *memset(void *to, int value, u64 n) {
  for (u8 *t = to; n--;) *t++ = value;
  return to;
}
