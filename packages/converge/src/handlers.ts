import type { ConfigBundle, HostBundle, ManagedFile, ServiceConfig } from '@perlstack/configs';
import type { Handlers, StepContext } from '@perlstack/procedure';
import { commandLine, type Remote, type RunOptions } from '@perlstack/remote';
import { APPLY_SCRIPT, CLEAN_SCRIPT, GUARD_SCRIPT, RESTORE_SCRIPT } from './apply-script.js';
import { type AnyEngine, engineHandlers, ENGINES } from './engines.js';
import { explainApply, explainBusy, explainInstall, explainInvalid } from './explain.js';
import { GUARD_SECONDS, keepAccess } from './guard.js';
import { READ_RECORDS, STATE_FOLDER } from './layout.js';
import { installProgress } from './install-progress.js';
import { DIRECTORIES_SCRIPT, INSTALL_SCRIPT, PRESETS_SCRIPT, USERS_SCRIPT } from './prepare-scripts.js';
import { withMarks } from './marks.js';
import { encodeContent, encodeMode, encodeRecords, type Fields, sha256 } from './records.js';
import { STAGE_SCRIPT } from './stage-script.js';
import type {
  ApplyStep,
  ConvergeStep,
  DirectoriesStep,
  PlanStep,
  PresetsStep,
  UsersStep,
  ValidateStep,
} from './step.js';

const MINUTES = 60_000;

export interface HandlerOptions {
  /**
   * How long a host waits until it takes back a change on which it hangs whether anybody can log in, in whole seconds:
   * the new login has to be made, and what runs after a kill has to wait, that long. Default 60.
   */
  readonly guardSeconds?: number;
}

/** What each kind of step does to a host, the engines' steps among them. */
export function handlers(
  remote: Remote,
  bundle: ConfigBundle,
  options: HandlerOptions = {},
  engines: readonly AnyEngine[] = ENGINES,
): Handlers<PlanStep> {
  return { ...engineHandlers(remote, bundle, engines), ...ownHandlers(remote, bundle, options) };
}

/** One script, one connection's channel. */
function ownHandlers(
  remote: Remote,
  bundle: ConfigBundle,
  { guardSeconds = GUARD_SECONDS }: HandlerOptions,
): Handlers<ConvergeStep> {
  const script = async (
    { host }: ConvergeStep,
    { signal }: StepContext,
    text: string,
    args: readonly string[],
    options: Pick<RunOptions, 'name' | 'input' | 'timeoutMs' | 'onLine'>,
  ): Promise<string> => {
    const settings = { sudo: true, signal, timeoutMs: 2 * MINUTES, ...options };
    return (await remote.script(host, text, args, settings).catch(explainBusy)).stdout.trim();
  };
  const clean = (step: ConvergeStep, context: StepContext, what: 'staged' | 'all'): Promise<string> =>
    script(step, context, CLEAN_SCRIPT, [STATE_FOLDER, what], { name: 'cleaning up' });

  return {
    presets: {
      run: async (step, context) => {
        for (const { service } of step.services) {
          const input = encodeRecords(presetRecords(serviceOf(bundle, { host: step.host, service }), step));
          const options = { name: `${service}: before packages`, input };
          await script(step, context, PRESETS_SCRIPT, [STATE_FOLDER, service], options);
        }
      },
    },
    packages: {
      run: async (step, context) => {
        const onLine = installProgress((message) => context.progress(message));
        const options = { name: 'installing packages', timeoutMs: 15 * MINUTES, onLine };
        await script(step, context, INSTALL_SCRIPT, step.packages, options).catch(explainInstall(step.host));
        return 'installed';
      },
    },
    users: {
      run: async (step, context) => {
        const input = encodeRecords(userRecords(hostOf(bundle, step.host), step));
        await script(step, context, READ_RECORDS + USERS_SCRIPT, [], { name: 'making accounts', input });
      },
    },
    directories: {
      run: async (step, context) => {
        const input = encodeRecords(directoryRecords(hostOf(bundle, step.host), step));
        await script(step, context, READ_RECORDS + DIRECTORIES_SCRIPT, [], { name: 'making folders', input });
      },
    },
    validate: {
      run: async (step, context) => {
        const input = encodeRecords(stageRecords(hostOf(bundle, step.host), step));
        const options = { name: 'validating', input };
        await script(step, context, STAGE_SCRIPT, [STATE_FOLDER], options).catch(explainInvalid(step.host));
        return 'valid';
      },
      undo: async (step, context) => void (await clean(step, context, 'staged')),
    },
    apply: {
      run: async (step, context) => {
        const service = serviceOf(bundle, step);
        const options = {
          name: step.service,
          input: encodeRecords(applyRecords(service, step, guardSeconds)),
        };
        const apply = (): Promise<string> =>
          script(step, context, APPLY_SCRIPT, [STATE_FOLDER, step.service], options);
        const applying = service.guardsAccess ? keepAccess(remote, step, guardSeconds, apply) : apply();
        return applying.catch(explainApply(step));
      },
      undo: async (step, context) => {
        const options = { name: `${step.service}: taking back` };
        return (
          (await script(step, context, RESTORE_SCRIPT, [STATE_FOLDER, step.service], options)) || undefined
        );
      },
    },
    clean: { run: async (step, context) => void (await clean(step, context, 'all')) },
  };
}

