import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../machine/control.ts';
import { configure } from './configuration.ts';
import { authorizer, objectHelp, parseObject, readCredentials } from './objects.ts';
import { parseOptions } from './options.ts';
import { FakeHost } from './testing.ts';

const refuses = (value: string, message: string) =>
  assert.throws(() => parseObject(value), { constructor: ConfigurationError, message });

test('credentials', () => {
  assert.deepEqual(parseObject('tls-creds-x509,id=tls0,dir=/pki,endpoint=server,verify-peer=off'), {
    id: 'tls0',
    type: 'tls-creds-x509',
    object: {
      kind: 'credentials',
      options: { kind: 'x509', server: true, verifyPeer: false, folder: '/pki', sane: true },
      passwordId: undefined,
    },
  });
  assert.deepEqual(parseObject('tls-creds-psk,id=t,dir=/k').object, {
    kind: 'credentials',
    options: { kind: 'psk', server: false, verifyPeer: true, folder: '/k', identity: 'qemu' },
  });
  assert.deepEqual(
    parseObject('{"qom-type":"tls-creds-anon","id":"t","endpoint":"server","verify-peer":false}').object,
    {
      kind: 'credentials',
      options: { kind: 'anonymous', server: true, verifyPeer: false, folder: undefined },
    },
  );
  refuses('tls-creds-x509,id=t', "Missing 'dir' property value");
  refuses('tls-creds-x509,dir=/x', "Parameter 'id' is missing");
  refuses('tls-creds-x509,id=1,dir=/x', "Parameter 'id' expects an identifier");
  refuses('tls-creds-x509,id=t,dir=/x,foo=1', "Invalid parameter 'foo'");
  refuses(
    'tls-creds-x509,id=t,dir=/x,endpoint=middle',
    "Parameter 'endpoint' does not accept value 'middle' (one of client, server)",
  );
  refuses('toString,id=t', "Parameter 'qom-type' does not accept value 'toString'");
  refuses('{"qom-type":', 'JSON parse error: Unexpected end of JSON input');
});

test('who may connect', () => {
  const rules = 'rules.0.match=CN=a*,rules.0.policy=allow,rules.0.format=glob,rules.1.match=x,rules.1.policy=deny';
  assert.deepEqual(parseObject(`authz-list,id=z,policy=deny,${rules}`).object, {
    kind: 'authorization',
    authorization: {
      kind: 'list',
      policy: 'deny',
      rules: [
        { match: 'CN=a*', policy: 'allow', format: 'glob' },
        { match: 'x', policy: 'deny', format: 'exact' },
      ],
    },
  });
  refuses('authz-list,id=z,rules.0.policy=allow', "Parameter 'rules.0.match' is missing");
  refuses('authz-simple,id=z', "Parameter 'identity' is missing");
});

test('a list in a file counts as it is when somebody connects', () => {
  const host = new FakeHost();
  const policy = (policy: string) => host.files.set('/list', JSON.stringify({ policy, rules: [] }));
  policy('deny');
  const asks = (option: string) =>
    authorizer(host, 'z', parseObject(`authz-list-file,id=z,filename=/list${option}`).object);
  const [fresh, old] = [asks(''), asks(',refresh=off')];
  policy('allow');
  assert.deepEqual([fresh('CN=a'), old('CN=a')], [true, false]);
  host.files.delete('/list');
  assert.equal(fresh('CN=a'), false);
  assert.equal(host.complaints, 'lpar: z: /list: No such file or directory\n');
});

test('credentials are read with the password of their key', () => {
  const host = new FakeHost();
  for (const name of ['ca-cert', 'client-cert', 'client-key']) host.files.set(`/pki/${name}.pem`, name);
  const all = ['secret,id=s,data=c2VzYW1l,format=base64', 'tls-creds-x509,id=t,dir=/pki,passwordid=s'].map(text => ({
    ...parseObject(text),
    text,
  }));
  const object = all[1]!.object;
  assert.equal(object.kind, 'credentials');
  const credentials = readCredentials(host, all, object as typeof object & { kind: 'credentials' });
  assert.equal(credentials.kind, 'x509');
  assert.equal(credentials.kind === 'x509' && credentials.own?.password, 'sesame');
  assert.throws(() => readCredentials(host, [], object as typeof object & { kind: 'credentials' }), {
    message: "No secret with id 's'",
  });
});

test('sockets name objects', () => {
  const from = (line: string) => configure(parseOptions(line.split(' ')));
  const socket = '-chardev socket,id=c,host=h,port=1,server=on,wait=off';
  const object = '-object tls-creds-anon,id=t,endpoint=server -object authz-simple,id=z,identity=x';
  const { chardevs } = from(`${object} ${socket},tls-creds=t,tls-authz=z`);
  assert.deepEqual(chardevs[0]!.backend.kind === 'socket' && chardevs[0]!.backend.tls, {
    credentials: 't',
    authorization: 'z',
  });
  const wrong = (line: string, message: RegExp) => assert.throws(() => from(line), { message });
  wrong(`${socket},tls-creds=t`, /: No TLS credentials with id 't'$/);
  wrong(`${object} ${socket},tls-creds=z`, /: Object with id 'z' is not TLS credentials$/);
  wrong(`${object} ${socket},tls-authz=z`, /: 'tls_authz' option requires 'tls_creds' option$/);
  wrong(`${object} ${socket},tls-creds=t,tls-authz=t`, /: Object with id 't' is not an authorization object$/);
  wrong(
    `${object} -chardev socket,id=c,host=h,port=1,tls-creds=t`,
    /: Expected TLS credentials for a client endpoint$/,
  );
  wrong(`${object} -chardev socket,id=c,path=/s,server=on,tls-creds=t`, /'tls_creds' .* 'unix' address type$/);
  wrong(`${object} ${object}`, /attempt to add duplicate property 't'/);
});

test('the help lists kinds and their properties', () => {
  assert.match(objectHelp(), / {2}tls-creds-x509\n/);
  assert.equal(
    objectHelp('tls-creds-psk'),
    'tls-creds-psk options:\n  dir=<string>\n  endpoint=<client|server>\n  priority=<string>\n  username=<string>\n  verify-peer=<bool>\n',
  );
});
