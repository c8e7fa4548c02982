/**
 * What `-object` makes: credentials for TLS, who may connect, and secrets. Objects name each other by their identifiers;
 * files are read when lpar starts, the list of `authz-list-file` whenever somebody connects.
 */

import { type Authorization, allows, type Policy, type Rule } from '../chardev/authorization.ts';
import { type CredentialsOptions, loadCredentials } from '../chardev/tls-credentials.ts';
import { ConfigurationError } from '../machine/control.ts';
import { type Host, HostError } from '../platform/host.ts';
import type { TlsCredentials } from '../platform/tls.ts';
import { allowOnly, checkIdentifier, parseList, parseSwitch, parseWord } from './values.ts';

type Values = ReadonlyMap<string, string>;

/** Of a secret. */
type Content = { readonly format: 'raw' | 'base64' } & ({ readonly data: string } | { readonly file: string });

export type UserObject =
  | { readonly kind: 'secret'; readonly content: Content }
  /** Credentials without the password, which is a secret. */
  | { readonly kind: 'credentials'; readonly options: CredentialsOptions; readonly passwordId?: string }
  | { readonly kind: 'authorization'; readonly authorization: Authorization }
  /** A source of random numbers. */
  | { readonly kind: 'entropy'; readonly path: string | undefined }
  | { readonly kind: 'authorization-file'; readonly path: string; readonly refresh: boolean };

export interface NamedObject {
  readonly id: string;
  /** The name of its kind. */
  readonly type: string;
  readonly object: UserObject;
  /** The option that it comes from, for messages. */
  readonly text: string;
}

const credentialProperties = {
  endpoint: '<client|server>',
  dir: '<string>',
  'verify-peer': '<bool>',
  priority: '<string>',
};

interface Kind {
  readonly properties: Readonly<Record<string, string>>;
  readonly make: (values: Values) => UserObject;
}

const kinds: Readonly<Record<string, Kind>> = {
  'authz-list': {
    properties: { policy: '<allow|deny>', rules: '<list>' },
    make: values => ({
      kind: 'authorization',
      authorization: { kind: 'list', policy: policyOf(values.get('policy')), rules: rulesOf(values) },
    }),
  },
  'authz-list-file': {
    properties: { filename: '<string>', refresh: '<bool>' },
    make: values => ({
      kind: 'authorization-file',
      path: needed(values, 'filename'),
      refresh: switchOf(values, 'refresh', true),
    }),
  },
  'authz-simple': {
    properties: { identity: '<string>' },
    make: values => ({
      kind: 'authorization',
      authorization: { kind: 'simple', identity: needed(values, 'identity') },
    }),
  },
  'rng-builtin': { properties: {}, make: () => ({ kind: 'entropy', path: undefined }) },
  'rng-random': {
    properties: { filename: '<string>' },
    make: values => ({ kind: 'entropy', path: values.get('filename') ?? '/dev/urandom' }),
  },
  secret: {
    properties: { data: '<string>', file: '<string>', format: '<raw|base64>' },
    make: values => ({ kind: 'secret', content: contentOf(values) }),
  },
  'tls-creds-anon': {
    properties: credentialProperties,
    make: values => ({
      kind: 'credentials',
      options: { kind: 'anonymous', ...endpointOf(values), folder: values.get('dir') },
    }),
  },
  'tls-creds-psk': {
    properties: { ...credentialProperties, username: '<string>' },
    make: values => ({
      kind: 'credentials',
      options: {
        kind: 'psk',
        ...endpointOf(values),
        folder: folderOf(values),
        identity: values.get('username') ?? 'qemu',
      },
    }),
  },
  'tls-creds-x509': {
    properties: { ...credentialProperties, passwordid: '<string>', 'sanity-check': '<bool>' },
    make: values => ({
      kind: 'credentials',
      options: {
        kind: 'x509',
        ...endpointOf(values),
        folder: folderOf(values),
        sane: switchOf(values, 'sanity-check', true),
      },
      passwordId: values.get('passwordid'),
    }),
  },
};

