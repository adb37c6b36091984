/** A `server` line of an upstream, as far as it says whether requests go there. */
export interface UpstreamServer {
  /** Address and port, as they stand in the line. */
  readonly server: string;
  readonly down: boolean;
}

/** What is in front of the mark, the server, the mark. A deploy writes it last in the line, and only there it is looked for. */
const LINE = /^([ \t]*server[ \t]+([^\s;{}]+)(?:[ \t][^;{}\n]*?)??)([ \t]+down)?[ \t]*;/gm;

/** The servers of the upstreams in a configuration. */
export function upstreamServers(text: string): UpstreamServer[] {
  return [...text.matchAll(LINE)].map(([, , server = '', mark]) => ({ server, down: mark !== undefined }));
}

/** The same configuration, in which these servers get no requests. */
export function withDown(text: string, servers: readonly string[]): string {
  return text.replace(LINE, (line, head: string, server: string) =>
    servers.includes(server) ? `${head} down;` : line,
  );
}

/** The same configuration, in which every server gets requests. */
export function withoutDown(text: string): string {
  return text.replace(LINE, (line, head: string, _server: string, mark?: string) =>
    mark ? `${head};` : line,
  );
}
