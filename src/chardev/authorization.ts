/** Who may connect: the objects `authz-simple`, `authz-list` and `authz-list-file`. */

export type Authorization =
  | { readonly kind: 'simple'; readonly identity: string }
  | { readonly kind: 'list'; readonly policy: Policy; readonly rules: readonly Rule[] };

export type Policy = 'allow' | 'deny';

export interface Rule {
  readonly match: string;
  readonly policy: Policy;
  /** Compared as it is, or as a pattern of the shell's. */
  readonly format: 'exact' | 'glob';
}

export function allows(authorization: Authorization, identity: string): boolean {
  if (authorization.kind === 'simple') return identity === authorization.identity;
  const rule = authorization.rules.find(({ match, format }) =>
    format === 'exact' ? match === identity : globMatches(match, identity),
  );
  return (rule?.policy ?? authorization.policy) === 'allow';
}

/** `*`, `?` and `[...]`, and characters behind a backslash as they are; without backtracking into earlier stars. */
function globMatches(pattern: string, text: string): boolean {
  const parts = [...pattern.matchAll(/\\(.)|(\*)|(\?)|\[(!?)(\]?[^\]]*)\]|(.)/gs)];
  let part = 0;
  let at = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    const [, escaped, any, one, negated, set, plain] = parts[part] ?? [];
    if (any) {
      star = part++;
      retry = at;
      continue;
    }
    const character = text[at]!;
    const fits =
      part < parts.length &&
      (one !== undefined ||
        (set !== undefined ? inSet(set, character) === (negated === '') : (escaped ?? plain) === character));
    if (fits) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++retry;
    } else return false;
  }
  while (parts[part]?.[2]) part++;
  return part === parts.length;
}

function inSet(set: string, character: string): boolean {
  for (let n = 0; n < set.length; n++) {
    const [from, dash, to] = set.slice(n, n + 3);
    if (dash === '-' && to !== undefined) {
      if (character >= from! && character <= to) return true;
      n += 2;
    } else if (character === from) return true;
  }
  return false;
}