/** The names of all kinds. */
export const objectTypes = Object.keys(kinds);

/** The answer to `-object help` and `-object NAME,help`. @throws ConfigurationError */
export function objectHelp(name?: string): string {
  if (name === undefined) {
    return `List of user creatable objects:\n${Object.keys(kinds)
      .map(kind => `  ${kind}\n`)
      .join('')}`;
  }
  const properties = Object.entries(kindOf(name).properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name} options:\n${properties.map(([property, what]) => `  ${property}=${what}\n`).join('')}`;
}

/** The value of `-object`: `NAME,id=ID,PROPERTY=VALUE...`, or the same as JSON. @throws ConfigurationError */
export function parseObject(value: string): Omit<NamedObject, 'text'> {
  const values = value.startsWith('{') ? flat(value) : parseList(value, 'qom-type');
  const type = values.get('qom-type');
  if (!type) throw new ConfigurationError("Parameter 'qom-type' is missing");
  const { properties, make } = kindOf(type);
  const id = values.get('id');
  if (!id) throw new ConfigurationError("Parameter 'id' is missing");
  checkIdentifier(id);
  const indexed = [...values.keys()].filter(key => /^rules\.\d+\.(match|policy|format)$/.test(key));
  allowOnly(values, ['qom-type', 'id', ...Object.keys(properties), ...('rules' in properties ? indexed : [])]);
  return { id, type, object: make(values) };
}

function kindOf(name: string): Kind {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (!kind) throw new ConfigurationError(`Parameter 'qom-type' does not accept value '${name}'`);
  return kind;
}

/** Members of JSON objects with the names of their containers before them: `rules.0.match`. */
function flat(json: string): Map<string, string> {
  const values = new Map<string, string>();
  const add = (prefix: string, value: unknown): void => {
    if (typeof value === 'boolean') values.set(prefix, value ? 'on' : 'off');
    else if (typeof value !== 'object') values.set(prefix, String(value));
    else for (const [key, item] of Object.entries(value ?? {})) add(prefix === '' ? key : `${prefix}.${key}`, item);
  };
  add('', parseJson(json));
  return values;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new ConfigurationError(`JSON parse error: ${(error as Error).message}`);
  }
}

const switchOf = (values: Values, key: string, otherwise: boolean): boolean => {
  const value = values.get(key);
  return value === undefined ? otherwise : parseSwitch(value, key);
};

function needed(values: Values, key: string): string {
  const value = values.get(key);
  if (!value) throw new ConfigurationError(`Parameter '${key}' is missing`);
  return value;
}

function endpointOf(values: Values): { server: boolean; verifyPeer: boolean } {
  const priority = values.get('priority');
  if (priority !== undefined && priority !== 'NORMAL') {
    throw new ConfigurationError(
      `Unable to set TLS session priority ${priority}: only NORMAL is possible, cipher suites are those of OpenSSL`,
    );
  }
  return {
    server: parseWord(values.get('endpoint') ?? 'client', 'endpoint', ['client', 'server']) === 'server',
    verifyPeer: switchOf(values, 'verify-peer', true),
  };
}

function folderOf(values: Values): string {
  const folder = values.get('dir');
  if (!folder) throw new ConfigurationError("Missing 'dir' property value");
  return folder;
}

function contentOf(values: Values): Content {
  const data = values.get('data');
  const file = values.get('file');
  const format = parseWord(values.get('format') ?? 'raw', 'format', ['raw', 'base64']);
  if (data !== undefined && file !== undefined) {
    throw new ConfigurationError("'file' and 'data' are mutually exclusive");
  }
  if (data !== undefined) return { data, format };
  if (file === undefined) throw new ConfigurationError("Must provide 'file' or 'data'");
  return { file, format };
}

const policyOf = (value: string | undefined): Policy => parseWord(value ?? 'deny', 'policy', ['allow', 'deny']);

/** `rules.0.match=TEXT,rules.0.policy=allow`, and so on. */
function rulesOf(values: Values): Rule[] {
  const rules: Rule[] = [];
  const numbers = [...values.keys()].flatMap(key => /^rules\.(\d+)\./.exec(key)?.[1] ?? []);
  const count = new Set(numbers).size;
  for (let n = 0; n < count; n++) {
    const get = (key: string) => values.get(`rules.${n}.${key}`);
    const match = get('match');
    if (match === undefined) throw new ConfigurationError(`Parameter 'rules.${n}.match' is missing`);
    if (get('policy') === undefined) throw new ConfigurationError(`Parameter 'rules.${n}.policy' is missing`);
    rules.push({
      match,
      policy: policyOf(get('policy')),
      format: parseWord(get('format') ?? 'exact', 'format', ['exact', 'glob']),
    });
  }
  return rules;
}

// What objects are when everything is there

/** Finds an object of a kind. @throws ConfigurationError */
export function findCredentials(objects: readonly NamedObject[], id: string, server: boolean): CredentialsOptions {
  const object = objects.find(one => one.id === id)?.object;
  if (!object) throw new ConfigurationError(`No TLS credentials with id '${id}'`);
  if (object.kind !== 'credentials') throw new ConfigurationError(`Object with id '${id}' is not TLS credentials`);
  if (object.options.server !== server) {
    throw new ConfigurationError(`Expected TLS credentials for a ${server ? 'server' : 'client'} endpoint`);
  }
  return object.options;
}

/** @throws ConfigurationError */
export function findAuthorization(objects: readonly NamedObject[], id: string): UserObject {
  const object = objects.find(one => one.id === id)?.object;
  if (!object) throw new ConfigurationError(`No authorization object with id '${id}'`);
  if (object.kind === 'authorization' || object.kind === 'authorization-file') return object;
  throw new ConfigurationError(`Object with id '${id}' is not an authorization object`);
}

/** Reads the files. @throws ConfigurationError @throws HostError */
export function readCredentials(
  host: Host,
  objects: readonly NamedObject[],
  object: UserObject & { kind: 'credentials' },
): TlsCredentials {
  const { options, passwordId } = object;
  if (options.kind !== 'x509' || passwordId === undefined) return loadCredentials(host, options);
  const secret = objects.find(one => one.id === passwordId)?.object;
  if (secret?.kind !== 'secret') throw new ConfigurationError(`No secret with id '${passwordId}'`);
  return loadCredentials(host, { ...options, password: secretText(host, secret.content) });
}

function secretText(host: Host, content: Content): string {
  let text = 'data' in content ? content.data : new TextDecoder().decode(host.readFile(content.file));
  if (content.format === 'base64') {
    try {
      text = atob(text.trim());
    } catch {
      throw new ConfigurationError(`Base64 data '${text.trim()}' is not valid`);
    }
  }
  return text;
}

/** Whether somebody may connect. What cannot be read lets nobody in, with a complaint. */
export function authorizer(host: Host, id: string, object: UserObject): (identity: string) => boolean {
  if (object.kind === 'authorization') return identity => allows(object.authorization, identity);
  if (object.kind !== 'authorization-file') return () => false;
  const { path, refresh } = object;
  const load = (): Authorization => {
    const text = new TextDecoder().decode(host.readFile(path));
    const values = flat(text);
    return { kind: 'list', policy: policyOf(values.get('policy')), rules: rulesOf(values) };
  };
  const first = load();
  return identity => {
    try {
      return allows(refresh ? load() : first, identity);
    } catch (error) {
      if (!(error instanceof HostError || error instanceof ConfigurationError)) throw error;
      host.complain(`lpar: ${id}: ${path}: ${error.message}\n`);
      return false;
    }
  };
}
