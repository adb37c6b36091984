/** A workflow command that a process printed, such as `::error file=a,line=1::message`. */
export interface Command {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

/** Parses a line of output; `undefined` when it is no command. */
export function parseCommand(line: string): Command | undefined {
  const match = /^\s*::([\w-]+)(?: ([^]*?))?::([^]*)$/.exec(line);
  if (!match) return undefined;
  const [, name = '', list = '', message = ''] = match;
  const properties = list
    .split(',')
    .map((entry) => entry.trim().split(/=([^]*)/))
    .flatMap(([key, value]) => (key && value ? [[key.toLowerCase(), unescapeProperty(value)]] : []));
  return {
    name: name.toLowerCase(),
    properties: Object.fromEntries(properties) as Record<string, string>,
    message: unescapeData(message),
  };
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}

function unescapeProperty(text: string): string {
  return unescapeData(text.replaceAll('%3A', ':').replaceAll('%2C', ','));
}
