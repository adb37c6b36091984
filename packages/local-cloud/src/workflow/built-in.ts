import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '@perlstack/stack';
import type { BuiltIn } from './actions.js';
import { matching, selectFiles } from './artifacts.js';
import type { Done } from './attempt.js';
import { copyRepository } from './checkout.js';
import type { JobState } from './state.js';
import type { StepLog } from './step-log.js';
import { unsupported } from './tree.js';

type Inputs = Readonly<Record<string, string>>;

/** The inputs that each knows: those that change nothing here are listed as well, all others are refused. */
const INPUTS: Readonly<Record<BuiltIn, readonly string[]>> = {
  checkout: ['path', 'fetch-depth', 'fetch-tags', 'persist-credentials', 'clean', 'token', 'show-progress'],
  'upload-artifact': [
    'name',
    'path',
    'if-no-files-found',
    'overwrite',
    'include-hidden-files',
    'retention-days',
    'compression-level',
  ],
  'download-artifact': ['name', 'path', 'pattern', 'merge-multiple'],
};

/** Runs one of GitHub's own actions that are built in here. */
export function runBuiltIn(name: BuiltIn, inputs: Inputs, job: JobState, log: StepLog): Done {
  const unknown = Object.keys(inputs).find((input) => !INPUTS[name].includes(input));
  if (unknown !== undefined) throw unsupported(`the input "${unknown}" of actions/${name}`);
  const run = { checkout, 'upload-artifact': upload, 'download-artifact': download }[name];
  return { succeeded: true, summary: '', outputs: run(inputs, job, log) };
}

function checkout(inputs: Inputs, job: JobState, log: StepLog): Record<string, string> {
  const { repository, github } = job.file.run;
  const target = resolve(job.workspace, inputs['path'] ?? '.');
  copyRepository(repository, target);
  log.print(`Checked out ${String(github['repository'])} into ${target}`);
  return { ref: String(github['ref']), commit: String(github['sha']) };
}

function upload(inputs: Inputs, job: JobState, log: StepLog): Record<string, string> {
  const { artifacts } = job.file.run;
  const { name = 'artifact', path, 'if-no-files-found': reaction = 'warn' } = inputs;
  if (!path) throw new UserError('actions/upload-artifact: input "path" is required');
  const selection = selectFiles(path, job.workspace, inputs['include-hidden-files'] === 'true');
  if (selection.files.length === 0) {
    const message = `No files were found with the provided path: ${path}. No artifacts will be uploaded.`;
    if (reaction === 'error') throw new UserError(message);
    if (reaction === 'warn') log.annotate('warning', message);
    return {};
  }
  artifacts.upload(name, selection, inputs['overwrite'] === 'true');
  log.print(`Artifact ${name}: ${selection.files.length} files`);
  return { 'artifact-id': String(artifacts.names().indexOf(name) + 1), 'artifact-url': '' };
}

function download(inputs: Inputs, job: JobState, log: StepLog): Record<string, string> {
  const { artifacts } = job.file.run;
  const { name, pattern, path = '.' } = inputs;
  const target = resolve(job.workspace, path);
  mkdirSync(target, { recursive: true });
  const names = name ? [name] : matching(artifacts.names(), pattern || '*');
  // Several artifacts get a folder each, so that they do not mix unless that is wanted.
  const apart = !name && inputs['merge-multiple'] !== 'true';
  for (const one of names) artifacts.download(one, apart ? resolve(target, one) : target);
  log.print(`Downloaded ${names.join(', ') || 'no artifact'} into ${target}`);
  return { 'download-path': target };
}
