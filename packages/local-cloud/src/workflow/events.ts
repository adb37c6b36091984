import { nearest, UserError } from '@perlstack/stack';
import { assertKeys, isMap, listAt, mapAt, type Tree, type TreeMap, unsupported, wordOf } from './tree.js';

/** What starts a run: an event by name, with its payload where it has one. */
export interface Trigger {
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The inputs as expressions see them: of their own types. */
  readonly inputs: Readonly<Record<string, string | boolean | number>>;
}

export interface Request {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, string | boolean | number>>;
  /** `refs/heads/main` */
  readonly ref: string;
  /** The files that a pull request changes; asked for only where the workflow filters by paths. */
  readonly changedFiles?: () => readonly string[];
}

/**
 * Whether and with what a workflow is started by an event.
 *
 * @throws UserError when the workflow does not listen to it, or an input is wrong
 */
export function triggerOf(workflow: TreeMap, request: Request): Trigger {
  const events = eventsOf(workflow);
  const config = events[request.event];
  if (config === undefined) {
    throw new UserError(
      `the workflow is not started by ${request.event}; it has: ${Object.keys(events).join(', ')}`,
    );
  }
  const details = isMap(config) ? config : {};
  if (request.event === 'push') assertPushed(details, request.ref);
  else if (isPullRequest(request.event)) assertPulled(details, request);
  else if (
    request.event !== 'workflow_dispatch' &&
    request.event !== 'workflow_call' &&
    request.event !== 'schedule'
  ) {
    assertKeys(details, [], `on.${request.event}`);
  }
  const inputs = inputsOf(mapAt(details, 'inputs'), request.inputs, `on.${request.event}`);
  return { name: request.event, payload: payloadOf(request, config ?? null, inputs), inputs };
}

function eventsOf(workflow: TreeMap): TreeMap {
  const on = workflow['on'] ?? null;
  if (isMap(on)) return on;
  return Object.fromEntries(listAt(workflow, 'on').map((name) => [wordOf(name), null]));
}

function payloadOf(
  { event, payload, ref }: Request,
  config: Tree,
  inputs: Trigger['inputs'],
): Trigger['payload'] {
  if (event === 'workflow_dispatch') {
    const texts = Object.entries(inputs).map(([name, value]) => [name, String(value)]);
    return { ref, inputs: Object.fromEntries(texts), ...payload };
  }
  if (event === 'push') return { ref, ...payload };
  if (event !== 'schedule') return payload;
  const [first] = Array.isArray(config) ? (config as readonly Tree[]) : [];
  return { schedule: isMap(first) ? first['cron'] : undefined, ...payload };
}

function assertPushed(config: TreeMap, ref: string): void {
  assertKeys(config, ['branches', 'branches-ignore', 'tags', 'tags-ignore'], 'on.push');
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/.exec(ref) ?? [];
  if (!kind || !name)
    throw new UserError(`"${ref}" is no ref of a push; write refs/heads/NAME or refs/tags/NAME`);
  const [own, other] = kind === 'heads' ? ['branches', 'tags'] : ['tags', 'branches'];
  const filtered = own in config || `${own}-ignore` in config;
  // A filter for tags alone keeps branches out, and the reverse.
  const listens = filtered || !(other in config || `${other}-ignore` in config);
  const wanted = own in config ? passes(patterns(config, own), name) : true;
  if (!listens || !wanted || passes(patterns(config, `${own}-ignore`), name)) {
    throw new UserError(`the workflow is not started by a push to ${ref}: see its on.push`);
  }
}

/** Both carry the pull request; the second runs in the name of its base. */
function isPullRequest(event: string): boolean {
  return event === 'pull_request' || event === 'pull_request_target';
}

/** The activities that start a workflow which names none. */
const ACTIVITIES = ['opened', 'synchronize', 'reopened'];

function assertPulled(config: TreeMap, { event, payload, changedFiles = () => [] }: Request): void {
  assertKeys(config, ['types', 'branches', 'branches-ignore', 'paths', 'paths-ignore'], `on.${event}`);
  const pull = pullRequestIn(payload);
  if (!pull) throw new UserError(`${event} needs a payload with action and pull_request (base, head)`);
  const types = 'types' in config ? patterns(config, 'types') : ACTIVITIES;
  const action = String(payload['action']);
  if (!types.includes(action)) throw notStarted(`${event} ${action}`, event);
  if (!admits(config, 'branches', [pull.base.ref]))
    throw notStarted(`a pull request to ${pull.base.ref}`, event);
  const byPath = 'paths' in config || 'paths-ignore' in config;
  if (byPath && !admits(config, 'paths', changedFiles()))
    throw notStarted('a pull request that changes only such files', event);
}

