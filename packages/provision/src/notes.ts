import { settingsOf, type StackFile } from '@perlstack/stack';
import { type DesiredTier } from './layout.js';
import type { Observed } from './observed.js';
import { dollars } from './prices.js';

/** What a person should know of a plan, though nothing has to be mended. */
export function notesOn(file: StackFile, observed: Observed, tiers: readonly DesiredTier[]): string[] {
  return [
    ...tiers.flatMap((tier) => singleHost(tier, observed)),
    ...tiers.flatMap((tier) => beyondGroup(tier, observed)),
    ...tiers.flatMap((tier) => driftThatStays(tier, observed, file)),
    ...entry(file),
    ...left(observed),
  ];
}

function singleHost({ tier, type, hosts }: DesiredTier, { catalogue }: Observed): string[] {
  // A second monitor makes nothing more available to users.
  if (hosts.length !== 1 || tier === 'monitor') return [];
  const price = catalogue.types.find(({ id }) => id === type)?.monthly ?? null;
  return [`Tier ${tier} has one host and fails with it; a second one costs ${dollars(price)} a month.`];
}

function beyondGroup({ tier, placement, hosts }: DesiredTier, { catalogue }: Observed): string[] {
  const { placementLimit, id } = catalogue.region;
  if (!placement || hosts.length <= placementLimit) return [];
  return [
    `Placement groups in ${id} hold ${placementLimit} Linodes: ${tier}-${placementLimit + 1} and later are in none.`,
  ];
}

/** Differences that only a rebuild or a resize could remove, which is never done here. */
function driftThatStays({ type, hosts }: DesiredTier, { linodes }: Observed, { stack }: StackFile): string[] {
  return linodes
    .filter(({ label }) => hosts.some((host) => host.label === label))
    .flatMap((linode) => [
      ...(linode.type !== type
        ? [
            `${linode.label} is a ${linode.type}, the stack file wants ${type}: it stays; delete it to have it made anew.`,
          ]
        : []),
      ...(linode.image !== stack.image
        ? [
            `${linode.label} runs ${linode.image}, the stack file wants ${stack.image}: it stays; delete it to have it made anew.`,
          ]
        : []),
    ]);
}

function entry({ stack }: StackFile): string[] {
  const web = settingsOf(stack, 'web') as { entry?: string } | undefined;
  return web?.entry === 'nodebalancer'
    ? ['No NodeBalancer is made: point the domains at the addresses of the web hosts (entry: dns).']
    : [];
}

function left({ strangers }: Observed): string[] {
  return strangers
    .filter(({ lacks }) => lacks === 'label')
    .map(
      ({ what, label, id }) =>
        `${what} "${label}" (id ${id}) has the tags of this stack but no label of it: it is left alone.`,
    );
}
