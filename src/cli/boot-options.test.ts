import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../machine/control.ts';
import { checkBoot } from './boot-options.ts';

test('-boot', () => {
  for (const accepted of ['c', 'order=cdn,strict=on', 'order=', 'menu=off,splash=/x,splash-time=5,reboot-timeout=-1']) {
    assert.equal(checkBoot(accepted), undefined, accepted);
  }
  assert.match(checkBoot('menu=on')!, /^boot menu requires a bootindex/);
  const refuses = (value: string, message: string) =>
    assert.throws(() => checkBoot(value), { constructor: ConfigurationError, message });
  refuses('order=cz', "Invalid boot device 'z'");
  refuses('cc', "Boot device 'c' was given twice");
  refuses('foo=1', "Parameter 'boot.foo' is unexpected");
  refuses('strict=maybe', "Parameter 'boot.strict' expects 'on' or 'off'");
  refuses('splash-time=x', "Parameter 'boot.splash-time' expects integer");
  refuses('once=n', 'no function defined to set boot device list for this architecture');
});
