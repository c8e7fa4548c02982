import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allows, type Rule } from './authorization.ts';

const list = (...rules: Rule[]) => ({ kind: 'list', policy: 'deny', rules }) as const;
const glob = (match: string) => list({ match, policy: 'allow', format: 'glob' });

test('one identity', () => {
  const one = { kind: 'simple', identity: 'CN=a' } as const;
  assert.ok(allows(one, 'CN=a'));
  assert.ok(!allows(one, 'CN=ab'));
});

test('the first rule that matches counts, else the policy', () => {
  const rules = list(
    { match: 'CN=bad', policy: 'deny', format: 'exact' },
    { match: 'CN=*', policy: 'allow', format: 'glob' },
  );
  assert.deepEqual(
    ['CN=bad', 'CN=good', 'O=else'].map(identity => allows(rules, identity)),
    [false, true, false],
  );
  assert.ok(allows({ kind: 'list', policy: 'allow', rules: [] }, 'anybody'));
  assert.ok(!allows(list({ match: 'CN=*', policy: 'allow', format: 'exact' }), 'CN=x'));
});

test('patterns', () => {
  const matches = (pattern: string, text: string) => allows(glob(pattern), text);
  for (const [pattern, text] of [
    ['*', ''],
    ['C=DE,*,CN=?lient', 'C=DE,O=Example\\, Inc.,CN=client'],
    ['[a-c]x[!a-c]', 'bxd'],
    ['[]]', ']'],
    ['\\*', '*'],
    ['**a', 'bca'],
    ['*ab*ab', 'abaab'],
  ] as const) {
    assert.ok(matches(pattern, text), `${pattern} ${text}`);
  }
  for (const [pattern, text] of [
    ['', 'a'],
    ['a?', 'a'],
    ['[a-c]', 'd'],
    ['[!a]', 'a'],
    ['\\*', 'x'],
    ['a*b', 'abc'],
  ] as const) {
    assert.ok(!matches(pattern, text), `${pattern} ${text}`);
  }
  // Does not take time that grows without bound.
  assert.ok(!matches('*a'.repeat(30), `${'a'.repeat(2000)}b`));
});
