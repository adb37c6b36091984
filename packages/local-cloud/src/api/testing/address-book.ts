import type { Cloud } from '../cloud.js';
import { isObject, type Json } from '../json.js';
import type { Address } from '../model.js';
import { barePath, type Exchange } from './recording.js';

/** All addresses of the record are made alike. */
const NEUTRAL_IPV4 = '192.0.2.0';
const NEUTRAL_IPV6 = '1234::5678';

/**
 * Finds out which address a neutral one of the record stands for. As the record has lost it, the book asks which of
 * the addresses that the conversation saw would have got the recorded answer.
 */
export class AddressBook {
  readonly #cloud: Cloud;
  readonly #ids: ReadonlyMap<number, number>;
  /** Every address that stood for the neutral one so far, latest last, with the region it was in. */
  readonly #seen: { readonly address: string; readonly region: string }[] = [];
  readonly #ranges: string[] = [];

  constructor(cloud: Cloud, ids: ReadonlyMap<number, number>) {
    this.#cloud = cloud;
    this.#ids = ids;
  }

  learn(recorded: string, here: string): void {
    if (recorded === NEUTRAL_IPV4) {
      const region = this.#cloud.addresses.get(here)?.region;
      if (region !== undefined && !this.#seen.some((one) => one.address === here))
        this.#seen.push({ address: here, region });
    } else if (recorded.startsWith(NEUTRAL_IPV6) && here.includes('::/')) this.#ranges.push(here);
  }

  translate(text: string, exchange: Exchange): string {
    if (text === NEUTRAL_IPV4 || text.startsWith(`${NEUTRAL_IPV4}:`)) {
      return text.replace(NEUTRAL_IPV4, this.#candidate(exchange));
    }
    const inRules = exchange.path.includes('firewalls');
    return text.startsWith(NEUTRAL_IPV6) && !inRules ? (this.#ranges.at(-1) ?? text) : text;
  }

  translatePathPart(part: string, exchange: Exchange): string {
    if (part === NEUTRAL_IPV6) return this.#ranges.at(-1)?.split('/')[0] ?? part;
    return part === NEUTRAL_IPV4 ? this.#candidate(exchange) : part;
  }

  #candidate(exchange: Exchange): string {
    const latestFirst = this.#seen.toReversed().map(({ address }) => address);
    const fits = (address: string): boolean => this.#fits(address, exchange);
    const reserved = (address: string): boolean => this.#cloud.addresses.get(address)?.reserved === true;
    return latestFirst.find(fits) ?? latestFirst.find(reserved) ?? latestFirst[0] ?? NEUTRAL_IPV4;
  }

  #fits(text: string, exchange: Exchange): boolean {
    const address = this.#cloud.addresses.get(text);
    if (exchange.status === 404) return address === undefined;
    if (exchange.status !== 200) return this.#fitsRefusal(address, exchange);
    if (address === undefined) return false;
    const path = barePath(exchange.path);
    if (exchange.method === 'DELETE') return address.reserved && address.linode === null;
    if (path.endsWith('/nodes') || path.endsWith('/rebuild')) return !address.public;
    if (path.endsWith('/assign') || path.startsWith('/linode/instances')) {
      return address.reserved && address.linode === null;
    }
    return this.#fitsAnswer(address, exchange.response);
  }

  /** The address must be with whatever the answer says it is with. */
  #fitsAnswer(address: Address, response: Json | undefined): boolean {
    if (!isObject(response)) return true;
    const holder = response['linode_id'];
    const linode = typeof holder === 'number' ? (this.#ids.get(holder) ?? 0) : null;
    return holder === undefined || address.linode === linode;
  }

  #fitsRefusal(address: Address | undefined, exchange: Exchange): boolean {
    const text = JSON.stringify(exchange.response);
    if (text.includes('same region')) {
      const id = this.#ids.get(Number(barePath(exchange.path).split('/')[3])) ?? 0;
      return (
        address !== undefined &&
        address.linode === null &&
        address.region !== this.#cloud.linodes.get(id)?.region
      );
    }
    if (text.includes('unassigned')) return address === undefined || address.linode !== null;
    return address !== undefined;
  }
}
