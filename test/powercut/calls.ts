import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A system call that changed a file system, or forced it to disk. */
export interface Call {
  /** Microseconds since 1970. */
  at: number;
  /** Who made it, as the trace was called. */
  by: string;
  deed:
    | { do: "open"; path: string; create: boolean; truncate: boolean; mode: number }
    | { do: "write"; path: string; offset: number | "end"; data: Buffer }
    | { do: "truncate"; path: string; size: number }
    | { do: "rename" | "link"; path: string; to: string }
    | { do: "unlink" | "rmdir" | "sync"; path: string }
    | { do: "mkdir"; path: string; mode: number }
    | { do: "chmod"; path: string; mode: number }
    | { do: "times"; path: string; ms: number };
}

export type Deed = Call["deed"];

export const isBelow = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** What strace is told to write down; not every machine has the older ones of these. */
const traced = [
  ...["?open", "openat", "?creat", "write", "pwrite64", "writev", "pwritev", "?pwritev2"],
  ...["ftruncate", "truncate", "fallocate", "copy_file_range", "sendfile"],
  ...["?rename", "renameat", "renameat2", "?unlink", "unlinkat", "?rmdir", "?link", "linkat"],
  ...[
    "?symlink",
    "symlinkat",
    "?mkdir",
    "mkdirat",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sync",
    "syncfs",
  ],
  ...["utimensat", "?utime", "?utimes", "?futimesat", "?chmod", "fchmod", "fchmodat"],
];

/** Arguments of strace that write a file `<prefix>.<thread>` for each thread, every byte and path as hexadecimal. */
export function straceArguments(prefix: string): string[] {
  const shape = ["-ff", "-qq", "-ttt", "-y", "-xx", "-s", String(2 ** 24)];
  return [...shape, "-e", "signal=none", "-e", `trace=${traced.join(",")}`, "-o", prefix];
}

/**
 * Reads what strace wrote of one or more processes, in the order of time, as far as it is below one of `roots`.
 *
 * @throws Error for a call that changes files there and that is not understood: a disk without it would be another one
 */
export function readCalls(directory: string, prefixes: readonly string[], roots: readonly string[]): Call[] {
  const calls = prefixes.flatMap((by) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(`${by}.`))
      .flatMap((name) => readThread(join(directory, name), by, roots)),
  );
  return calls.sort((a, b) => a.at - b.at);
}

function readThread(file: string, by: string, roots: readonly string[]): Call[] {
  const thread = { offsets: new Map<string, number>(), roots };
  const hexRoots = roots.map(toHex);
  return readFileSync(file, "latin1")
    .split("\n")
    .filter((line) => hexRoots.some((root) => line.includes(root)))
    .flatMap((line) => readLine(line, by, thread));
}

const toHex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");

const fromHex = (text: string): Buffer => Buffer.from(text.replaceAll("\\x", ""), "hex");
const pathFrom = (text: string): string => fromHex(text).toString();

const shape = /^(?<at>[\d.]+) (?<name>\w+)\((?<args>.*)\) += (?<result>-?\d+|\?)(?<of>.*)$/;

/** What is known of a thread while its calls are read. */
interface Thread {
  roots: readonly string[];
  /** Where the next `write` begins, by descriptor and file; NaN: at the file's end. */
  offsets: Map<string, number>;
}

function readLine(line: string, by: string, thread: Thread): Call[] {
  const { at, name, args, result, of = "" } = shape.exec(line)?.groups ?? {};
  if (at === undefined || name === undefined || args === undefined)
    throw new Error(`not understood: ${cut(line)}`);
  if (result?.startsWith("-") === true || result === "?") return [];
  const deed = understand(name, args, { fd: Number(result), of }, thread);
  return deed === undefined ? [] : [{ at: Math.round(Number(at) * 1e6), by, deed }];
}

const cut = (line: string): string => line.slice(0, 300);

const descriptor = /^\d+<(?<path>[^>]*)>(?<deleted>\(deleted\))?/;
const text = /"(?<text>(?:\\x[0-9a-f]{2})*)"/g;

/** Paths given as texts; the directory before one (`AT_FDCWD`, or a descriptor) makes it whole where it is relative. */
function pathsOf(args: string): string[] {
  const base = [...args.matchAll(/(?:AT_FDCWD|\d+)<([^>]*)>/g)].map((found) => pathFrom(found[1] ?? ""));
  return [...args.matchAll(text)].map((found, index) => {
    const path = pathFrom(found.groups?.text ?? "");
    return path.startsWith("/") ? path : join(base[index] ?? base[0] ?? "/", path);
  });
}

