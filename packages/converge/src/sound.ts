import type { ConfigBundle, HostBundle } from '@perlstack/configs';

const PATH = /^(\/[^/\t\n\0]+)+$/;

/** @throws Error when a bundle is not sound: that is a fault of its renderer. */
export function assertSound({ hosts }: ConfigBundle): void {
  const known = new Set(hosts.flatMap(({ host, services }) => services.map(({ name }) => `${host}/${name}`)));
  for (const host of hosts) {
    assertPaths(host);
    assertNames(host);
    assertKnown(host, known);
  }
}

function assertPaths({ host, services }: HostBundle): void {
  const files = services.flatMap((service) => [
    ...(service.presets ?? []).map(({ path }) => path),
    ...service.files.map(({ path }) => path),
    ...service.removes,
  ]);
  const paths = [
    ...files,
    ...services.flatMap((service) => [...service.directories.map(({ path }) => path), ...service.roots]),
  ];
  const odd = paths.find(
    (path) => !PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..'),
  );
  if (odd) throw new Error(`The bundle of ${host} names the path ${JSON.stringify(odd)}`);
  const twice = files.find((path, index) => files.indexOf(path) !== index);
  if (twice) throw new Error(`The bundle of ${host} names ${twice} twice`);
}

function assertNames({ host, services }: HostBundle): void {
  const names = services.map(({ name }) => name);
  const odd = names.find(
    (name, index) => !/^[a-z0-9][a-z0-9._-]*$/.test(name) || names.indexOf(name) !== index,
  );
  if (odd !== undefined) throw new Error(`The bundle of ${host} names the service ${JSON.stringify(odd)}`);
}

function assertKnown({ host, services }: HostBundle, known: ReadonlySet<string>): void {
  for (const { name, after = [] } of services) {
    const missing = after.find((other) => !known.has(`${other.host}/${other.service}`));
    if (!missing) continue;
    throw new Error(
      `The bundle of ${host} names ${missing.host}/${missing.service} before ${name}, and has no such service`,
    );
  }
}
