import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machine } from '../cpu/testing.ts';
import type { LogItem } from './control.ts';
import { Tracer } from './trace.ts';

/** What the log hears of a program that counts to two and ends with an operation exception. */
function traced(...items: LogItem[]): string[] {
  const { cpu } = machine('lghi %r1,2; brct %r1,.').fast();
  let text = '';
  const tracer = new Tracer(cpu, (_item, more) => {
    text += more;
  });
  tracer.watch(items);
  assert.equal(cpu.run(), 'disabled-wait');
  tracer.flush();
  return text.split('\n').slice(0, -1);
}

test('nothing unless it is asked for', () => {
  assert.deepEqual(traced(), []);
});

test('interruptions', () => {
  assert.deepEqual(traced('int'), ['CPU 0: program interruption 0001 old PSW 0000000180000000 000000000000040a']);
});

test('instructions, each time or once', () => {
  const [first, loop, end] = ['00000400  lghi %r1,2', '00000404  brct %r1,0x404', '00000408  .short 0x0000'].map(
    line => `CPU 0: 0x${line}`,
  );
  assert.deepEqual(traced('exec'), [first, loop, loop, end]);
  assert.deepEqual(traced('in_asm'), [first, loop, end]);
});

test('registers', () => {
  const plain = traced('cpu');
  assert.equal(plain.length, 4 * 10);
  assert.equal(plain[0], 'PSW=mask 0000000180000000 addr 0000000000000400 cc 00');
  assert.match(plain[11]!, /^R00=0{16} R01=0{15}2 /);
  // 32 vector registers, two to a line.
  assert.equal(traced('cpu', 'fpu').length, 4 * 26);
});
