import type { Call, Deed } from "./calls.ts";

/** What a disk writes at once, in bytes. */
export const pageBytes = 4096;

/** One state of a page, or of a file's size, since the file was last synced. */
export interface Version<Value> {
  value: Value;
  /** Whose write it was. */
  by: string;
  /** How often the file had been made shorter by then, since the last sync. */
  epoch: number;
}

/** A file or a directory, whatever its names are. */
export class Inode {
  readonly kind: "file" | "directory";
  mode: number;
  /** As a sync left it, and as each write since has it; a page that is in no list is as in `synced`. */
  synced: Buffer;
  readonly pages = new Map<number, Version<Buffer>[]>();
  sizes: Version<number>[] = [];
  /** The sizes that it was made shorter to. The journal has that as a whole: of no page alone is it on disk. */
  truncations: Omit<Version<number>, "epoch">[] = [];
  /** Ms since 1970, as a sync left it. */
  syncedMs: number;

  constructor(kind: Inode["kind"], mode: number, content: Buffer = Buffer.alloc(0), ms = 0) {
    this.kind = kind;
    this.mode = mode;
    this.synced = content;
    this.syncedMs = ms;
  }

  get size(): number {
    return this.sizes.at(-1)?.value ?? this.synced.length;
  }

  /** A page as it is now, whole. */
  page(index: number): Buffer {
    return this.pageAs(index, this.pages.get(index)?.at(-1), this.truncations.length);
  }

  /** A page as one of its versions has it (undefined: as it was synced), after so many of the truncations. */
  pageAs(index: number, version: Version<Buffer> | undefined, epoch: number): Buffer {
    const page = Buffer.alloc(pageBytes);
    const value = version?.value ?? this.synced.subarray(index * pageBytes, (index + 1) * pageBytes);
    value.copy(page);
    for (const { value: size } of this.truncations.slice(version?.epoch ?? 0, epoch))
      page.fill(0, Math.min(pageBytes, Math.max(0, size - index * pageBytes)));
    return page;
  }

  write(offset: number, data: Buffer, by: string): void {
    for (let at = 0; at < data.length; ) {
      const index = Math.floor((offset + at) / pageBytes);
      const within = (offset + at) % pageBytes;
      const count = Math.min(pageBytes - within, data.length - at);
      const page = Buffer.from(this.page(index));
      data.copy(page, within, at, at + count);
      this.#note(index, page, by);
      at += count;
    }
    if (offset + data.length > this.size)
      this.sizes.push({ value: offset + data.length, by, epoch: this.truncations.length });
  }

  truncate(size: number, by: string): void {
    if (size < this.size) this.truncations.push({ value: size, by });
    this.sizes.push({ value: size, by, epoch: this.truncations.length });
  }

  /** All that was written is on the disk. */
  sync(ms: number): void {
    const content = Buffer.alloc(this.size);
    for (let index = 0; index * pageBytes < content.length; index++)
      this.page(index).copy(content, index * pageBytes);
    this.synced = content;
    this.pages.clear();
    this.sizes = [];
    this.truncations = [];
    this.syncedMs = ms;
  }

  #note(index: number, value: Buffer, by: string): void {
    const versions = this.pages.get(index) ?? [];
    versions.push({ value, by, epoch: this.truncations.length });
    this.pages.set(index, versions);
  }
}

/** What the journal of metadata holds: names that come and go, and times of change. */
export type Entry =
  | { name: string; inode: Inode | undefined }
  | { from: string; to: string }
  | { times: Inode; ms: number };

export type Names = Map<string, Inode>;

/** Makes `names` what they are after an entry. */
export function enter(names: Names, entry: Entry): void {
  if ("times" in entry) return;
  if ("name" in entry) {
    if (entry.inode === undefined) names.delete(entry.name);
    else names.set(entry.name, entry.inode);
    return;
  }
  for (const [name, inode] of [...names]) {
    if (name !== entry.from && !name.startsWith(`${entry.from}/`)) continue;
    names.delete(name);
    names.set(entry.to + name.slice(entry.from.length), inode);
  }
}

/**
 * A file system with a journal of its metadata, as ext4 and XFS have. Names reach the disk in their order, up to any point
 * behind the last that was forced. What is written to a file reaches it in any subset of its pages, until the file is synced;
 * that a file was made shorter reaches it as a whole, like a name. The sync of a directory forces all names before it; that of
 * a file forces its own content, size and time, and no name, for POSIX promises none.
 */
export class Disk {
  readonly root: string;
  /** Now, and as far as they were forced. */
  readonly names: Names = new Map();
  readonly forced: Names = new Map();
  /** Since they were forced. */
  journal: Entry[] = [];

  constructor(root: string, content: ReadonlyMap<string, Inode>) {
    this.root = root;
    for (const [name, inode] of content) {
      this.names.set(name, inode);
      this.forced.set(name, inode);
    }
  }

  apply({ at, by, deed }: Call): void {
    const ms = at / 1000;
    if (deed.do === "open") this.#open(deed, by, ms);
    else if (deed.do === "mkdir") this.#enter({ name: deed.path, inode: new Inode("directory", deed.mode) });
    else if (deed.do === "link") this.#enter({ name: deed.to, inode: this.#at(deed.path) });
    else if (deed.do === "rename") this.#enter({ from: deed.path, to: deed.to });
    else if (deed.do === "unlink" || deed.do === "rmdir") this.#enter({ name: deed.path, inode: undefined });
    else this.#change(this.#at(deed.path), deed, by, ms);
  }

  #open(deed: Extract<Deed, { do: "open" }>, by: string, ms: number): void {
    const there = this.names.get(deed.path);
    if (there === undefined && deed.create)
      this.#enter({ name: deed.path, inode: new Inode("file", deed.mode, Buffer.alloc(0), ms) });
    else if (deed.truncate && there !== undefined && there.size > 0) there.truncate(0, by);
  }

  #change(inode: Inode, deed: Deed, by: string, ms: number): void {
    if (deed.do === "write") {
      inode.write(deed.offset === "end" ? inode.size : deed.offset, deed.data, by);
      this.#enter({ times: inode, ms });
    } else if (deed.do === "truncate") {
      inode.truncate(deed.size, by);
      this.#enter({ times: inode, ms });
    } else if (deed.do === "times") this.#enter({ times: inode, ms: deed.ms });
    else if (deed.do === "chmod") inode.mode = deed.mode;
    else if (deed.do === "sync") this.#sync(inode);
  }

  #sync(inode: Inode): void {
    if (inode.kind === "file") {
      inode.sync(this.timeOf(inode, this.journal.length));
      return;
    }
    for (const entry of this.journal) {
      enter(this.forced, entry);
      if ("times" in entry) entry.times.syncedMs = entry.ms;
    }
    this.journal = [];
  }

  /** When a file was changed last, as the first `entries` of the journal have it. */
  timeOf(inode: Inode, entries: number): number {
    const last = this.journal
      .slice(0, entries)
      .findLast(
        (entry): entry is Extract<Entry, { times: Inode }> => "times" in entry && entry.times === inode,
      );
    return last?.ms ?? inode.syncedMs;
  }

  #enter(entry: Entry): void {
    this.journal.push(entry);
    enter(this.names, entry);
  }

  #at(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw new Error(`the trace tells of ${path}, which is not there`);
    return inode;
  }
}
