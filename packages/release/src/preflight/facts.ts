/** What an app host shows of how it would run and stop a release, whoever configured it. */
export interface AppFacts {
  readonly host: string;
  /** Of the instance `perlstack-preflight`, drop-ins included, as `systemctl show` prints it. */
  readonly unit: {
    readonly killMode: string;
    /** Number of the signal. */
    readonly killSignal: string;
    /** Such as `45s`, `1min 30s` or `infinity`. */
    readonly timeoutStop: string;
    readonly workingDirectory: string;
    /** The command line's words, the program first. */
    readonly command: readonly string[];
  };
  /** Of `nginx -T`; null where that fails, or there is no nginx. */
  readonly nginx: string | null;
  /** `5.40.1 x86_64-linux-gnu-thread-multi` */
  readonly perl: string;
  /** `debian 12` */
  readonly os: string;
  /** Those of the programs that build modules which are there. */
  readonly tools: readonly string[];
  /** `0.4018`; empty where there is none. */
  readonly starman: string;
}

export interface WebFacts {
  readonly host: string;
  readonly nginx: string | null;
}

/** The instance that is asked for and never started. */
export const PREFLIGHT_ID = 'perlstack-preflight';

/** Continues the script that observes an app host. */
export const APP_FACTS = String.raw`
one="$unit"${PREFLIGHT_ID}.service
shown=$(systemctl show -p KillMode,KillSignal,TimeoutStopUSec,WorkingDirectory,ExecStart "$one" || true)
say unit "$(printf '%s\n' "$shown" | grep -v ^ExecStart= | tr '\n' '|')"
say command "$(printf '%s\n' "$shown" | sed -n 's/^ExecStart=.*argv\[\]=\(.*\) ; ignore_errors=.*/\1/p' | head -n 1)"
say perl "$(perl -MConfig -e 'printf "%vd %s", $^V, $Config{archname}' 2>/dev/null)"
say os "$(sed -n 's/^\(ID\|VERSION_ID\)=//p' /etc/os-release 2>/dev/null | tr -d '"' | sort -r | tr '\n' ' ')"
say tools "$(for tool in carton cpm; do ! command -v "$tool" >/dev/null || printf '%s ' "$tool"; done)"
say starman "$(dpkg-query -W -f '${'$'}{Version}' starman 2>/dev/null || true)"
say nginx "$(nginx -T 2>/dev/null | base64 -w 0)"
`;

/** Continues the script that observes a web host. */
export const WEB_FACTS = String.raw`
printf 'nginx %s\n' "$(nginx -T 2>/dev/null | base64 -w 0)"
`;

/** @param one the first value of the first line with a word */
export function appFactsOf(host: string, one: (word: string) => string): AppFacts {
  const properties = new Map(
    one('unit')
      .split('|')
      .map((line): [string, string] => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  const property = (name: string): string => properties.get(name) ?? '';
  return {
    host,
    unit: {
      killMode: property('KillMode'),
      killSignal: property('KillSignal'),
      timeoutStop: property('TimeoutStopUSec'),
      workingDirectory: property('WorkingDirectory'),
      command: one('command').split(' ').filter(Boolean),
    },
    nginx: decode(one('nginx')),
    perl: one('perl'),
    os: one('os').trim(),
    tools: one('tools').split(' ').filter(Boolean),
    starman: /^[\d.]+/.exec(one('starman'))?.[0] ?? '',
  };
}

export const decode = (base64: string): string | null =>
  base64 === '' ? null : Buffer.from(base64, 'base64').toString('utf8');
