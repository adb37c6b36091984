import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inventoryFrom, markdownTable, runAction } from '@perlstack/action';
import { bundleDigest, type ConfigBundle, render, tree } from '@perlstack/configs';
import { loadStack, type Stack } from '@perlstack/stack';
import { declaration } from './declaration.js';

void runAction({
  name: 'render-configs',
  declaration,
  main: async ({ inputs, log, reporter, output }) => {
    const { stack } = loadStack(inputs['stack-file']);
    const bundle = render(stack, inventoryFrom(inputs.inventory, stack.stack), {
      secrets: placeholders(stack),
    });
    const digest = bundleDigest(bundle);
    writeTree(inputs.output, bundle);
    for (const note of bundle.notes) log.notice(note);

    const files = listing(bundle);
    reporter.section({
      title: 'Rendered',
      body: markdownTable(
        ['Host', 'Service', 'File', 'Mode', 'Owner'],
        files.map(({ host, service, path, mode, owner }) => [host, service, path, mode, owner]),
      ),
      folded: true,
    });
    output('digest', digest);
    output('path', inputs.output);
    output('files', files);
    reporter.verdict(
      `${files.length} files for ${bundle.hosts.length} servers, digest ${digest.slice(0, 12)}.`,
    );
  },
});

/** The tree never shows a secret, so their values are not asked for. */
function placeholders({ app }: Stack): Record<string, string> {
  return Object.fromEntries(app.secrets.map((name) => [name, '(secret)']));
}

/** Replaces the folder's contents, so that no file of an earlier run is taken for one of this run. */
function writeTree(folder: string, bundle: ConfigBundle): void {
  for (const { host } of bundle.hosts) rmSync(join(folder, host), { recursive: true, force: true });
  for (const { path, content } of tree(bundle)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

function listing({ hosts }: ConfigBundle) {
  return hosts.flatMap(({ host, services }) =>
    services.flatMap((service) =>
      service.files.map(({ path, owner, group, mode, secret }) => ({
        host,
        service: service.name,
        path,
        owner: `${owner}:${group}`,
        mode: mode.toString(8).padStart(4, '0'),
        secret,
      })),
    ),
  );
}
