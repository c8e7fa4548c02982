import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backend, type ChardevEvent, type FrontEnd } from './chardev.ts';
import { Mux } from './mux.ts';

class World extends Backend {
  readonly description = 'world';
  out = '';
  waiting = 0;
  constructor() {
    super('world');
    this.event('open');
  }
  write(data: Uint8Array): boolean {
    this.out += new TextDecoder().decode(data);
    return true;
  }
  type(text: string): void {
    this.input(new TextEncoder().encode(text));
  }
  protected override hold(waiting: number): void {
    this.waiting = waiting;
  }
}

class Listener implements FrontEnd {
  got = '';
  events: ChardevEvent[] = [];
  space = Number.POSITIVE_INFINITY;
  room(): number {
    return this.space;
  }
  receive(data: Uint8Array): void {
    this.got += new TextDecoder().decode(data);
    this.space -= data.length;
  }
  event(event: ChardevEvent): void {
    this.events.push(event);
  }
}

test('a backend gives its front end no more than it has room for', () => {
  const world = new World();
  const front = new Listener();
  front.space = 3;
  world.attach(front);
  world.type('abcdef');
  assert.equal(front.got, 'abc');
  assert.equal(world.waiting, 3);
  front.space = 100;
  world.inputWanted();
  assert.equal(front.got, 'abcdef');
  assert.equal(world.waiting, 0);
});

function pair(options = {}) {
  const world = new World();
  const mux = new Mux(world, options);
  const monitor = new Listener();
  const console = new Listener();
  const monitorPort = mux.port();
  monitorPort.attach(monitor);
  const consolePort = mux.port(true);
  consolePort.attach(console);
  return { world, mux, monitor, console, monitorPort, consolePort };
}

test('Ctrl-A c switches the input', () => {
  const { world, monitor, console } = pair();
  world.type('one\x01ctwo');
  world.type('\x01');
  world.type('cthree');
  assert.equal(console.got, 'onethree');
  assert.equal(monitor.got, 'two');
  assert.deepEqual(monitor.events, ['focus', 'open', 'blur', 'focus', 'blur']);
  assert.deepEqual(console.events, ['focus', 'open', 'blur', 'focus']);
});

test('Ctrl-A twice sends one, and unknown keys vanish', () => {
  const { world, console } = pair();
  world.type('a\x01\x01b\x01zc');
  assert.equal(console.got, 'a\x01bc');
});

test('another escape character', () => {
  const { world, console } = pair({ escape: 0x14 });
  world.type('\x01\x14\x14\x14h');
  assert.equal(console.got, '\x01\x14');
  assert.match(world.out, /Ctrl-T x +end/);
});

test('the keys h, b and x', () => {
  let ended = 0;
  const { world, console } = pair({ exit: () => ended++ });
  world.type('\x01h\x01b\x01x');
  assert.match(world.out, /Ctrl-A c .*monitor\r\n/);
  assert.equal(console.events.at(-1), 'break');
  assert.equal(ended, 1);
});

test('timestamps at the start of lines', () => {
  let now = 1000;
  const { world, consolePort } = pair({ now: () => now });
  world.type('\x01t');
  now = 4723;
  consolePort.write(new TextEncoder().encode('a\nb'));
  consolePort.write(new TextEncoder().encode('c\n'));
  assert.equal(world.out, '[00:00:03.723] a\n[00:00:03.723] bc\n');
});

test('the escape works while the front end takes no input', () => {
  const { world, monitor, console } = pair();
  console.space = 0;
  world.type('abc\x01cdef');
  assert.equal(console.got, '');
  assert.equal(monitor.got, 'def');
});
