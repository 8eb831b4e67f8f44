/** A name as SQLite compares it: letters of ASCII lose their case, and no others. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A keyword in capitals, by the same rule. */
export function upperName(name: string): string {
  return name.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** Each of `names` as `known` spells it, where it is among those. */
export function respell(names: readonly string[], known: Iterable<string>): string[] {
  const spelling = new Map(Array.from(known, (name) => [foldName(name), name]));
  return names.map((name) => spelling.get(foldName(name)) ?? name);
}

/** Names that are looked up as SQLite does it. */
export class NameSet {
  readonly #folded: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    this.#folded = new Set(Array.from(names, foldName));
  }

  has(name: string): boolean {
    return this.#folded.has(foldName(name));
  }
}
