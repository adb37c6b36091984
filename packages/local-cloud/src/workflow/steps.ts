import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '@perlstack/stack';
import {
  type Action,
  type CompositeAction,
  inputVariable,
  loadAction,
  type NodeAction,
  resolveUses,
  type Used,
} from './actions.js';
import { type Attempt, attempt, type Done, type Tools } from './attempt.js';
import { runBuiltIn } from './built-in.js';
import { type Scope, textOf, textsOf } from './expressions.js';
import { invoke } from './invoke.js';
import { type Frame, type JobState, scopeOf } from './state.js';
import type { StepLog } from './step-log.js';
import { assertSteps } from './support.js';
import { mapAt, type TreeMap, unsupported, wordOf } from './tree.js';

/** What an action's pre, main and post share. */
type ActionState = Record<string, string>;
/** The state of the actions whose pre has run, by their step. */
export type Prepared = Map<TreeMap, ActionState>;

/** Runs the steps of a job or a composite action in their order. */
export async function runSteps(
  frame: Frame,
  specs: readonly TreeMap[],
  prepared: Prepared,
  shared?: StepLog,
): Promise<string> {
  let summary = '';
  for (const [index, spec] of specs.entries()) {
    const id = wordOf(spec['id']) || `__${index + 1}`;
    const step = await attempt(frame, attemptOf(frame, spec, id, prepared), shared);
    frame.steps[id] = { outputs: step.outputs, outcome: step.outcome, conclusion: step.conclusion };
    summary += step.summary;
    if (!shared) frame.job.results.push(step);
  }
  return summary;
}

/** Runs the pre of every action that has one, before the first step. */
export async function runPres(root: Frame, specs: readonly TreeMap[], prepared: Prepared): Promise<void> {
  for (const [index, spec] of specs.entries()) {
    const used = spec['uses'] === undefined ? undefined : usedBy(root.job, wordOf(spec['uses']));
    if (used?.kind !== 'folder' || used.local) continue;
    const action = await loadAction(used.folder, wordOf(spec['uses']));
    if (action.runs.kind !== 'node' || !action.runs.pre) continue;
    const state: ActionState = {};
    prepared.set(spec, state);
    const id = wordOf(spec['id']) || `__${index + 1}`;
    const script = { action, node: action.runs, used, spec, id, state };
    root.job.results.push(await attempt(root, scriptAttempt(root, script, 'pre', action.runs.pre)));
  }
}

function attemptOf(frame: Frame, spec: TreeMap, id: string, prepared: Prepared): Attempt {
  return {
    id,
    name: nameOf(spec, frame),
    phase: 'main',
    condition: spec['if'],
    env: () => textsOf(mapAt(spec, 'env'), scopeOf(frame)),
    continueOnError: (scope) => textOf(spec['continue-on-error'] ?? false, scope) === 'true',
    timeoutMinutes: (scope) => minutesOf(spec, scope),
    work: (tools) =>
      'run' in spec ? runScript(frame, spec, tools) : runUses(frame, spec, id, tools, prepared),
  };
}

/** A step's name; one whose expressions can't be evaluated yet is shown as it stands. */
function nameOf(spec: TreeMap, frame: Frame): string {
  try {
    const scope = scopeOf(frame);
    if (spec['name'] !== undefined) return textOf(spec['name'], scope);
    const what =
      spec['run'] === undefined ? wordOf(spec['uses']) : textOf(spec['run'], scope).trim().split('\n')[0];
    return frame.job.file.run.masker.mask(`Run ${what}`);
  } catch {
    return 'Run';
  }
}

export function minutesOf(spec: TreeMap, scope: Scope): number | undefined {
  const limit = spec['timeout-minutes'];
  return limit === undefined ? undefined : Number(textOf(limit, scope));
}

const SHELLS: Readonly<Record<string, string>> = {
  '': 'bash -e {0}',
  bash: 'bash --noprofile --norc -eo pipefail {0}',
  sh: 'sh -e {0}',
  python: 'python3 {0}',
};

async function runScript(frame: Frame, spec: TreeMap, { log, cancel, env, scope }: Tools): Promise<Done> {
  const { job } = frame;
  const defaults = frame.actionPath ? {} : mapAt(job.defaults, 'run');
  const shell = wordOf(spec['shell'] ?? defaults['shell']);
  if (frame.actionPath && !shell) throw new UserError('a run step of a composite action needs a shell');
  const script = textOf(spec['run'] ?? '', scope);
  const file = join(job.temp, `${randomUUID()}.sh`);
  writeFileSync(file, `${script}\n`, { mode: 0o700 });
  log.print(`##[group]Run ${script.trim().split('\n')[0]}\n${script.trimEnd()}\n##[endgroup]`);
  const folder = textOf(spec['working-directory'] ?? defaults['working-directory'] ?? '.', scope);
  const cwd = resolve(job.workspace, folder);
  const { code, outputs, summary } = await invoke(frame, {
    argv: shellArgv(shell, file),
    cwd,
    env,
    log,
    cancel,
  });
  if (code !== 0 && !cancel.aborted) log.annotate('error', `Process completed with exit code ${code}.`);
  return { succeeded: code === 0, outputs, summary };
}

function shellArgv(shell: string, file: string): string[] {
  const template = SHELLS[shell] ?? shell;
  if (!template.includes('{0}')) throw unsupported(`shell: ${shell}`);
  return template.split(' ').map((word) => word.replace('{0}', file));
}

function usedBy(job: JobState, uses: string): Used {
  const { repository, actions } = job.file.run;
  return resolveUses(uses, { workspace: job.workspace, repository, actions });
}

