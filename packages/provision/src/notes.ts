import type { StackFile } from '@perlstack/stack';
import { bucketNotes } from './bucket.js';
import { type DesiredEntry, desiredEntry, ENTRY_PORTS } from './entry.js';
import { type DesiredTier } from './layout.js';
import { isWebHost } from './names.js';
import type { Observed, ObservedBalancer } from './observed.js';
import { dollars } from './prices.js';

/** What a person should know of a plan, though nothing has to be mended. */
export function notesOn(file: StackFile, observed: Observed, tiers: readonly DesiredTier[]): string[] {
  return [
    ...tiers.flatMap((tier) => singleHost(tier, observed)),
    ...tiers.flatMap((tier) => beyondGroup(tier, observed)),
    ...tiers.flatMap((tier) => driftThatStays(tier, observed, file)),
    ...entry(file, observed),
    ...bucketNotes(file, observed),
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

function entry({ stack }: StackFile, { balancers, linodes }: Observed): string[] {
  const wanted = desiredEntry(stack);
  const exists = balancers.length > 0;
  // A new stack has no visitors yet.
  const switched = linodes.some(({ tier }) => tier === 'web') && exists === (wanted === null);
  return [...(switched ? [switching(stack, wanted)] : []), ...(wanted ? balancers.flatMap(leftAlone) : [])];
}

function switching({ app: { domains } }: StackFile['stack'], wanted: DesiredEntry | null): string {
  const names = domains.length > 0 ? domains.join(', ') : 'the domains';
  const target = wanted ? 'the address of the NodeBalancer' : 'the addresses of the web hosts';
  return `The entry changes: visitors are shut out from this plan on until the new configuration is applied and ${names} point to ${target}.`;
}

/** What somebody else did to the stack's NodeBalancer on purpose. */
function leftAlone({ label: balancer, ports }: ObservedBalancer): string[] {
  return ports.flatMap(({ port, nodes }) => {
    if (!ENTRY_PORTS.includes(port)) {
      return [
        `NodeBalancer ${balancer} listens on port ${port} as well, for somebody else: it is left alone.`,
      ];
    }
    return nodes.flatMap(({ label, mode }) => {
      if (!isWebHost(label))
        return [
          `${label} at port ${port} of NodeBalancer ${balancer} is no host of this stack: it is left alone.`,
        ];
      return mode === 'accept'
        ? []
        : [
            `${label} is in mode ${mode} at port ${port} of NodeBalancer ${balancer}: it stays so until somebody changes it.`,
          ];
    });
  });
}

function left({ strangers }: Observed): string[] {
  return strangers
    .filter(({ lacks }) => lacks === 'label')
    .map(
      ({ what, label, id }) =>
        `${what} "${label}" (id ${id}) has the tags of this stack but no label of it: it is left alone.`,
    );
}
