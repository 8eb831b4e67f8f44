/** What a fuzzer feeds with bytes. */
export interface FuzzTarget {
  /** Inputs to begin with. */
  seeds: readonly Buffer[];
  /** Throws if the product does not do what it must with the input. */
  fuzz(data: Buffer): void;
}

/** @param directory an empty one, for the target's files */
export type MakeTarget = (directory: string) => FuzzTarget;
