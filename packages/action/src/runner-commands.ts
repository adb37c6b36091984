import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { EOL } from 'node:os';

/** What a line can tell the runner. */
export type RunnerCommand = 'add-mask' | 'debug' | 'notice' | 'warning' | 'error' | 'group' | 'endgroup';

/** Of an annotation, in the order in which they are written; what is `undefined` is left out. */
export interface CommandProperties {
  readonly title?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly col?: number | undefined;
}

/**
 * Tells the runner something by a line of the log:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function tellRunner(command: RunnerCommand, message = '', properties: CommandProperties = {}): void {
  process.stdout.write(`${commandOf(command, message, properties)}${EOL}`);
}

/** @returns `::error title=deploy,line=3::no such host`, on one line whatever the message is */
export function commandOf(command: RunnerCommand, message: string, properties: CommandProperties): string {
  const words = Object.entries(properties as Record<string, string | number | undefined>)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${inProperty(String(value))}`)
    .join(',');
  return `::${command}${words === '' ? '' : ` ${words}`}::${inMessage(message)}`;
}

const inMessage = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const inProperty = (text: string): string => inMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/**
 * Appends an entry to one of the runner's files. Nobody who writes a value can know the word that ends it.
 *
 * @param file that the runner named for it
 */
export function appendEntry(file: string, name: string, value: string): void {
  const end = `ghadelimiter_${randomUUID()}`;
  appendFileSync(file, `${name}<<${end}${EOL}${value}${EOL}${end}${EOL}`);
}
