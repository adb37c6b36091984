// By its files: the package as a whole brings a client for HTTP along, which takes 27 MB of memory, and which nothing here uses.
import { issueCommand } from '../node_modules/@actions/core/lib/command.js';
import { issueFileCommand, prepareKeyValueMessage } from '../node_modules/@actions/core/lib/file-command.js';

/** What a line can tell the runner. */
export type RunnerCommand = 'add-mask' | 'debug' | 'notice' | 'warning' | 'error' | 'group' | 'endgroup';

/** Of an annotation. */
export interface CommandProperties {
  readonly title?: string;
  readonly file?: string;
  readonly line?: number;
  readonly col?: number;
}

/** Tells the runner something by a line of the log. */
export function tellRunner(command: RunnerCommand, message = '', properties: CommandProperties = {}): void {
  issueCommand(command, { ...properties }, message);
}

/** Appends an entry to one of the runner's files, whose value nobody can end early. */
export function appendEntry(kind: 'OUTPUT' | 'STATE', name: string, value: string): void {
  issueFileCommand(kind, prepareKeyValueMessage(name, value));
}
