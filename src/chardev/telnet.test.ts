import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, TelnetDecoder } from './telnet.ts';

const IAC = 255;

test('commands are taken out of the stream, wherever it is cut', () => {
  // DO ECHO, "a", WILL BINARY, a subnegotiation, "b", 255 as data, break, "c"
  const stream = [IAC, 253, 1, 97, IAC, 251, 0, IAC, 250, 24, 0, 88, IAC, IAC, IAC, 240, 98, IAC, IAC, IAC, 243, 99];
  for (let cut = 0; cut <= stream.length; cut++) {
    let breaks = 0;
    const decoder = new TelnetDecoder(() => breaks++);
    const parts = [stream.slice(0, cut), stream.slice(cut)];
    const out = parts.flatMap(part => [...decoder.decode(Uint8Array.from(part))]);
    assert.deepEqual(out, [97, 98, IAC, 99]);
    assert.equal(breaks, 1);
  }
});

test('data that looks like a command is doubled', () => {
  assert.deepEqual([...encode(Uint8Array.of(1, IAC, 2))], [1, IAC, IAC, 2]);
  const plain = Uint8Array.of(1, 2);
  assert.equal(encode(plain), plain);
});
