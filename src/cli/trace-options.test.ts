import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cssTrace } from '../css/trace.ts';
import { ConfigurationError } from '../machine/control.ts';
import { connectTrace } from '../machine/trace-events.ts';
import type { TraceRecord } from '../trace/trace.ts';
import { FakeHost } from './testing.ts';
import { parseTrace, statesOf, type TraceOptions, tracedItems, traceLine } from './trace-options.ts';

function options(...values: string[]): TraceOptions {
  const all: TraceOptions = { wanted: [], format: 'text' };
  for (const value of values) parseTrace(value, `-trace ${value}`, all);
  return all;
}

test('names and patterns switch events on and off, in their order', () => {
  const states = statesOf(options('css_*', 'enable=-css_ccw*', 'virtqueue_po?'), new FakeHost(), assert.fail);
  const on = states.events.filter(event => states.has(event)).map(({ name }) => name);
  assert.ok(on.includes('css_io_interrupt') && on.includes('virtqueue_pop'));
  assert.ok(!on.includes('css_ccw') && !on.includes('virtqueue_fill') && !on.includes('css_ccw_end'));
});

test('a name that there is not is a warning, a pattern without events nothing', () => {
  const warnings: string[] = [];
  statesOf(options('nosuch', 'nosuch*'), new FakeHost(), message => warnings.push(message));
  assert.deepEqual(warnings, ["-trace nosuch: warning: trace event 'nosuch' does not exist"]);
  assert.deepEqual(tracedItems('unimp,trace:css_*,trace:virtio_notify'), ['css_*', 'virtio_notify']);
});

test('events can be listed in a file', () => {
  const host = new FakeHost();
  host.files.set('list', '# of interest\n\ncss_crw\n');
  const states = statesOf(options('events=list'), host, assert.fail);
  assert.deepEqual(
    states.events.filter(event => states.has(event)).map(({ name }) => name),
    ['css_crw'],
  );
  assert.throws(() => statesOf(options('events=other'), host, assert.fail), /^Error: other: /);
});

test('other words are refused', () => {
  assert.throws(() => options('foo=1'), new ConfigurationError("Invalid parameter 'foo'"));
  assert.throws(() => options('css_crw,format=xml'), ConfigurationError);
});

test('an event is a line of text or of JSON, and nothing when it is off', () => {
  const states = statesOf(options('css_start'), new FakeHost(), assert.fail);
  const records: TraceRecord[] = [];
  connectTrace(states.shared, record => records.push(record));
  assert.equal(cssTrace.css_halt.on, false);
  assert.equal(cssTrace.css_start.on, true);
  cssTrace.css_start.tell(0xfe, 0, 1, 0x7f00, 1, 0);
  assert.equal(
    traceLine(records[0]!, 'text'),
    'css_start cssid=fe ssid=0 schid=0001 orb_program=00007f00 format=1 key=0\n',
  );
  const { timestamp, ...rest } = JSON.parse(traceLine(records[0]!, 'json'));
  assert.deepEqual(rest, { event: 'css_start', cssid: 254, ssid: 0, schid: 1, orb_program: 32512, format: 1, key: 0 });
  assert.ok(Math.abs(timestamp - Date.now() / 1000) < 3600);
  states.set(cssTrace.css_start, false);
  assert.equal(cssTrace.css_start.on, false);
});
