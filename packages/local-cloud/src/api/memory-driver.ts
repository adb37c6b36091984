import type { FirewallSpec, HostDriver, HostSpec } from '../driver.js';

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

  async close(): Promise<void> {
    this.hosts.clear();
  }

  #host(id: number): MemoryHost {
    const host = this.hosts.get(id);
    if (host === undefined) throw new Error(`there is no host ${id}`);
    return host;
  }
}
