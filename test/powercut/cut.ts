import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Random } from "../../producers/demo/sample-area/random.ts";
import { Disk, enter, Inode, type Names, pageBytes } from "./disk.ts";

/** How much of what was not forced has reached a disk. */
export interface Reached {
  names: "forced" | "all" | "some";
  data: "synced" | "all" | "some";
}

export interface CutOptions {
  reached: Reached;
  random: Random;
  /** Whose writes may be lost; everybody's where it is left out. */
  losers?: readonly string[];
}

/** Reads a directory as it is, synced. */
export function readDisk(root: string): Disk {
  const names = new Map<string, Inode>();
  const add = (path: string): void => {
    const stat = statSync(path);
    if (stat.isFile()) {
      names.set(path, new Inode("file", stat.mode & 0o777, readFileSync(path), stat.mtimeMs));
      return;
    }
    names.set(path, new Inode("directory", stat.mode & 0o777));
    for (const name of readdirSync(path)) add(join(path, name));
  };
  add(root);
  return new Disk(root, names);
}

/** The same disk as it was when it was read, for another replay. */
export function copyOf({ root, forced }: Disk): Disk {
  const copies = [...forced].map(([name, { kind, mode, synced, syncedMs }]) => {
    return [name, new Inode(kind, mode, synced, syncedMs)] as const;
  });
  return new Disk(root, new Map(copies));
}

/** A file or directory as a cut leaves it. */
export interface Laid {
  inode: Inode;
  content: Buffer;
  ms: number;
}

/** The files of a disk after a power cut, by path; directories have no content. */
export function afterCut(disk: Disk, { reached, random, losers }: CutOptions): Map<string, Laid> {
  const names: Names = new Map(disk.forced);
  const total = disk.journal.length;
  const entries = { forced: 0, all: total, some: random.below(total + 1) }[reached.names];
  for (const entry of disk.journal.slice(0, entries)) enter(names, entry);
  const contents = new Map<Inode, Buffer>();
  const mayLose = (by: string) => losers === undefined || losers.includes(by);
  return new Map(
    [...names].map(([name, inode]) => {
      const content = contents.get(inode) ?? contentOf(inode, reached.data, random, mayLose);
      contents.set(inode, content);
      return [name, { inode, content, ms: disk.timeOf(inode, entries) }];
    }),
  );
}

function contentOf(
  inode: Inode,
  data: Reached["data"],
  random: Random,
  mayLose: (by: string) => boolean,
): Buffer {
  // Of one file all, of another nothing: what a cut leaves of several files is seldom alike.
  const how = data === "some" ? random.pick(["synced", "all", "some"]) : data;
  /** How many of them, in their order, have reached the disk: at least those that must not be lost. */
  const reached = (versions: readonly { by: string }[]): number => {
    const least = versions.findLastIndex(({ by }) => !mayLose(by)) + 1;
    if (how === "synced") return least;
    return how === "all" ? versions.length : least + random.below(versions.length - least + 1);
  };
  const epoch = reached(inode.truncations);
  const sizes = inode.sizes.filter((version) => version.epoch === epoch);
  const atFirst = inode.truncations[epoch - 1]?.value ?? inode.synced.length;
  const content = Buffer.alloc(sizes[reached(sizes) - 1]?.value ?? atFirst);
  for (let index = 0; index * pageBytes < content.length; index++) {
    const versions = (inode.pages.get(index) ?? []).filter((version) => version.epoch <= epoch);
    inode.pageAs(index, versions[reached(versions) - 1], epoch).copy(content, index * pageBytes);
  }
  return content;
}

/** SQLite makes it anew after a start of the machine; it is written to through memory, without a call. */
const isMemory = (name: string): boolean => name.endsWith("-shm");

/** Makes a directory what the disk has. */
export function layOut(root: string, laid: ReadonlyMap<string, Laid>): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const name of [...laid.keys()].sort()) {
    const { inode, content, ms } = laid.get(name) as Laid;
    if (isMemory(name)) continue;
    if (inode.kind === "directory") {
      mkdirSync(name, { recursive: true, mode: inode.mode });
      continue;
    }
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, content, { mode: inode.mode });
    utimesSync(name, ms / 1000, ms / 1000);
  }
}

/** The same for the same files, whenever they were changed, as long as the same databases are newer than the same others. */
export function hashOf(laid: ReadonlyMap<string, Laid>): string {
  const hash = createHash("sha1");
  for (const name of [...laid.keys()].sort()) {
    if (!isMemory(name)) hash.update(`${name}\0`).update(laid.get(name)?.content ?? "");
  }
  const databases = [...laid].filter(([name]) => name.endsWith("/megatest.db"));
  const byTime = databases.sort(([, a], [, b]) => a.ms - b.ms).map(([name]) => name);
  return hash.update(byTime.join("\0")).digest("hex");
}
