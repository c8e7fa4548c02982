import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModuleBuilder } from '../ir/wasm.ts';
import { multiplyAdd as exactly, LONG } from '../millicode/bfp.ts';
import { defineMultiplyAdd, fusesMultiplyAdd } from './fused.ts';

const view = new DataView(new ArrayBuffer(8));
function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const significand = (): number => 1 + random() + random() * 2 ** -32;
const moderate = (range: number): number =>
  (random() < 0.5 ? -1 : 1) * significand() * 2 ** Math.floor((random() - 0.5) * range);

const module = new ModuleBuilder();
module.exportFunction('multiplyAdd', defineMultiplyAdd(module));
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()));
const multiplyAdd = exports.multiplyAdd as (a: number, b: number, c: number) => number;

function check(a: number, b: number, c: number): void {
  const result = multiplyAdd(a, b, c);
  if (Number.isNaN(result)) {
    const outside = [a, b].some(value => !(Math.abs(value) > 2 ** -399 && Math.abs(value) < 2 ** 400));
    assert.ok(outside || !(Math.abs(c) < 2 ** 900), `${a} ${b} ${c}`);
  } else {
    assert.equal(bitsOf(result), exactly(LONG, bitsOf(a), bitsOf(b), bitsOf(c), 0).result, `${a} ${b} ${c}`);
  }
}

test('the function that stands in for the host rounds once', () => {
  for (let n = 0; n < 20000; n++) {
    const [a, b] = [moderate(60), moderate(60)];
    check(a, b, moderate(120));
    // The sum nearly cancels, or the product decides about the rounding of the addend alone.
    check(a, b, -a * b * (1 + Math.floor(random() * 5 - 2) * 2 ** -52));
    check(a, b, a * b * 2 ** Math.floor(random() * 120 - 60));
    check(Math.round(a), Math.round(b), Math.round(moderate(60)));
    check(moderate(2000), moderate(2000), moderate(2000));
  }
  for (const [a, b, c] of [
    [0, 5, -0],
    [-0, 5, 0],
    [-0, 5, -0],
    [3, 5, -15],
    [2 ** 399, 2 ** 399, -(2 ** 798)],
    [2 ** -300, 2 ** -300, Number.MIN_VALUE],
  ] as const) {
    check(a, b, c);
  }
});

test('the host is asked', () => {
  assert.equal(typeof fusesMultiplyAdd(), 'boolean');
});
