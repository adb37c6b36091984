/** Plans with their prices in USD, as sold in July 2024; the plans of `g6` cost the same in September 2026. */
export interface Plan {
  readonly id: string;
  readonly label: string;
  readonly price: Price;
  readonly region_prices: readonly RegionPrice[];
  readonly addons: {
    readonly backups: { readonly price: Price; readonly region_prices: readonly RegionPrice[] };
  };
  /** MiB. */
  readonly memory: number;
  /** MiB. */
  readonly disk: number;
  /** GB a month. */
  readonly transfer: number;
  readonly vcpus: number;
  readonly gpus: number;
  /** Mbit/s. */
  readonly network_out: number;
  readonly class: string;
  readonly successor: string | null;
}

export interface Price {
  readonly hourly: number;
  readonly monthly: number;
}

export interface RegionPrice extends Price {
  /** The region that costs other than the rest. */
  readonly id: string;
}

type Pair = readonly [hourly: number, monthly: number];

/** Base price, price in Jakarta and Sao Paulo, then the same three of the backups; plans sold there only at base price have two pairs. */
type Prices = readonly Pair[];

type Row = readonly [string, string, string, number, number, number, number, number, number, Prices];

// prettier-ignore
const TABLE: readonly Row[] = [
  ['g6-nanode-1', 'Nanode 1GB', 'nanode', 1024, 25600, 1000, 1, 0, 1000, [[0.0075, 5], [0.009, 6], [0.0105, 7], [0.003, 2], [0.0036, 2.4], [0.004, 2.8]]],
  ['g6-standard-1', 'Linode 2GB', 'standard', 2048, 51200, 2000, 1, 0, 2000, [[0.018, 12], [0.022, 14.4], [0.025, 16.8], [0.004, 2.5], [0.0045, 3], [0.005, 3.5]]],
  ['g6-standard-2', 'Linode 4GB', 'standard', 4096, 81920, 4000, 2, 0, 4000, [[0.036, 24], [0.043, 28.8], [0.05, 33.6], [0.008, 5], [0.009, 6], [0.01, 7]]],
  ['g6-standard-4', 'Linode 8GB', 'standard', 8192, 163840, 5000, 4, 0, 5000, [[0.072, 48], [0.086, 57.6], [0.101, 67.2], [0.015, 10], [0.018, 12], [0.021, 14]]],
  ['g6-standard-6', 'Linode 16GB', 'standard', 16384, 327680, 8000, 6, 0, 6000, [[0.144, 96], [0.173, 115.2], [0.202, 134.4], [0.03, 20], [0.036, 24], [0.042, 28]]],
  ['g6-standard-8', 'Linode 32GB', 'standard', 32768, 655360, 16000, 8, 0, 7000, [[0.288, 192], [0.346, 230.4], [0.403, 268.8], [0.06, 40], [0.072, 48], [0.084, 56]]],
  ['g6-standard-16', 'Linode 64GB', 'standard', 65536, 1310720, 20000, 16, 0, 9000, [[0.576, 384], [0.691, 460.8], [0.806, 537.6], [0.12, 80], [0.144, 96], [0.168, 112]]],
  ['g6-standard-20', 'Linode 96GB', 'standard', 98304, 1966080, 20000, 20, 0, 10000, [[0.864, 576], [1.037, 691.2], [1.21, 806.4], [0.18, 120], [0.216, 144], [0.252, 168]]],
  ['g6-standard-24', 'Linode 128GB', 'standard', 131072, 2621440, 20000, 24, 0, 11000, [[1.152, 768], [1.382, 921.6], [1.613, 1075.2], [0.24, 160], [0.288, 192], [0.336, 224]]],
  ['g6-standard-32', 'Linode 192GB', 'standard', 196608, 3932160, 20000, 32, 0, 12000, [[1.728, 1152], [2.074, 1382.4], [2.419, 1612.8], [0.36, 240], [0.432, 288], [0.504, 336]]],
  ['g7-highmem-1', 'Linode 24GB', 'highmem', 24576, 20480, 5000, 2, 0, 5000, [[0.09, 60], [0.108, 72], [0.126, 84], [0.0075, 5], [0.009, 6], [0.0105, 7]]],
  ['g7-highmem-2', 'Linode 48GB', 'highmem', 49152, 40960, 6000, 2, 0, 6000, [[0.18, 120], [0.216, 144], [0.252, 168], [0.015, 10], [0.018, 12], [0.021, 14]]],
  ['g7-highmem-4', 'Linode 90GB', 'highmem', 92160, 92160, 7000, 4, 0, 7000, [[0.36, 240], [0.432, 288], [0.504, 336], [0.03, 20], [0.036, 24], [0.042, 28]]],
  ['g7-highmem-8', 'Linode 150GB', 'highmem', 153600, 204800, 8000, 8, 0, 8000, [[0.72, 480], [0.864, 576], [1.008, 672], [0.06, 40], [0.072, 48], [0.084, 56]]],
  ['g7-highmem-16', 'Linode 300GB', 'highmem', 307200, 348160, 9000, 16, 0, 9000, [[1.44, 960], [1.728, 1152], [2.016, 1344], [0.12, 80], [0.144, 96], [0.168, 112]]],
  ['g6-dedicated-2', 'Dedicated 4GB', 'dedicated', 4096, 81920, 4000, 2, 0, 4000, [[0.054, 36], [0.065, 43.2], [0.076, 50.4], [0.008, 5], [0.009, 6], [0.01, 7]]],
  ['g6-dedicated-4', 'Dedicated 8GB', 'dedicated', 8192, 163840, 5000, 4, 0, 5000, [[0.108, 72], [0.13, 86.4], [0.151, 100.8], [0.015, 10], [0.018, 12], [0.021, 14]]],
  ['g6-dedicated-8', 'Dedicated 16GB', 'dedicated', 16384, 327680, 6000, 8, 0, 6000, [[0.216, 144], [0.259, 172.8], [0.302, 201.6], [0.03, 20], [0.036, 24], [0.042, 28]]],
  ['g6-dedicated-16', 'Dedicated 32GB', 'dedicated', 32768, 655360, 7000, 16, 0, 7000, [[0.432, 288], [0.518, 345.6], [0.605, 403.2], [0.06, 40], [0.072, 48], [0.084, 56]]],
  ['g6-dedicated-32', 'Dedicated 64GB', 'dedicated', 65536, 1310720, 8000, 32, 0, 8000, [[0.864, 576], [1.037, 691.2], [1.21, 806.4], [0.12, 80], [0.144, 96], [0.168, 112]]],
  ['g6-dedicated-48', 'Dedicated 96GB', 'dedicated', 98304, 1966080, 9000, 48, 0, 9000, [[1.296, 864], [1.555, 1036.8], [1.814, 1209.6], [0.18, 120], [0.216, 144], [0.252, 168]]],
  ['g6-dedicated-50', 'Dedicated 128GB', 'dedicated', 131072, 2560000, 10000, 50, 0, 10000, [[1.728, 1152], [2.074, 1382.4], [2.419, 1612.8], [0.24, 160], [0.288, 192], [0.336, 224]]],
  ['g6-dedicated-56', 'Dedicated 256GB', 'dedicated', 262144, 5120000, 11000, 56, 0, 11000, [[3.456, 2304], [4.147, 2764.8], [4.838, 3225.6], [0.3, 200], [0.36, 240], [0.42, 280]]],
  ['g6-dedicated-64', 'Dedicated 512GB', 'dedicated', 524288, 7372800, 12000, 64, 0, 12000, [[6.912, 4608], [8.294, 5529.6], [9.677, 6451.2], [0.36, 240], [0.432, 288], [0.504, 336]]],
  ['g1-gpu-rtx6000-1', 'Dedicated 32GB + RTX6000 GPU x1', 'gpu', 32768, 655360, 16000, 8, 1, 10000, [[1.5, 1000], [0.06, 40]]],
  ['g1-gpu-rtx6000-2', 'Dedicated 64GB + RTX6000 GPU x2', 'gpu', 65536, 1310720, 20000, 16, 2, 10000, [[3.0, 2000], [0.12, 80]]],
  ['g1-gpu-rtx6000-3', 'Dedicated 96GB + RTX6000 GPU x3', 'gpu', 98304, 1966080, 20000, 20, 3, 10000, [[4.5, 3000], [0.18, 120]]],
  ['g1-gpu-rtx6000-4', 'Dedicated 128GB + RTX6000 GPU x4', 'gpu', 131072, 2621440, 20000, 24, 4, 10000, [[6.0, 4000], [0.24, 160]]],
  ['g7-premium-2', 'Premium 4GB', 'premium', 4096, 81920, 4000, 2, 0, 4000, [[0.0645, 43], [0.078, 51.84], [0.091, 60.48], [0.008, 5], [0.009, 6], [0.01, 7]]],
  ['g7-premium-4', 'Premium 8GB', 'premium', 8192, 163840, 5000, 4, 0, 5000, [[0.129, 86], [0.156, 103.68], [0.181, 120.96], [0.015, 10], [0.018, 12], [0.021, 14]]],
  ['g7-premium-8', 'Premium 16GB', 'premium', 16384, 327680, 6000, 8, 0, 6000, [[0.2595, 173], [0.311, 207.36], [0.363, 241.92], [0.03, 20], [0.036, 24], [0.042, 28]]],
  ['g7-premium-16', 'Premium 32GB', 'premium', 32768, 655360, 7000, 16, 0, 7000, [[0.519, 346], [0.622, 414.72], [0.726, 483.84], [0.06, 40], [0.072, 48], [0.084, 56]]],
  ['g7-premium-32', 'Premium 64GB', 'premium', 65536, 1310720, 8000, 32, 0, 8000, [[1.0365, 691], [1.244, 829.44], [1.452, 967.68], [0.12, 80], [0.144, 96], [0.168, 112]]],
  ['g7-premium-48', 'Premium 96GB', 'premium', 98304, 1966080, 9000, 48, 0, 9000, [[1.5555, 1037], [1.866, 1244.16], [2.177, 1451.52], [0.18, 120], [0.216, 144], [0.252, 168]]],
  ['g7-premium-50', 'Premium 128GB', 'premium', 131072, 2560000, 10000, 50, 0, 10000, [[2.073, 1382], [2.488, 1658.88], [2.903, 1935.36], [0.24, 160], [0.288, 192], [0.336, 224]]],
  ['g7-premium-56', 'Premium 256GB', 'premium', 262144, 5120000, 11000, 56, 0, 11000, [[4.1475, 2765], [4.977, 3317.76], [5.806, 3870.72], [0.3, 200], [0.36, 240], [0.42, 280]]],
  ['g7-premium-64', 'Premium 512GB', 'premium', 524288, 7372800, 12000, 64, 0, 12000, [[8.295, 5530], [9.953, 6635.52], [11.612, 7741.44], [0.36, 240], [0.432, 288], [0.504, 336]]],
];

export const PLANS: readonly Plan[] = TABLE.map(plan);

function plan([id, label, kind, memory, disk, transfer, vcpus, gpus, networkOut, prices]: Row): Plan {
  const [machine, backups] = halves(prices);
  return {
    id,
    label,
    price: machine.price,
    region_prices: machine.region_prices,
    addons: { backups },
    memory,
    disk,
    transfer,
    vcpus,
    gpus,
    network_out: networkOut,
    class: kind,
    successor: null,
  };
}

interface Charge {
  readonly price: Price;
  readonly region_prices: readonly RegionPrice[];
}

function halves(prices: Prices): [Charge, Charge] {
  const middle = prices.length / 2;
  return [charge(prices.slice(0, middle)), charge(prices.slice(middle))];
}

function charge([base, ...others]: readonly Pair[]): Charge {
  if (base === undefined) throw new Error('a plan without a price in data/types.ts');
  const regions = ['id-cgk', 'br-gru'];
  return {
    price: priceOf(base),
    region_prices: others.map((pair, index) => ({ id: regions[index] ?? '', ...priceOf(pair) })),
  };
}

function priceOf([hourly, monthly]: Pair): Price {
  return { hourly, monthly };
}
