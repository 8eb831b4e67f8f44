/** What a fuzzer feeds with bytes: throws if the product does not do what it must with them. */
export type Fuzz = (data: Buffer) => void;

/** @param directory an empty one, for files */
export type MakeFuzz = (directory: string) => Fuzz;
