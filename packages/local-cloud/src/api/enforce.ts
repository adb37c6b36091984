import { balance } from './balance.js';
import type { Cloud } from './cloud.js';
import { firewallSpec } from './firewall-rules.js';
import { hostInterfaces } from './host-spec.js';
import type { DeviceType, Firewall, Linode } from './model.js';

/** Tells the driver of every host and NodeBalancer whose firewall is other than it was last told. */
export async function enforce(cloud: Cloud): Promise<void> {
  const hosts = [...cloud.linodes.values()].filter((linode) => linode.hostMade !== null);
  await Promise.all([
    ...hosts.map((linode) => enforceOn(cloud, linode)),
    ...[...cloud.nodeBalancers.values()].map((balancer) => balance(cloud, balancer)),
  ]);
}

/** The same for one host, whatever it was told before. */
export async function enforceAnew(cloud: Cloud, linode: Linode): Promise<void> {
  const { enforced } = cloud;
  for (const key of enforced.keys()) if (key.startsWith(`${linode.id}/`)) enforced.delete(key);
  await enforceOn(cloud, linode);
}

async function enforceOn(cloud: Cloud, linode: Linode): Promise<void> {
  const { enforced } = cloud;
  for (const { id } of hostInterfaces(cloud, linode)) {
    const spec = firewallSpec(firewallFor(cloud, linode, id));
    const key = `${linode.id}/${id}`;
    const text = JSON.stringify(spec);
    if ((enforced.get(key) ?? 'null') === text) continue;
    enforced.set(key, text);
    await cloud.driver.setFirewall(linode.id, id, spec);
  }
}

/** Newer interfaces have firewalls of their own; the older ones share their Linode's. */
function firewallFor(cloud: Cloud, linode: Linode, iface: number): Firewall | undefined {
  const [type, id]: [DeviceType, number] =
    linode.generation === 'linode' ? ['linode_interface', iface] : ['linode', linode.id];
  return [...cloud.firewalls.values()].find((firewall) =>
    firewall.devices.some((device) => device.type === type && device.entity === id),
  );
}
