import type { LifecycleRule } from '@aws-sdk/client-s3';

export type { LifecycleRule };

/**
 * A rule by which the storage forgets multipart uploads that nobody ended.
 *
 * @param prefix of their keys
 * @param days after their begin, 1 or more
 */
export function abortRule(prefix: string, days: number): LifecycleRule {
  return {
    ID: `abort-uploads-of-${prefix}`,
    Status: 'Enabled',
    Filter: { Prefix: prefix },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: days },
  };
}

/**
 * The rules with one more, or in place of the one with its ID; the others stay as they are.
 *
 * @returns the very same list when uploads below this prefix are forgotten as soon already
 */
export function withAbortRule(
  rules: readonly LifecycleRule[],
  prefix: string,
  days: number,
): readonly LifecycleRule[] {
  const ours = abortRule(prefix, days);
  const others = rules.filter(({ ID }) => ID !== ours.ID);
  const there = rules.find(({ ID }) => ID === ours.ID);
  if (there ? sameRule(there, ours) : others.some((rule) => abortsAll(rule, prefix, days))) return rules;
  return [...others, ours];
}

function abortsAll(rule: LifecycleRule, prefix: string, days: number): boolean {
  const after = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? Infinity;
  const bounds = [...flat(rule).keys()].filter((path) => path.startsWith('Filter.'));
  return (
    rule.Status === 'Enabled' &&
    after <= days &&
    prefix.startsWith(prefixOf(rule)) &&
    bounds.every((path) => path === 'Filter.Prefix')
  );
}

/** Of the keys that a rule is about; empty: of all. */
export const prefixOf = (rule: LifecycleRule): string => flat(rule).get('Filter.Prefix') ?? '';

/** Whether a rule touches objects, not only uploads that never became one. */
export const touchesObjects = (rule: LifecycleRule): boolean =>
  [...flat(rule).keys()].some((path) => !/^(Filter\.|Status$|AbortIncompleteMultipartUpload\.)/.test(path));

const sameRule = (one: LifecycleRule, other: LifecycleRule): boolean =>
  differencesOf(one, other).length === 0;

/**
 * A rule in the form in which it can be written: RADOS Gateway shows conditions beside each other that belong into `And`,
 * and would drop one of them if they came back that way; a rule for a folder would then be one for the whole bucket.
 */
export function writable(rule: LifecycleRule): LifecycleRule {
  const { And, Tag, ...beside } = rule.Filter ?? {};
  const alone = Object.keys(beside).length + (Tag ? 1 : 0);
  if (alone + (And ? 1 : 0) < 2) return rule;
  const tags = [...(Tag ? [Tag] : []), ...(And?.Tags ?? [])];
  return { ...rule, Filter: { And: { ...beside, ...And, ...(tags.length > 0 ? { Tags: tags } : {}) } } };
}

/** @returns what the storage made of the rules, in words; nothing when they mean what was written */
export function compareRules(written: readonly LifecycleRule[], kept: readonly LifecycleRule[]): string[] {
  const left = [...kept];
  const take = (wanted: LifecycleRule): LifecycleRule | undefined => {
    const at = left.findIndex((rule) => (wanted.ID ? rule.ID === wanted.ID : sameRule(wanted, rule)));
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
  const faults = written.flatMap((rule) => {
    const name = `rule ${rule.ID ?? `for ${prefixOf(rule) || 'all'}`}`;
    const there = take(rule);
    return there ? differencesOf(rule, there).map((text) => `${name}: ${text}`) : [`${name} is not there`];
  });
  return [...faults, ...left.map(({ ID }) => `rule ${ID ?? 'without a name'} was added`)];
}

function differencesOf(written: LifecycleRule, kept: LifecycleRule): string[] {
  const [before, after] = [flat(written), flat(kept)];
  return [
    ...[...before].flatMap(([path, value]) => {
      const now = after.get(path);
      if (now === value) return [];
      return [now === undefined ? `${path} was dropped` : `${path} is ${now} instead of ${value}`];
    }),
    ...[...after.keys()].filter((path) => !before.has(path)).map((path) => `${path} was added`),
  ];
}

/** What a rule says, by path: the protocol has several ways to say the same. */
function flat(rule: LifecycleRule): ReadonlyMap<string, string> {
  const { ID: _name, Prefix, Filter = {}, ...rest } = rule;
  const { And = {}, Tag, ...plain } = Filter;
  const { Tags = [], ...bounds } = And;
  const tags = [...(Tag ? [Tag] : []), ...Tags].map(({ Key, Value }) => [`Tag ${Key ?? ''}`, Value] as const);
  const filter = { Prefix, ...plain, ...bounds, ...Object.fromEntries(tags) };
  return new Map(
    leaves({ ...rest, Filter: filter }, '').filter(([, value]) => value !== '' && value !== 'false'),
  );
}

function leaves(value: unknown, path: string): [string, string][] {
  if (value === undefined || value === null) return [];
  if (value instanceof Date) return [[path, value.toISOString()]];
  if (isPlain(value)) return [[path, String(value)]];
  return Object.entries(value).flatMap(([name, inner]) =>
    leaves(inner, path === '' ? name : `${path}.${name}`),
  );
}

const isPlain = (value: unknown): value is string | number | boolean => typeof value !== 'object';
