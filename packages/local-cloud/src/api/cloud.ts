import { createHash } from 'node:crypto';
import type { HostDriver } from '../driver.js';
import { stamp, type Clock } from './clock.js';
import { imageOf } from './data/images.js';
import { PLANS, type Plan } from './data/types.js';
import { REGIONS, type Region } from './data/regions.js';
import { notFound } from './errors.js';
import type { ApiFaults } from './faults.js';
import { JobQueue, type Job } from './jobs.js';
import type {
  Address,
  Bucket,
  EntityRef,
  EventRecord,
  Firewall,
  Ipv6Range,
  Linode,
  NodeBalancer,
  PlacementGroup,
  SshKey,
  StorageKey,
  Subnet,
  Volume,
  Vpc,
} from './model.js';

/** Settings of the account that change what the API does. */
export interface AccountSettings {
  networkHelper: boolean;
  backupsEnabled: boolean;
  interfacesForNewLinodes: string;
  maintenancePolicy: string;
}

export type DefaultFor = 'linode' | 'nodebalancer' | 'public_interface' | 'vpc_interface';

/** Everything that the simulated account owns, and the driver that stands for its machines. */
export class Cloud {
  readonly username = 'local-cloud';
  readonly regions: Region[] = [...REGIONS];
  readonly plans: Plan[] = [...PLANS];
  readonly linodes = new Map<number, Linode>();
  readonly vpcs = new Map<number, Vpc>();
  readonly firewalls = new Map<number, Firewall>();
  readonly placementGroups = new Map<number, PlacementGroup>();
  readonly nodeBalancers = new Map<number, NodeBalancer>();
  readonly volumes = new Map<number, Volume>();
  /** By `region/label`. */
  readonly buckets = new Map<string, Bucket>();
  /** Buckets of other accounts, as `region/label`: nobody else can have their labels. */
  readonly strangersBuckets = new Set<string>();
  readonly storageKeys = new Map<number, StorageKey>();
  readonly addresses = new Map<string, Address>();
  readonly ipv6Ranges: Ipv6Range[] = [];
  readonly sshKeys = new Map<number, SshKey>();
  /** Newest first. */
  readonly events: EventRecord[] = [];
  /** Labels of tags that were made by themselves; those in use need no entry. */
  readonly tags = new Set<string>();
  readonly defaultFirewalls: Record<DefaultFor, number | null> = {
    linode: null,
    nodebalancer: null,
    public_interface: null,
    vpc_interface: null,
  };
  /** What the user may change of the profile. */
  readonly profile = { email: 'local-cloud@example.com', timezone: 'GMT', emailNotifications: true };
  readonly settings: AccountSettings = {
    networkHelper: false,
    backupsEnabled: false,
    interfacesForNewLinodes: 'legacy_config_default_but_linode_allowed',
    maintenancePolicy: 'linode/migrate',
  };
  /** Addresses, plain or as `subnet/address`, of Linodes that are gone while their hosts are still being removed. */
  readonly lingering = new Set<string>();
  /** The firewall, as text, that the driver was last given, by `host/interface`. */
  readonly enforced = new Map<string, string>();
  /** The NodeBalancer, as text, that the driver was last given, by id. */
  readonly balanced = new Map<number, string>();
  readonly clock: Clock;
  readonly driver: HostDriver;
  readonly faults: ApiFaults;
  readonly #queues = new Map<number, JobQueue>();
  readonly #departures = new Set<Promise<void>>();
  #lastId = 100_000;

  constructor(clock: Clock, driver: HostDriver, faults: ApiFaults) {
    this.clock = clock;
    this.driver = driver;
    this.faults = faults;
  }

  /** An id that nothing else has; later ones are greater. */
  newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  now(): number {
    return this.clock.now();
  }

  linode(id: number): Linode {
    return found(this.linodes.get(id));
  }

  vpc(id: number): Vpc {
    return found(this.vpcs.get(id));
  }

