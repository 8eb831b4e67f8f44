/** Pseudo-random numbers, the same for a seed on every machine. */
export interface Random {
  /** Returns an integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** The list must not be empty. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** Creates a 32-bit xorshift, which would stay at seed 0. */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return { below, pick: (items) => items[below(items.length)] ?? items[0] };
}