function hostOf(bundle: ConfigBundle, name: string): HostBundle {
  const host = bundle.hosts.find((candidate) => candidate.host === name);
  if (!host) throw new Error(`${name} is no host of this bundle: the plan belongs to another one`);
  return host;
}

function serviceOf(bundle: ConfigBundle, step: { host: string; service: string }): ServiceConfig {
  const service = hostOf(bundle, step.host).services.find(({ name }) => name === step.service);
  if (!service)
    throw new Error(`${step.host} has no service ${step.service}: the plan belongs to another bundle`);
  return service;
}

export function userRecords({ users }: HostBundle, step: UsersStep): Fields[] {
  return users
    .filter(({ name }) => step.users.includes(name))
    .map(({ name, home, shell, groups }) => ['user', name, home, shell, groups.join(',') || '-']);
}

export function directoryRecords({ services }: HostBundle, step: DirectoriesStep): Fields[] {
  return services
    .flatMap(({ directories }) => directories)
    .filter(({ path }) => step.paths.includes(path))
    .map(({ path, owner, group, mode }) => ['directory', path, owner, group, encodeMode(mode)]);
}

export function stageRecords(host: HostBundle, step: ValidateStep): Fields[] {
  const roots = new Set<string>();
  const records = step.services.flatMap(({ service: name, files, removes, marks }): Fields[] => {
    const service = serviceOf({ stack: '', notes: [], hosts: [host] }, { host: host.host, service: name });
    for (const root of service.roots) roots.add(root);
    return [
      ...service.files
        .filter(({ path }) => files.includes(path))
        .map((file) => fileRecord(withMarks(file, marks?.[file.path]))),
      ...removes.map((path): Fields => ['remove', path]),
      ...service.validate.map((argv): Fields => ['check', name, encodeContent(commandLine(argv))]),
    ];
  });
  return [...[...roots].sort().map((root): Fields => ['root', root]), ...records];
}

export function presetRecords({ name, presets = [] }: ServiceConfig, step: PresetsStep): Fields[] {
  const paths = step.services.filter(({ service }) => service === name).flatMap(({ files }) => files);
  return [
    ...presets.filter(({ path }) => paths.includes(path)).map(fileRecord),
    ...presets.map(rememberRecord),
  ];
}

export function applyRecords(service: ServiceConfig, step: ApplyStep, guardSeconds: number): Fields[] {
  const { unit, daemonReload, probe, files, removes, guardsAccess } = service;
  return [
    ...step.files.map((path): Fields => ['file', path]),
    ...step.removes.map((path): Fields => ['remove', path]),
    ...(daemonReload ? [['daemon-reload'] as Fields] : []),
    ...(unit ? [['unit', unit.name, step.action, unit.enabled ? 'yes' : 'no', unit.state] as Fields] : []),
    ...probe.map((argv): Fields => ['probe', encodeContent(commandLine(argv))]),
    ...files.map(rememberRecord),
    ...removes.map((path): Fields => ['remember', path, '-']),
    ...(guardsAccess ? [['guard', encodeContent(GUARD_SCRIPT), String(guardSeconds)] as Fields] : []),
    ['digest', step.digest],
  ];
}

const fileRecord = ({ path, owner, group, mode, content }: ManagedFile): Fields => [
  ...(['file', path, owner, group, encodeMode(mode), encodeContent(content)] as const),
];

const rememberRecord = ({ path, content, owner, group, mode }: ManagedFile): Fields => [
  ...(['remember', path, sha256(content), owner, group, encodeMode(mode)] as const),
];
