/** Folds a name as SQLite does: only ASCII letters. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function upperName(name: string): string {
  return name.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

export function respell(names: readonly string[], known: Iterable<string>): string[] {
  const spelling = new Map(Array.from(known, (name) => [foldName(name), name]));
  return names.map((name) => spelling.get(foldName(name)) ?? name);
}

export class NameSet {
  readonly #folded: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    this.#folded = new Set(Array.from(names, foldName));
  }

  has(name: string): boolean {
    return this.#folded.has(foldName(name));
  }
}
