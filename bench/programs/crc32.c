/* CRC-32 by bytes with a table. */
#include "bench.h"

const char name[] = "crc32";
enum { size = 1 << 16, times = 128 };
static u32 table[256];
static u8 data[size];

u64 work(void) {
  for (u32 n = 0; n < 256; n++) {
    u32 c = n;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
    table[n] = c;
  }
  u64 random = 88172645463325252;
  for (u32 n = 0; n < size; n++) data[n] = next_random(&random);
  u32 crc = ~0u;
  for (int t = 0; t < times; t++)
    for (u32 n = 0; n < size; n++) crc = table[(crc ^ data[n]) & 0xff] ^ crc >> 8;
  return ~crc;
}
