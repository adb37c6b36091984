import { addressesOf } from './allot.js';
import { stamps, type Cloud } from './cloud.js';
import type { JsonObject } from './json.js';
import type { Linode } from './model.js';

/** What the API shows of a Linode. */
export function linodeView(cloud: Cloud, linode: Linode): JsonObject {
  const plan = cloud.plan(linode.type);
  return {
    id: linode.id,
    label: linode.label,
    group: linode.group,
    status: linode.status,
    ...stamps(linode),
    type: linode.type,
    ipv4: addressesOf(cloud, linode).map(({ address }) => address),
    ipv6: hasPublicIpv6(linode) ? `${linode.slaac}/128` : null,
    image: linode.image,
    region: linode.region,
    site_type: cloud.region(linode.region)?.site_type ?? 'core',
    specs: {
      disk: plan.disk,
      memory: plan.memory,
      vcpus: plan.vcpus,
      gpus: plan.gpus,
      transfer: plan.transfer,
      accelerated_devices: 0,
    },
    alerts: { ...linode.alerts, system_alerts: [], user_alerts: [] },
    backups: backupsView(linode),
    hypervisor: 'kvm',
    watchdog_enabled: linode.watchdog,
    tags: linode.tags,
    host_uuid: linode.hostUuid,
    has_user_data: linode.userData !== null,
    placement_group: placementView(cloud, linode),
    disk_encryption: linode.diskEncryption,
    lke_cluster_id: null,
    capabilities: capabilities(cloud, linode),
    interface_generation: linode.generation,
    maintenance_policy: linode.maintenancePolicy,
    locks: [],
  };
}

/** With the newer generation only a public interface brings an IPv6 address. */
export function hasPublicIpv6(linode: Linode): boolean {
  return linode.generation === 'legacy_config' || linode.interfaces.some((one) => one.public !== null);
}

function backupsView(linode: Linode): JsonObject {
  return {
    enabled: linode.backupsEnabled,
    available: false,
    schedule: { day: null, window: null },
    last_successful: null,
  };
}

function placementView(cloud: Cloud, linode: Linode): JsonObject | null {
  const group = cloud.placementGroups.get(linode.placementGroup ?? 0);
  if (group === undefined) return null;
  return {
    id: group.id,
    label: group.label,
    placement_group_type: group.type,
    placement_group_policy: group.policy,
    migrating_to: null,
  };
}

function capabilities(cloud: Cloud, linode: Linode): string[] {
  const encryption = cloud.offers(linode.region, 'Block Storage Encryption')
    ? ['Block Storage Encryption']
    : [];
  const maintenance = cloud.offers(linode.region, 'Maintenance Policy') ? ['Maintenance Policy'] : [];
  return [...encryption, 'SMTP Enabled', ...maintenance];
}