async function runUses(
  frame: Frame,
  spec: TreeMap,
  id: string,
  tools: Tools,
  prepared: Prepared,
): Promise<Done> {
  const uses = wordOf(spec['uses']);
  const used = usedBy(frame.job, uses);
  tools.log.print(`##[group]Run ${uses}\n##[endgroup]`);
  if (used.kind === 'built-in') {
    return runBuiltIn(used.name, textsOf(mapAt(spec, 'with'), tools.scope), frame.job, tools.log);
  }
  const action = await loadAction(used.folder, uses);
  if (action.runs.kind === 'composite')
    return runComposite(frame, spec, action, action.runs, tools, prepared);
  if (action.runs.pre && !prepared.has(spec))
    throw unsupported(`uses: ${uses}: the pre of a local or nested action`);
  const state = prepared.get(spec) ?? {};
  const script: Script = { action, node: action.runs, used, spec, id, state };
  registerPost(frame, script, tools);
  return runNode(frame, script, action.runs.main, tools);
}

interface Script {
  readonly action: Action;
  readonly node: NodeAction;
  readonly used: Used & { kind: 'folder' };
  readonly spec: TreeMap;
  readonly id: string;
  readonly state: ActionState;
}

/** Post runs whether or not main succeeds, so it is registered before main starts. */
function registerPost(frame: Frame, script: Script, { env }: Tools): void {
  const { post } = script.node;
  if (post === undefined) return;
  // What main was given holds for post too, whatever the steps between them change.
  const given = { ...frame.env, ...env, ...inputVariables(script, scopeOf(frame, env)) };
  frame.job.posts.push(async (root) => {
    const step = scriptAttempt(root, script, 'post', post, given);
    root.job.results.push(await attempt(root, step));
  });
}

function scriptAttempt(
  root: Frame,
  script: Script,
  phase: 'pre' | 'post',
  file: string,
  given?: ActionState,
): Attempt {
  return {
    id: script.id,
    name: `${phase === 'pre' ? 'Pre' : 'Post'} ${nameOf(script.spec, root)}`,
    phase,
    condition: phase === 'pre' ? script.node.preIf : script.node.postIf,
    env: () => given ?? textsOf(mapAt(script.spec, 'env'), scopeOf(root)),
    continueOnError: () => false,
    timeoutMinutes: () => undefined,
    work: (tools) => runNode(root, script, file, tools, given),
  };
}

async function runNode(
  frame: Frame,
  script: Script,
  file: string,
  tools: Tools,
  given?: ActionState,
): Promise<Done> {
  const { log, cancel, env, scope } = tools;
  const { job } = frame;
  const state = Object.entries(script.state).map(([name, value]) => [`STATE_${name}`, value]);
  const invoked = await invoke(frame, {
    argv: [job.file.run.nodePath, join(script.action.folder, file)],
    cwd: job.workspace,
    env: {
      ...(given ?? { ...env, ...inputVariables(script, scope, log) }),
      ...(Object.fromEntries(state) as ActionState),
      GITHUB_ACTION: script.id,
      ...(script.used.local
        ? {}
        : { GITHUB_ACTION_REPOSITORY: script.used.repository, GITHUB_ACTION_REF: script.used.ref }),
    },
    log,
    cancel,
  });
  Object.assign(script.state, invoked.state);
  return { succeeded: invoked.code === 0, outputs: invoked.outputs, summary: invoked.summary };
}

function inputVariables(
  { action, spec }: Pick<Script, 'action' | 'spec'>,
  scope: Scope,
  log?: StepLog,
): ActionState {
  const inputs = Object.entries(inputsOf(action, spec, scope, log));
  return Object.fromEntries(inputs.map(([name, value]) => [inputVariable(name), value]));
}

/** The inputs of an action: given, or their defaults. As on GitHub unknown and missing ones only cause a warning. */
function inputsOf({ inputs }: Action, spec: TreeMap, scope: Scope, log?: StepLog): ActionState {
  const given = textsOf(mapAt(spec, 'with'), scope);
  const known = Object.keys(inputs);
  const unknown = Object.keys(given).filter(
    (name) => !known.some((one) => one.toLowerCase() === name.toLowerCase()),
  );
  if (unknown.length > 0) {
    log?.annotate(
      'warning',
      `Unexpected input(s) '${unknown.join("', '")}', valid inputs are ['${known.join("', '")}']`,
    );
  }
  const defaults = known.map((name) => [
    name.toLowerCase(),
    textOf(mapAt(inputs, name)['default'] ?? '', scope),
  ]);
  const texts = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.fromEntries([...defaults, ...texts]) as ActionState;
}

async function runComposite(
  frame: Frame,
  spec: TreeMap,
  action: Action,
  { steps }: CompositeAction,
  { log, cancel, env, scope }: Tools,
  prepared: Prepared,
): Promise<Done> {
  assertSteps(steps, wordOf(spec['uses']));
  const inner: Frame = {
    job: frame.job,
    steps: {},
    inputs: inputsOf(action, spec, scope, log),
    env: { ...frame.env, ...env },
    cancel,
    actionPath: action.folder,
    failed: false,
  };
  const summary = await runSteps(inner, steps, prepared, log);
  const values = Object.keys(action.outputs).map((name) => {
    return [name, textOf(mapAt(action.outputs, name)['value'] ?? '', scopeOf(inner))];
  });
  return { succeeded: !inner.failed, outputs: Object.fromEntries(values) as ActionState, summary };
}

/** Makes the folders in which a job runs. */
export function makeFolders({ workspace, temp, home }: Pick<JobState, 'workspace' | 'temp' | 'home'>): void {
  for (const folder of [workspace, temp, home]) mkdirSync(folder, { recursive: true });
}
