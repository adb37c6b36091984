import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  inStackFile,
  keepComment,
  type MainContext,
  markdownTable,
  MissingPermission,
  openSite,
  runAction,
  runUrl,
} from '@perlstack/action';
import { bundleDigest, type ConfigBundle, diffBundles, type FileDiff, tree } from '@perlstack/configs';
import type { Inventory } from '@perlstack/stack';
import { renderBase, renderOpenly } from './bundles.js';
import { declaration } from './declaration.js';
import { commentBody, differenceSections, fullDiff, headline, markerOf } from './report.js';
import { type Base, baseOf, type Review, reviewOf } from './sources.js';

type Context = MainContext<typeof declaration>;

void runAction({
  name: 'render-configs',
  declaration,
  main: async (context) => {
    const { inputs, log } = context;
    const { file, inventory } = openSite(inputs);
    const bundle = inStackFile(file, () => renderOpenly(file.stack, inventory));
    const review = reviewOf(inputs);
    const base = await baseOf(inputs, review, (path) => readFileSync(path, 'utf8'));
    const compared = base && compare(base, bundle, inventory);
    bundle.notes.forEach((note) => log.notice(note));
    if (compared?.remark !== undefined) log.notice(compared.remark);
    hand(context, bundle, compared);
    if (compared && review) await comment(context, bundle, compared, review);
  },
});

interface Comparison {
  readonly diffs: readonly FileDiff[];
  readonly base: string;
  readonly remark: string | undefined;
}

function compare(base: Base, bundle: ConfigBundle, inventory: Inventory): Comparison {
  const { bundle: before, remark } = renderBase(base, inventory);
  return { diffs: diffBundles(before, bundle), base: base.name, remark };
}

/** Writes tree, outputs and summary. */
function hand(
  { inputs, output, reporter }: Context,
  bundle: ConfigBundle,
  compared: Comparison | undefined,
): void {
  const digest = bundleDigest(bundle);
  writeTree(inputs.output, bundle);
  output('digest', digest);
  output('path', inputs.output);
  output('files', listing(bundle));
  if (compared) {
    const path = `${inputs.output}.diff`;
    writeFileSync(path, fullDiff(compared.diffs));
    output('changed', compared.diffs.length > 0);
    output('diff', path);
    differenceSections(compared.diffs).forEach((section) => reporter.section(section));
  }
  reporter.section(renderedSection(bundle));
  const rendered = `${listing(bundle).length} files for ${bundle.hosts.length} servers, digest ${digest.slice(0, 12)}.`;
  reporter.verdict(compared ? `${rendered} ${headline(compared.diffs, compared.base)}` : rendered);
}

/** Keeps the one comment of this stack; what is not said there stands in the summary. */
async function comment(
  { log }: Context,
  bundle: ConfigBundle,
  compared: Comparison,
  { github, pull }: Review,
): Promise<void> {
  const { stack } = bundle;
  const body = commentBody({ ...compared, bundle, commit: pull.head.sha, url: runUrl() });
  const make = compared.diffs.length > 0;
  try {
    const outcome = await keepComment(github, pull.number, { marker: markerOf(stack), body, make });
    log.info(`Comment of pull request ${pull.number}: ${outcome === 'none' ? 'nothing to say' : outcome}`);
  } catch (error) {
    if (!pull.fork || !(error instanceof MissingPermission)) throw error;
    log.notice(
      'A pull request from a fork has a token that only reads: the difference is in the summary of the run',
    );
  }
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

function renderedSection(bundle: ConfigBundle) {
  const rows = listing(bundle).map(({ host, service, path, mode, owner }) => [
    host,
    service,
    path,
    mode,
    owner,
  ]);
  return {
    title: 'Rendered',
    body: markdownTable(['Host', 'Service', 'File', 'Mode', 'Owner'], rows),
    folded: true,
  };
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