/** @returns undefined for what changes nothing that outlasts: reads, and files without a name */
function understand(
  name: string,
  args: string,
  { fd: result, of }: { fd: number; of: string },
  { offsets, roots }: Thread,
): Deed | undefined {
  const fd = descriptor.exec(args)?.groups;
  // What has no name any more is gone by a power cut in any case.
  const file = fd?.path === undefined ? "" : pathFrom(fd.path);
  if (fd?.deleted !== undefined || file.endsWith(" (deleted)")) return undefined;
  if (file !== "" && !roots.some((root) => isBelow(file, root))) return undefined;
  const [path = "", to = ""] = pathsOf(args);
  switch (name) {
    case "open":
    case "openat":
    case "creat":
      return opened(name, args, { path: pathOf(of) ?? path, fd: result, offsets });
    case "pwrite64":
      return { do: "write", path: file, offset: lastNumber(args), data: dataOf(args, result) };
    case "write":
      return { do: "write", path: file, offset: advance(offsets, args, result), data: dataOf(args, result) };
    case "ftruncate":
      return { do: "truncate", path: file, size: lastNumber(args) };
    case "rename":
    case "renameat":
    case "renameat2":
      return { do: "rename", path, to };
    case "link":
    case "linkat":
      return { do: "link", path, to };
    case "unlink":
      return { do: "unlink", path };
    case "unlinkat":
      return { do: args.includes("AT_REMOVEDIR") ? "rmdir" : "unlink", path };
    case "rmdir":
      return { do: "rmdir", path };
    case "mkdir":
    case "mkdirat":
      return { do: "mkdir", path, mode: modeOf(args) };
    case "chmod":
    case "fchmodat":
      return { do: "chmod", path, mode: modeOf(args) };
    case "fchmod":
      return { do: "chmod", path: file, mode: modeOf(args) };
    case "fsync":
    case "fdatasync":
      return { do: "sync", path: file };
    case "utimensat":
      return { do: "times", path, ms: modifiedOf(args) };
    default:
      throw new Error(`${name} is not understood: ${cut(args)}`);
  }
}

/** The file behind a descriptor that was returned, whatever links led to it. */
const pathOf = (of: string): string | undefined => {
  const found = /^<([^>]*)>/.exec(of)?.[1];
  return found === undefined ? undefined : pathFrom(found);
};

interface Opening {
  path: string;
  fd: number;
  offsets: Map<string, number>;
}

function opened(name: string, args: string, { path, fd, offsets }: Opening): Deed | undefined {
  const key = `${fd} ${path}`;
  if (args.includes("O_APPEND")) offsets.set(key, Number.NaN);
  else offsets.set(key, 0);
  const create = name === "creat" || args.includes("O_CREAT");
  const truncate = name === "creat" || args.includes("O_TRUNC");
  return create || truncate ? { do: "open", path, create, truncate, mode: modeOf(args) } : undefined;
}

/** Where a `write` of this descriptor begins; in the thread that opened it, since no thread passes one on. */
function advance(offsets: Map<string, number>, args: string, bytes: number): number | "end" {
  const found = /^(\d+)<([^>]*)>/.exec(args);
  const key = `${found?.[1]} ${pathFrom(found?.[2] ?? "")}`;
  const offset = offsets.get(key);
  if (offset === undefined) throw new Error(`written to without having been opened: ${key}`);
  if (Number.isNaN(offset)) return "end";
  offsets.set(key, offset + bytes);
  return offset;
}

function dataOf(args: string, bytes: number): Buffer {
  const data = fromHex(/"((?:\\x[0-9a-f]{2})*)"/.exec(args)?.[1] ?? "");
  if (data.length < bytes) throw new Error(`written down in part only: ${cut(args)}`);
  return data.subarray(0, bytes);
}

const lastNumber = (args: string): number => Number(/(\d+)$/.exec(args)?.[1]);
const modeOf = (args: string): number => Number.parseInt(/, 0([0-7]+)\b/.exec(args)?.[1] ?? "644", 8);

/** The second of two times; `UTIME_NOW` is when it was called, as good as any. */
function modifiedOf(args: string): number {
  const times = [...args.matchAll(/tv_sec=(\d+)[^,}]*, tv_nsec=(\d+)/g)];
  const last = times.at(-1);
  return last === undefined ? Date.now() : Number(last[1]) * 1000 + Number(last[2]) / 1e6;
}
