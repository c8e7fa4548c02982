/* Text: splitting into words, comparing, copying, searching, and converting numbers. */
#include "bench.h"

const char name[] = "strings";
enum { size = 1 << 15, times = 24, slots = 512 };
static char text[size + 1], word[64], seen[slots][16];
static u32 counts[slots];

static u32 length(const char *s) {
  const char *at = s;
  while (*at) at++;
  return at - s;
}

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static const char *find(const char *in, const char *what) {
  for (; *in; in++) {
    const char *a = in, *b = what;
    while (*b && *a == *b) a++, b++;
    if (!*b) return in;
  }
  return 0;
}

static u32 decimal(u64 value, char *to) {
  char digits[20];
  u32 n = 0;
  do digits[n++] = '0' + value % 10;
  while (value /= 10);
  for (u32 k = 0; k < n; k++) to[k] = digits[n - 1 - k];
  to[n] = 0;
  return n;
}

u64 work(void) {
  u64 random = 88172645463325252;
  for (u32 n = 0; n < size; n++) {
    u32 r = next_random(&random) >> 32;
    text[n] = r % 6 == 0 ? ' ' : (r & 0x100 ? 'A' : 'a') + (r >> 12) % 7;
  }
  text[size] = 0;
  u64 sum = 0;
  for (int t = 0; t < times; t++) {
    for (u32 n = 0; n < slots; n++) counts[n] = 0, seen[n][0] = 0;
    for (const char *at = text; *at;) {
      u32 n = 0, hash = 5381;
      while (*at == ' ') at++;
      while (*at && *at != ' ' && n < 15) {
        char c = *at++;
        if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
        word[n++] = c;
        hash = hash * 33 + c;
      }
      word[n] = 0;
      u32 slot = hash % slots;
      if (compare(seen[slot], word)) __builtin_memcpy(seen[slot], word, n + 1);
      counts[slot]++;
      sum += length(word) * hash;
    }
    for (u32 n = 0; n < slots; n++) {
      char number[24];
      sum += decimal(sum ^ counts[n], number) + number[0];
    }
    const char *found = find(text, "aBcDeFgg");
    sum += found ? found - text : size;
  }
  return sum;
}
