import type { BalancerSpec, FirewallSpec, HostDriver, HostSpec, NodeHealth } from '../driver.js';

/** What the memory driver remembers of one host. */
export interface MemoryHost {
  readonly spec: HostSpec;
  running: boolean;
  /** How often it was powered on, reboots included. */
  boots: number;
  readonly firewalls: Map<number, FirewallSpec | null>;
}

/** A driver without hosts: keeps what it was told, refuses what a host could not do. */
export class MemoryDriver implements HostDriver {
  readonly hosts = new Map<number, MemoryHost>();
  readonly balancers = new Map<number, BalancerSpec>();

  async create(spec: HostSpec): Promise<void> {
    if (this.hosts.has(spec.id)) throw new Error(`host ${spec.id} exists already`);
    this.hosts.set(spec.id, { spec, running: false, boots: 0, firewalls: new Map() });
  }

  async boot(id: number): Promise<void> {
    const host = this.#host(id);
    host.running = true;
    host.boots += 1;
  }

  async shutdown(id: number): Promise<void> {
    this.#host(id).running = false;
  }

  async reboot(id: number): Promise<void> {
    await this.boot(id);
  }

  async destroy(id: number): Promise<void> {
    this.#host(id);
    this.hosts.delete(id);
  }

  async setFirewall(id: number, interfaceId: number, firewall: FirewallSpec | null): Promise<void> {
    const host = this.#host(id);
    if (!host.spec.interfaces.some((one) => one.id === interfaceId)) {
      throw new Error(`host ${id} has no interface ${interfaceId}`);
    }
    host.firewalls.set(interfaceId, firewall);
  }

  async setBalancer(id: number, balancer: BalancerSpec | null): Promise<void> {
    if (balancer === null) this.balancers.delete(id);
    else this.balancers.set(id, balancer);
  }

  /** Nobody checks the nodes here. */
  async balancerNodes(): Promise<ReadonlyMap<number, NodeHealth>> {
    return new Map();
  }

  async close(): Promise<void> {
    this.balancers.clear();
    this.hosts.clear();
  }

  #host(id: number): MemoryHost {
    const host = this.hosts.get(id);
    if (host === undefined) throw new Error(`there is no host ${id}`);
    return host;
  }
}