function notStarted(what: string, event: string): UserError {
  return new UserError(`the workflow is not started by ${what}: see its on.${event}`);
}

/** Whether a filter and its `-ignore` let one of these names through. */
function admits(config: TreeMap, key: 'branches' | 'paths', names: readonly string[]): boolean {
  return names.some(
    (name) =>
      (!(key in config) || passes(patterns(config, key), name)) &&
      !passes(patterns(config, `${key}-ignore`), name),
  );
}

/** The parts of a payload's pull request that decide something here. */
export interface PullRequestPart {
  readonly number: number;
  readonly base: {
    readonly ref: string;
    readonly sha: string;
    readonly repo: { readonly full_name: string };
  };
  /** The repository is `null` when it was deleted. */
  readonly head: {
    readonly ref: string;
    readonly sha: string;
    readonly repo: { readonly full_name: string } | null;
  };
}

/** The pull request of an event, where it is one of a pull request. */
export function pullRequestIn(payload: Readonly<Record<string, unknown>>): PullRequestPart | undefined {
  return payload['pull_request'] as PullRequestPart | undefined;
}

/** A pull request of somebody who may not write: it gets no secrets, and a token that only reads. */
export function isFromFork(event: string, payload: Readonly<Record<string, unknown>>): boolean {
  const pull = event === 'pull_request' ? pullRequestIn(payload) : undefined;
  return pull !== undefined && pull.head.repo?.full_name !== pull.base.repo.full_name;
}

function patterns(config: TreeMap, key: string): string[] {
  return listAt(config, key).map((pattern) => wordOf(pattern));
}

/** GitHub's filter patterns: the last one that fits decides, `!` takes out. */
function passes(filters: readonly string[], name: string): boolean {
  const decisive = filters.findLast((filter) => pattern(filter.replace(/^!/, '')).test(name));
  return decisive !== undefined && !decisive.startsWith('!');
}

function pattern(filter: string): RegExp {
  const source = filter.replace(/\*\*|\*|[.^$(){}|\\/]/g, (found) => {
    if (found === '**') return '.*';
    return found === '*' ? '[^/]*' : `\\${found}`;
  });
  return new RegExp(`^${source}$`);
}

/**
 * The inputs of a dispatch or a call: given, or the default, of the declared type.
 *
 * @throws UserError for one that is unknown, missing or of the wrong type
 */
export function inputsOf(declared: TreeMap, given: Request['inputs'], path: string): Trigger['inputs'] {
  const unknown = Object.keys(given).find((name) => !(name in declared));
  if (unknown !== undefined) {
    const [likely] = nearest(unknown, Object.keys(declared));
    throw new UserError(`${path}: unknown input "${unknown}"${likely ? `; did you mean "${likely}"?` : ''}`);
  }
  const entries = Object.keys(declared).map((name) => {
    const input = mapAt(declared, name);
    const value = given[name] ?? input['default'];
    return [
      name,
      typed(input, value as string | boolean | number | undefined, `${path}.inputs.${name}`),
    ] as const;
  });
  return Object.fromEntries(entries);
}

function typed(
  input: TreeMap,
  value: string | boolean | number | undefined,
  path: string,
): string | boolean | number {
  const type = wordOf(input['type'] ?? 'string');
  if (value === undefined || value === '') {
    if (input['required'] === true) throw new UserError(`${path} is required`);
    return type === 'boolean' ? false : '';
  }
  switch (type) {
    case 'boolean':
      if (!/^(true|false)$/.test(String(value)))
        throw new UserError(`${path}: "${value}" is neither true nor false`);
      return String(value) === 'true';
    case 'number':
      if (Number.isNaN(Number(value))) throw new UserError(`${path}: "${value}" is no number`);
      return Number(value);
    case 'choice': {
      const options = listAt(input, 'options').map((option) => wordOf(option));
      if (!options.includes(String(value)))
        throw new UserError(`${path}: "${value}" is not one of ${options.join(', ')}`);
      return String(value);
    }
    case 'string':
    case 'environment':
      return String(value);
    default:
      throw unsupported(`${path}.type ${type}`);
  }
}