  firewall(id: number): Firewall {
    return found(this.firewalls.get(id));
  }

  /** A subnet and the VPC it is in; `undefined` if there is none of that id. */
  subnet(id: number): { readonly vpc: Vpc; readonly subnet: Subnet } | undefined {
    for (const vpc of this.vpcs.values()) {
      const subnet = vpc.subnets.find((one) => one.id === id);
      if (subnet !== undefined) return { vpc, subnet };
    }
    return undefined;
  }

  region(id: string): Region | undefined {
    return this.regions.find((region) => region.id === id);
  }

  offers(region: string, capability: string): boolean {
    return this.region(region)?.capabilities.includes(capability) ?? false;
  }

  plan(id: string): Plan {
    return found(this.plans.find((plan) => plan.id === id));
  }

  imageLabel(id: string): string {
    return imageOf(id)?.label ?? id;
  }

  queue(linode: number): JobQueue {
    let queue = this.#queues.get(linode);
    if (queue === undefined) {
      queue = new JobQueue(this.clock);
      this.#queues.set(linode, queue);
    }
    return queue;
  }

  busy(linode: Linode): boolean {
    return this.queue(linode.id).busy;
  }

  /** Records something that happened at once. */
  notify(action: string, entity: EntityRef | null, secondary: EntityRef | null = null): EventRecord {
    const now = this.now();
    return this.#record(action, entity, secondary, {
      status: 'notification',
      startedAt: null,
      now,
      expectedMs: 0,
    });
  }

  /** Queues work on a Linode behind an event; the work begins when what was queued before is done. */
  enqueue(
    linode: Linode,
    entity: EntityRef,
    secondary: EntityRef | null,
    job: Omit<Job, 'event'> & { action: string },
  ): void {
    const event = this.#record(job.action, entity, secondary, {
      status: 'scheduled',
      startedAt: null,
      now: this.now(),
      expectedMs: this.clock.scaled(job.realMs),
    });
    this.queue(linode.id).add({ ...job, event });
  }

  /** Takes the driver's host of a deleted Linode away; its addresses are not given out again before that is done. */
  depart(linode: Linode, held: readonly string[]): void {
    for (const address of held) this.lingering.add(address);
    const queue = this.queue(linode.id);
    const departure = this.#remove(linode, queue).finally(() => {
      for (const address of held) this.lingering.delete(address);
      this.#queues.delete(linode.id);
      this.#departures.delete(departure);
    });
    this.#departures.add(departure);
  }

  /** Stops the clock, waits for the driver's work in progress and lets the driver remove what it made. */
  async close(): Promise<void> {
    this.clock.stop();
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await Promise.allSettled(this.#departures);
    await this.driver.close();
  }

  async #remove(linode: Linode, queue: JobQueue): Promise<void> {
    await queue.close();
    if (linode.hostMade === null) return;
    try {
      await this.driver.destroy(linode.id);
    } catch (error) {
      const event = this.notify('linode_delete', null);
      event.status = 'failed';
      event.message = error instanceof Error ? error.message : String(error);
    }
  }

  #record(
    action: string,
    entity: EntityRef | null,
    secondary: EntityRef | null,
    state: { status: EventRecord['status']; startedAt: number | null; now: number; expectedMs: number },
  ): EventRecord {
    const event: EventRecord = {
      id: this.newId(),
      created: state.now,
      action,
      entity,
      secondary,
      status: state.status,
      startedAt: state.startedAt,
      finishedAt: null,
      expectedMs: state.expectedMs,
      message: '',
      seen: false,
      read: false,
    };
    this.events.unshift(event);
    return event;
  }
}

/** What was looked up, or a 404. */
export function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw notFound();
  return value;
}

/** A stable fingerprint in hexadecimal digits. */
export function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

export function stamps(record: { readonly created: number; readonly updated: number }): {
  created: string;
  updated: string;
} {
  return { created: stamp(record.created), updated: stamp(record.updated) };
}
